"""Durable work of one process: a table worked by threads. A task may run twice, never not at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from store.dialect import insert
from store.tables import task as table

WAITING, WORKING, FAILED = "waiting", "working", "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """One claimed piece of work; `attempt` counts from 1 and fences its end."""

    id: int
    name: str
    args: Mapping[str, Any]
    attempt: int


def defer(connection: Connection, key: str, name: str, args: Mapping[str, Any], now: datetime) -> bool:
    """Hand work over within the caller's transaction; False when a task of that key is there already."""
    values = {"key": key, "name": name, "args": dict(args), "state": WAITING, "attempt": 0}
    statement = insert(connection, table).values(**values, created_at=now, not_before=now)
    return connection.execute(statement.on_conflict_do_nothing().returning(table.c.id)).first() is not None


def claim(connection: Connection, now: datetime, lease: timedelta, without: Collection[str] = ()) -> Task | None:
    """Take the oldest task that is due, or one whose worker's lease ended; None when there is none. Tasks named in
    `without` are left to others."""
    due = or_(
        and_(table.c.state == WAITING, table.c.not_before <= now),
        and_(table.c.state == WORKING, table.c.lease_until <= now),
    )
    row = (
        connection.execute(select(table).where(due, table.c.name.not_in(without)).order_by(table.c.id).limit(1))
        .mappings()
        .first()
    )
    if row is None:
        return None
    taken = connection.execute(
        update(table)
        .where(table.c.id == row["id"], table.c.attempt == row["attempt"])
        .values(state=WORKING, attempt=row["attempt"] + 1, lease_until=now + lease)
        .returning(table.c.id)
    ).first()
    return Task(row["id"], row["name"], row["args"], row["attempt"] + 1) if taken else None


def release_all(connection: Connection, now: datetime) -> None:
    """Give back every claimed task at once; for the start of the only process, when no worker can be alive."""
    connection.execute(update(table).where(table.c.state == WORKING).values(lease_until=now))


def finish(connection: Connection, task: Task) -> None:
    """Forget a finished task; its effects are in the database already."""
    connection.execute(delete(table).where(table.c.id == task.id, table.c.attempt == task.attempt))


def retry(connection: Connection, task: Task, not_before: datetime, error: str) -> None:
    """Try again later."""
    _end(connection, task, state=WAITING, not_before=not_before, error=error)


def fail(connection: Connection, task: Task, error: str) -> None:
    """Give up; the row stays to be seen."""
    _end(connection, task, state=FAILED, error=error)


def _end(connection: Connection, task: Task, **values: Any) -> None:
    own = (table.c.id == task.id, table.c.attempt == task.attempt)
    connection.execute(update(table).where(*own).values(**values))


def next_due(connection: Connection, without: Collection[str] = ()) -> datetime | None:
    """When the earliest unfinished task may be claimed; None when all is done or failed."""
    ours = table.c.name.not_in(without)
    waiting = connection.scalar(select(func.min(table.c.not_before)).where(table.c.state == WAITING, ours))
    working = connection.scalar(select(func.min(table.c.lease_until)).where(table.c.state == WORKING, ours))
    return min((time for time in (waiting, working) if time), default=None)


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many tasks are in each state."""
    query = select(table.c.state, func.count()).group_by(table.c.state)
    return dict(connection.execute(query).all())
