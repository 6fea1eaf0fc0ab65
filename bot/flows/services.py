"""What a flow may use: the database, the clock, the team's rules, and the outside behind small protocols.

`bot.wiring` fills it with what the config names, a test with fakes.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import Connection

from backlog.cadence import Cadence
from backlog.experiment import Kind
from backlog.issue import Comment, Issue, Made, Transition, Twin, Webhook
from backlog.merge import People
from backlog.policy import Rules
from backlog.status import StatusMap
from backlog.team import Team
from bot.flows.finding import Finding
from bot.flows.installations import Installer
from bot.flows.links import Links
from bot.flows.pace import Pace
from bot.roles import NotAllowed, Role, Roles
from integrations.mail import Letter
from integrations.sources.source import Source
from store.database import Database
from store.people import first_delivery, groups_of, load_names, members_of, save_person


class Landed(Protocol):
    """Where a message landed."""

    @property
    def channel_id(self) -> str: ...
    @property
    def ts(self) -> str: ...


class Installed(Protocol):
    """Whose bot it is."""

    @property
    def team(self) -> str: ...
    @property
    def enterprise(self) -> str: ...
    @property
    def bot_user(self) -> str: ...


class Mailer(Protocol):
    """Mail, as far as flows go: see `integrations.mail.Mailer`."""

    def send(self, letter: Letter) -> str: ...


class Messenger(Protocol):
    """Slack, as far as flows go: see `integrations.slack.SlackClient`."""

    def post(
        self,
        channel: str,
        text: str,
        blocks: Sequence[dict[str, Any]],
        key: str,
        thread_ts: str = "",
        until: datetime | None = None,
    ) -> Landed: ...
    def update(self, channel_id: str, ts: str, text: str, blocks: Sequence[dict[str, Any]]) -> None: ...
    def upload(self, name: str, content: bytes, alt: str) -> str: ...
    def find(self, channel: str, key: str, oldest: datetime, thread_ts: str = "") -> Landed | None: ...
    def respond(
        self, response_url: str, text: str, blocks: Sequence[dict[str, Any]], in_channel: bool = False
    ) -> None: ...
    def installation(self) -> Installed: ...
    def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> None: ...
    def update_view(self, view_id: str, view: Mapping[str, Any], external: bool = False) -> None: ...
    def publish_home(self, user: str, view: Mapping[str, Any]) -> None: ...
    def unfurl(self, where: Mapping[str, str], unfurls: Mapping[str, Any]) -> None: ...
    def permalink(self, channel_id: str, ts: str) -> str: ...
    def read(self, channel_id: str, ts: str) -> str: ...
    def group_members(self, group: str) -> list[str]: ...


class Tracker(Protocol):
    """Jira, as far as flows go: see `integrations.jira.client.JiraClient`."""

    @property
    def requests(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def limits(self) -> Mapping[str, str]: ...
    def people(self) -> People: ...
    def fields(self) -> Mapping[str, str]: ...
    def required_at_create(self, project: str, issue_type: str) -> Sequence[str]: ...
    def webhooks(self) -> Sequence[Webhook]: ...
    def register_webhook(self, url: str, jql: str) -> None: ...
    def extend_webhooks(self, ids: Sequence[int]) -> None: ...
    def told_fields(self) -> Mapping[str, str]: ...
    def tell_fields(self, issue_id: str, values: Mapping[str, Any]) -> None: ...
    def clear_timebox(self, issue_id: str) -> None: ...
    def pull(self, jql: str, since: datetime | None) -> Iterator[list[Issue]]: ...
    def count(self, jql: str, since: datetime | None) -> int: ...
    def fetch_issue(self, key_or_id: str) -> Issue: ...
    def read_twin(self, issue_id: str) -> Twin: ...
    def with_block(self, description: Any, key: str, lines: Sequence[str]) -> Any: ...
    def put_property(self, issue_id: str, value: str) -> None: ...
    def census(self, jql: str) -> set[str]: ...
    def edit_issue(self, issue_id: str, fields: Mapping[str, Any]) -> None: ...
    def transitions(self, issue_id: str) -> list[Transition]: ...
    def do_transition(self, issue_id: str, way: Transition, answers: Mapping[str, str]) -> None: ...
    def create_issue(self, project: str, issue_type: str, fields: Mapping[str, Any], key: str) -> Made: ...
    def find_created(self, project: str, key: str, since: datetime) -> Issue | None: ...
    def add_comment(self, issue_id: str, text: str, key: str, accounts: Mapping[str, str] | None = None) -> str: ...
    def comments(self, issue_id: str) -> Sequence[Comment]: ...
    def find_comment(self, issue_id: str, key: str, since: datetime) -> str | None: ...
    def edit_comment(
        self, issue_id: str, comment_id: str, text: str, accounts: Mapping[str, str] | None = None
    ) -> None: ...
    def put_remote_link(self, issue_id: str, link: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Retention:
    """How long readings are kept one by one, and then by the hour; by the day they are kept for ever. `records` says it
    for kinds of `store.expiry`; one that is not there is kept for ever."""

    raw: timedelta = timedelta(days=30)
    hourly: timedelta = timedelta(days=400)
    records: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """A configured source: how often it is polled, and the adaptor that reads it."""

    name: str
    kind: str
    every: timedelta
    source: Source
    busy: Lock = field(default_factory=Lock, compare=False, repr=False)  # held while it is polled


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """A report that goes out: for whom, when, where to, who looks at it how long before, the folder of the user's own
    templates, and whose goals it speaks of. `channel` may be a person's id; `number` is that of a schedule made in
    the chat, else 0."""

    name: str
    audience: str
    schedule: Cadence
    channel: str = ""
    templates: Path | None = None
    emails: tuple[str, ...] = ()
    reviewer: str = ""
    preview: timedelta = timedelta(hours=4)
    number: int = 0
    team: Team | None = None

    @property
    def key(self) -> str:
        """What the schedule is called: `weekly-manager`, or the number of one made in the chat."""
        return str(self.number) if self.number else f"{self.name}-{self.audience}"


def nobody_else(workspace: str) -> "Services | None":
    """There is no other workspace here. Raises LookupError."""
    raise LookupError(f"{workspace} is not served here")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a flow may use, of one workspace. `messenger`, `mailer` and `tracker` are None where Slack, mail or
    Jira is not configured, `installer` where no other workspace may install the app. `leave` is told when the app was
    taken out of this one; `persons` and `addresses` say how often each may ask; `neighbour` finds what serves another
    workspace with the same queue, None where that has left."""

    database: Database
    now: Callable[[], datetime]
    rules: Rules = field(default_factory=Rules)
    roles: Roles = field(default_factory=Roles)
    messenger: Messenger | None = None
    mailer: Mailer | None = None
    tracker: Tracker | None = None
    sources: Mapping[str, SourcePlan] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    reports: Sequence[ReportPlan] = ()
    statuses: StatusMap = field(default_factory=StatusMap)
    issue_types: Mapping[Kind, str] = field(default_factory=dict)
    jql: str = ""
    webhook: bool = False
    channel: str = ""
    public_url: str = ""
    examine: Callable[[], Sequence[Finding]] = tuple
    links: Links = field(default_factory=lambda: Links((secrets.token_bytes(32),)))
    timeout: timedelta = timedelta(seconds=10)
    quiet: timedelta = timedelta(seconds=60)
    installer: Installer | None = None
    leave: Callable[[datetime], object] = lambda at: None
    stall: timedelta = timedelta(seconds=30)
    queue_limit: int = 1_000
    persons: Pace = field(default_factory=Pace)
    addresses: Pace = field(default_factory=Pace)
    neighbour: Callable[[str], "Services | None"] = nobody_else


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts, and the key of the delivery that asked for it: the same delivery acts only once. Empty on the
    command line, where nothing is delivered twice and the role is the command line's own."""

    id: str
    name: str
    delivery: str = ""
    role: Role | None = None


# Shows how far something long has come, where somebody looks: by its label and length, a step for each part done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def unseen(label: str, length: int) -> AbstractContextManager[Callable[[int], None]]:
    """Progress that nobody looks at."""
    return nullcontext(lambda _: None)


class AlreadyDone(Exception):
    """This delivery was handled before; there is nothing left to do or to say."""


def require(connection: Connection, services: Services, caller: Caller, act: str, needs: Role = Role.MEMBER) -> None:
    """Raise NotAllowed, naming who may, unless the caller's role suffices."""
    held = caller.role or services.roles.role_of(caller.id, groups_of(connection, caller.id))
    if held.rank < needs.rank:
        who = members_of(connection, services.roles.who_may(needs))
        people = load_names(connection, who)
        raise NotAllowed(act, held, needs, ", ".join(people.get(person_id, person_id) for person_id in who))


def require_role(services: Services, caller: Caller, act: str, needs: Role = Role.MEMBER) -> None:
    """The same for an act that opens no transaction of its own."""
    with services.database.read() as connection:
        require(connection, services, caller, act, needs)


@contextmanager
def acting(
    services: Services, caller: Caller, act: str = "change the backlog", needs: Role = Role.MEMBER
) -> Iterator[Connection]:
    """One act in one transaction. Raises AlreadyDone when this delivery has acted before, and NotAllowed where the
    caller's role does not suffice."""
    with services.database.write() as connection:
        require(connection, services, caller, act, needs)
        if caller.delivery and not first_delivery(connection, caller.delivery, services.now()):
            raise AlreadyDone(caller.delivery)
        save_person(connection, caller.id, caller.name)
        yield connection
