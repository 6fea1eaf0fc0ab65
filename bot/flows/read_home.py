"""What a person's own page shows: their experiments, what waits for them, what they follow, and for admins how the
outside stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backlog.experiment import Experiment, Wanted
from backlog.subscription import Subscription
from bot.flows.gather_situation import source_lines
from bot.flows.read_sources import since_read
from bot.flows.services import Services
from bot.flows.waiting import waiting
from bot.roles import Role
from store import outbox
from store.experiments import load_experiments
from store.outbox import Row
from store.people import groups_of
from store.subscriptions import QUIET, load_preferences, load_subscriptions

DECISIONS = {"decide": "your decision", "outcome": "its outcome"}


@dataclass(frozen=True, slots=True)
class Home:
    """One person's page. `waiting` is each experiment with what it waits for; `health` is None for whoever is no admin,
    else one line each for the sources and for what is on its way, and `stuck` what could not be delivered, the latest
    first."""

    own: Sequence[Experiment]
    waiting: Sequence[tuple[Experiment, str]]
    follows: Sequence[Subscription]
    quiet: str
    health: Sequence[str] | None
    stuck: Sequence[Row] = ()


def read_home(services: Services, person: str) -> Home:
    """The page as of now; costs a handful of reads and no network."""
    with services.database.read() as connection:
        own = load_experiments(connection, Wanted(owner=person, unfinished=True))
        is_admin = services.roles.role_of(person, groups_of(connection, person)) is Role.ADMIN
        return Home(
            own=own,
            waiting=_waiting(connection, services, person, own),
            follows=load_subscriptions(connection, person),
            quiet=load_preferences(connection, person).get(QUIET, ""),
            health=_health(connection, services) if is_admin else None,
            stuck=outbox.load_rows(connection, outbox.STUCK)[::-1] if is_admin else (),
        )


def _waiting(
    connection: Connection, services: Services, person: str, own: Sequence[Experiment]
) -> list[tuple[Experiment, str]]:
    asked = [one for one in waiting(connection, services) if person in one.people]
    found = [(one.experiment, DECISIONS.get(one.verb, one.why)) for one in asked]
    others = (e for e in own if e.blocked_reason and all(e.key != known.key for known, _ in found))
    return [*found, *((e, f"blocked: {e.blocked_reason}") for e in others)]


def _health(connection: Connection, services: Services) -> list[str]:
    now = services.now()
    lines = [
        f"{s.name}: {since_read(now - s.read_at if s.read_at else None)}{f', {s.error}' if s.error else ''}"
        for s in source_lines(connection, services)
    ]
    return [*lines, f"On their way out: {outbox.count_waiting(connection, '')}"]
