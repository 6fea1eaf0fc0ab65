"""Durable work: handed over within the transaction that decided it, and worked on later. A task may run twice, never
not at all.

On SQLite a table, worked by the threads of the only process; on PostgreSQL procrastinate's, by any number of replicas.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from store.dialect import insert, is_postgresql, workspace_of
from store.tables import EPOCH, queue_migration
from store.tables import task as table

SCHEMA = "scrumbut_queue"  # of PostgreSQL, for the queue that workspaces have in common
WOKEN = "scrumbut_woken"  # noted of a connection in whose transaction the outbox is already sure to be looked at
SLICE = 2_000  # rows of one delete
WAITING, WORKING, FAILED = "waiting", "working", "failed"
# What another version handed over: no later attempt would know it either.
UNKNOWN = (
    "this version knows no such task: what it was for comes again with its schedule, or when it is asked for again"
)
STATES = {"todo": WAITING, "doing": WORKING, "failed": FAILED}  # procrastinate's words for them

# Each class of work has workers of its own, so that what hangs or is much keeps only its own kind waiting.
POST, POLL, SYNC = "post", "poll", "sync"
QUEUES = {
    "poll_source": POLL,
    "thin_readings": POLL,
    "sync_backlog": SYNC,
    "take_census": SYNC,
    "keep_webhook": SYNC,
    "read_comments": SYNC,
}  # all else is for people


@dataclass(frozen=True, slots=True)
class Task:
    """One claimed piece of work; `attempt` counts from 1 and fences its end."""

    id: int
    name: str
    args: Mapping[str, Any]
    attempt: int


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work to be handed over."""

    key: str
    name: str
    args: Mapping[str, Any]

    @property
    def queue(self) -> str:
        """The class it belongs to."""
        return QUEUES.get(self.name, POST)


def defer(connection: Connection, key: str, name: str, args: Mapping[str, Any], now: datetime) -> bool:
    """Hand work over within the caller's transaction; False when a task of that key is there already."""
    work = Work(key, name, args)
    if is_postgresql(connection):
        from store import shared_queue

        return shared_queue.defer(connection, work.key, work.queue, work.name, work.args)
    statement = insert(connection, table).values(**_row(work, now)).on_conflict_do_nothing()
    return connection.execute(statement.returning(table.c.id)).first() is not None


def defer_all(connection: Connection, works: Sequence[Work], now: datetime) -> None:
    """Hand over work that the caller knows to be new, in one statement."""
    if not works:
        return
    if is_postgresql(connection):
        from store import shared_queue

        shared_queue.defer_all(connection, [(work.queue, work.name, work.args) for work in works])
    else:
        connection.execute(insert(connection, table).on_conflict_do_nothing(), [_row(work, now) for work in works])


def wake(connection: Connection, after: timedelta = timedelta(0)) -> None:
    """See that the outbox is looked at when this transaction is committed, or then. Only where many workspaces have
    workers in common, for these look into none unasked."""
    if workspace_of(connection):
        from store import shared_queue

        shared_queue.defer_delivery(connection, POST, after)


def _row(work: Work, now: datetime) -> dict[str, Any]:
    given = {"key": work.key, "name": work.name, "args": dict(work.args), "state": WAITING, "attempt": 0}
    return {**given, "created_at": now, "not_before": now}


def load_waiting(connection: Connection) -> list[tuple[Work, datetime]]:
    """All that is not done yet, what is worked on too, and since when it waits."""
    if is_postgresql(connection):
        from store import shared_queue

        return [(Work(key, name, args), EPOCH) for key, name, args in shared_queue.load_waiting(connection)]
    rows = connection.execute(select(table).where(table.c.state != FAILED).order_by(table.c.id)).mappings()
    return [(Work(row["key"], row["name"], row["args"]), row["created_at"]) for row in rows]


def is_full(connection: Connection, limit: int) -> bool:
    """Whether so much waits already that people should ask again later; what the clock hands over never waits."""
    if is_postgresql(connection):
        from store import shared_queue

        return shared_queue.count_waiting(connection, limit) >= limit
    some = select(table.c.id).where(table.c.state == WAITING).limit(limit).subquery()
    return (connection.scalar(select(func.count()).select_from(some)) or 0) >= limit


def is_ready(connection: Connection, now: datetime) -> bool:
    """Whether a task may be worked on at once. Procrastinate goes by the database's clock."""
    if is_postgresql(connection):
        from store import shared_queue

        return shared_queue.is_ready(connection)
    due = next_due(connection)
    return due is not None and due <= now


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
    """When the earliest unfinished task may be claimed; None when all is done or failed. Of procrastinate's only
    those that wait: others may work on the rest, for hours."""
    if is_postgresql(connection):
        from store import shared_queue

        return shared_queue.next_due(connection)
    ours = table.c.name.not_in(without)
    waiting = connection.scalar(select(func.min(table.c.not_before)).where(table.c.state == WAITING, ours))
    working = connection.scalar(select(func.min(table.c.lease_until)).where(table.c.state == WORKING, ours))
    return min((time for time in (waiting, working) if time), default=None)


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many tasks are in each state."""
    if is_postgresql(connection):
        from store import shared_queue

        counted = shared_queue.count_by_state(connection)
        return {state: counted[name] for name, state in STATES.items() if name in counted}
    query = select(table.c.state, func.count()).group_by(table.c.state)
    return dict(connection.execute(query).all())


def drop_failed(connection: Connection, before: datetime) -> int:
    """Delete a slice of what was given up before then; returns how many, 0 when there is no more."""
    if is_postgresql(connection):
        from store import shared_queue

        return shared_queue.drop_failed(connection, before)
    old = select(table.c.id).where(table.c.state == FAILED, table.c.created_at < before).limit(SLICE)
    dropped = delete(table).where(table.c.id.in_(old.scalar_subquery())).returning(table.c.id)
    return len(connection.execute(dropped).all())


def forget_failed(connection: Connection, person: str) -> None:
    """Delete what was given up that names a person; rows of our own table are searched with all others."""
    if is_postgresql(connection):
        from store import shared_queue

        shared_queue.drop_failed(connection, naming=person)


def upgrade(connection: Connection) -> None:
    """Bring the tables of PostgreSQL's queue to the installed version, and hand over to it what waits in ours, where
    an earlier version or a database of SQLite left it."""
    if not is_postgresql(connection):
        return
    from store import shared_queue

    with shared_queue.within(connection):
        queue_migration.create(connection, checkfirst=True)
        applied = set(connection.scalars(select(queue_migration.c.name)))
        new = sorted(shared_queue.upgrade(connection, applied) - applied)
        if new:
            connection.execute(queue_migration.insert(), [{"name": name} for name in new])
    left = connection.execute(select(table).where(table.c.state != FAILED).order_by(table.c.id)).mappings()
    for row in left.all():
        defer(connection, row["key"], row["name"], row["args"], row["created_at"])
    connection.execute(delete(table).where(table.c.state != FAILED))
