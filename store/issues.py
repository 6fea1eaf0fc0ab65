"""Issues as last read from Jira, by immutable id, and where the next pull begins."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import Connection, RowMapping, select, update

from backlog.issue import Issue
from store.dialect import insert
from store.tables import experiment, schedule
from store.tables import issue as table

CURSOR = "cursor:jira"


def save_issues(connection: Connection, issues: Iterable[Issue]) -> None:
    """Remember issues; a moved issue keeps its row and its experiment, which then shows the new key."""
    rows = [{**asdict(issue), "due": issue.due.isoformat() if issue.due else None} for issue in issues]
    if not rows:
        return
    statement = insert(connection, table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed), rows)
    linked = select(experiment.c.issue_id, experiment.c.issue_key).where(
        experiment.c.issue_id.in_([row["id"] for row in rows])
    )
    known = dict(connection.execute(linked).all())
    for row in rows:
        if known.get(str(row["id"])) not in (None, row["key"]):
            moved = {"issue_key": row["key"], "issue_url": row["url"]}
            connection.execute(update(experiment).where(experiment.c.issue_id == row["id"]).values(**moved))


def load_linked_issues(connection: Connection) -> dict[str, Issue]:
    """The issues that experiments are linked to, by id."""
    query = select(table).join(experiment, experiment.c.issue_id == table.c.id)
    return {row["id"]: _issue(row) for row in connection.execute(query).mappings()}


def find_issue(connection: Connection, key: str) -> Issue | None:
    """The issue of that key as last read; None where it was never pulled."""
    row = connection.execute(select(table).where(table.c.key == key.strip().upper())).mappings().first()
    return _issue(row) if row else None


def pulled_until(connection: Connection) -> datetime | None:
    """The start of the last complete pull."""
    return connection.scalar(select(schedule.c.checked_until).where(schedule.c.name == CURSOR))


def save_pulled_until(connection: Connection, start: datetime) -> None:
    """Remember the start of a pull that succeeded."""
    statement = insert(connection, schedule).values(name=CURSOR, checked_until=start)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"checked_until": start}))


def _issue(row: RowMapping) -> Issue:
    due = date.fromisoformat(row["due"]) if row["due"] else None
    return Issue(**{**row, "due": due})
