"""What a person's own page shows: their experiments, what waits for them, what they follow, and for admins how the
outside stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backlog.experiment import Experiment, Stage, Wanted
from backlog.subscription import Subscription, deciders_of, waits
from bot.flows.gather_situation import source_lines
from bot.flows.read_sources import since_read
from bot.flows.services import Services
from bot.roles import Role
from store import outbox
from store.experiments import load_experiments
from store.outbox import Row
from store.people import groups_of, members_of
from store.subscriptions import QUIET, load_preferences, load_subscriptions


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
    may_decide = members_of(connection, services.roles.who_may(Role.DECIDER))
    deciding = load_experiments(connection, Wanted(stage=Stage.DECIDING))
    asked = [e for e in deciding if waits(e) and person in deciders_of(e, may_decide, services.roles.open)]
    found = [(e, "your decision" if e.outcome else "its outcome") for e in asked]
    return [*found, *((e, f"blocked: {e.blocked_reason}") for e in own if e.blocked_reason)]


def _health(connection: Connection, services: Services) -> list[str]:
    now = services.now()
    lines = [
        f"{s.name}: {since_read(now - s.read_at if s.read_at else None)}{f', {s.error}' if s.error else ''}"
        for s in source_lines(connection, services)
    ]
    return [*lines, f"On their way out: {outbox.count_waiting(connection, '')}"]
