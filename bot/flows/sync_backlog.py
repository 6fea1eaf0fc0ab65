"""Pulls the issues in scope, page by page; a crash at any page loses nothing, for the cursor moves at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.issue import Issue
from backlog.status import differs
from bot.flows.services import Caller, Services, acting
from integrations.http import IntegrationError
from store import outbox
from store.experiments import find_experiment
from store.issues import linked_among, load_agreed, pulled_until, save_issues, save_pulled_until
from store.metrics import save_source_state

OVERLAP = timedelta(minutes=10)  # Jira's index lags behind writes by seconds to minutes
JIRA = "jira"


def _notice(connection: Connection, services: Services, page: Sequence[Issue]) -> None:
    """Have those issues brought in line that an experiment belongs to and that are not what was agreed."""
    linked = set(linked_among(connection, page))
    for issue in (issue for issue in page if issue.id in linked):
        if differs(issue, load_agreed(connection, issue.id), services.people):
            target = f"jira:issue:{issue.id}:sync"
            outbox.put_latest(connection, target, "jira.sync", {"issue": issue.id}, services.now())


def retry_issue(services: Services, caller: Caller, key: str) -> str:
    """Try again what failed on one experiment's issue, and bring both in line; returns the issue's key."""
    with acting(services, caller, "try a sync again") as connection:
        experiment = find_experiment(connection, key)
        if not experiment.issue_id:
            raise BacklogError(f"{experiment.key} has no linked issue.", f"/exp link {experiment.key} ML-345")
        target, now = f"jira:issue:{experiment.issue_id}", services.now()
        outbox.revive(connection, f"{target}:sync", now)
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
        for page in services.tracker.pull(services.jql, until - OVERLAP if until else None):
            with services.database.write() as connection:
                _notice(connection, services, page)
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
