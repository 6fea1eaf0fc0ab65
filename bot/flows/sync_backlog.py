"""Pulls the issues in scope, page by page; a crash at any page loses nothing, for the cursor moves at the end."""

from dataclasses import dataclass
from datetime import timedelta

from backlog.errors import BacklogError
from bot.flows.services import Services
from integrations.http import IntegrationError
from store.issues import pulled_until, save_issues, save_pulled_until
from store.metrics import save_source_state

OVERLAP = timedelta(minutes=10)  # Jira's index lags behind writes by seconds to minutes
JIRA = "jira"


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
