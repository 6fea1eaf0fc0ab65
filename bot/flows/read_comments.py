"""Reads what people last said on an experiment's issue, so that it can be shown without asking Jira."""

from sqlalchemy import Connection

from backlog.issue import Issue
from bot.flows.services import Services
from store import queue
from store.issues import save_comments


def order_comments(connection: Connection, services: Services, issue: Issue) -> None:
    """Have the comments of an issue read soon, once for each change of it."""
    key = f"comments:{issue.id}:{issue.updated.isoformat()}"
    queue.defer(connection, key, "read_comments", {"issue": issue.id}, services.now())


def read_comments(services: Services, issue_id: str) -> int:
    """Remember the newest comments of others on an issue; returns how many. Raises IntegrationError where Jira does
    not answer."""
    if services.tracker is None:
        return 0
    found = services.tracker.comments(issue_id)
    with services.database.write() as connection:
        save_comments(connection, issue_id, found)
    return len(found)
