"""Pulls the issues in scope, page by page; a crash at any page loses nothing, for the cursor moves at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.issue import Issue
from backlog.merge import People
from backlog.status import differs
from bot.flows.services import Caller, Services, acting
from bot.flows.sync_issue import NOT_FOUND
from integrations.http import IntegrationError
from store import outbox
from store.experiments import find_experiment, linked_to
from store.issues import (
    linked_among,
    load_agreed,
    load_linked_issues,
    mark_unreachable,
    pulled_until,
    save_issues,
    save_pulled_until,
    unreachable_among,
)
from store.metrics import save_source_state
from store.people import first_delivery

OVERLAP = timedelta(minutes=10)  # Jira's index lags behind writes by seconds to minutes
JIRA = "jira"


def _notice(connection: Connection, services: Services, people: People, page: Sequence[Issue]) -> None:
    """Have those issues brought in line that an experiment belongs to and that are not what was agreed, or that are
    back in sight: what was to be written meanwhile still waits."""
    linked = set(linked_among(connection, page))
    back = set(unreachable_among(connection, linked))
    for issue_id in back:
        outbox.revive(connection, f"jira:issue:{issue_id}", services.now())
    for issue in (issue for issue in page if issue.id in linked):
        if issue.id in back or differs(issue, load_agreed(connection, issue.id), people):
            _order_sync(connection, services, issue.id)


def _order_sync(connection: Connection, services: Services, issue_id: str) -> None:
    target = f"jira:issue:{issue_id}:sync"
    outbox.put_latest(connection, target, "jira.sync", {"issue": issue_id}, services.now())


def hear_of(services: Services, issue_id: str, delivery: str) -> bool:
    """Take a hint that an issue changed: it is read again soon. False for an issue of no experiment, and for a hint
    that was taken before."""
    with services.database.write() as connection:
        if delivery and not first_delivery(connection, f"jira:{delivery}"[:160], services.now()):
            return False
        if linked_to(connection, issue_id) is None:
            return False
        _order_sync(connection, services, issue_id)
    return True


def take_census(services: Services) -> list[str]:
    """Ask for the ids of all issues in scope, and read each linked one that is not among them or was out of sight: it
    may only have left the scope. What answers 404 is unreachable from now on, deleted or out of our sight; nothing is
    deleted here. Returns the keys of those. Raises IntegrationError where Jira or the account does not answer."""
    if services.tracker is None:
        return []
    seen, people = services.tracker.census(services.jql), services.tracker.people()
    with services.database.read() as connection:
        linked = load_linked_issues(connection)
    doubted = [issue for issue in linked.values() if issue.id not in seen or issue.unreachable_since]
    found = {issue.id: _find(services, issue.id) for issue in doubted}
    with services.database.write() as connection:
        there = [issue for issue in found.values() if issue]
        _notice(connection, services, people, there)
        save_issues(connection, there)
        mark_unreachable(connection, [id_ for id_, issue in found.items() if issue is None], services.now())
    return [issue.key for issue in doubted if found[issue.id] is None]


def _find(services: Services, issue_id: str) -> Issue | None:
    assert services.tracker is not None
    try:
        return services.tracker.fetch_issue(issue_id)
    except IntegrationError as error:
        if error.code == NOT_FOUND:
            return None
        raise


def retry_issue(services: Services, caller: Caller, key: str) -> str:
    """Try again what failed on one experiment's issue, and bring both in line; returns the issue's key."""
    with acting(services, caller, "try a sync again") as connection:
        experiment = find_experiment(connection, key)
        if not experiment.issue_id:
            raise BacklogError(f"{experiment.key} has no linked issue.", f"/exp link {experiment.key} ML-345")
        target, now = f"jira:issue:{experiment.issue_id}", services.now()
        outbox.revive(connection, target, now)
        outbox.put_latest(connection, f"{target}:sync", "jira.sync", {"issue": experiment.issue_id}, now)
    return experiment.issue_key


@dataclass(frozen=True, slots=True)
class Synced:
    """How many issues a pull read, over how many pages."""

    issues: int
    pages: int


def sync_backlog(services: Services, full: bool = False) -> Synced:
    """Read what changed since the last complete pull (`full`: everything in scope).

    Raises BacklogError where Jira is not configured, IntegrationError where it does not answer; pages read before
    that are kept.
    """
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    start = services.now()
    with services.database.read() as connection:
        until = None if full else pulled_until(connection)
    issues = pages = 0
    try:
        people = services.tracker.people()
        for page in services.tracker.pull(services.jql, until - OVERLAP if until else None):
            with services.database.write() as connection:
                _notice(connection, services, people, page)
                save_issues(connection, page)
            issues, pages = issues + len(page), pages + 1
    except IntegrationError as error:
        with services.database.write() as connection:
            save_source_state(connection, JIRA, None, str(error))
        raise
    with services.database.write() as connection:
        save_pulled_until(connection, start)
        save_source_state(connection, JIRA, services.now(), "")
    return Synced(issues, pages)
