"""What must reach the outside: written in the transaction that decided it, delivered in order per target.

The rule: a row that may have been sent is never sent again before a look-up that starts at least the quiet time
after the attempt's deadline. An attempt that ended without a clear answer is therefore left as it is, *sending*,
and claimed for the look-up once its deadline and the quiet time have passed; a crash looks the same.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, exists, func, or_, select, update

from store import queue
from store.tables import message
from store.tables import outbox as table

PENDING, SENDING, SENT, DEAD, UNKNOWN, DROPPED = "pending", "sending", "sent", "dead", "unknown", "dropped"
UNSETTLED = (PENDING, SENDING)
STUCK = (DEAD, UNKNOWN)  # a person decides


def issue_target(issue_id: str, line: str = "") -> str:
    """Where what goes to an issue stands in line; a `line` of its own counts as below the issue's."""
    return f"jira:issue:{issue_id}{line and f':{line}'}"


def _held_back() -> ColumnElement[bool]:
    earlier = table.alias()
    refused = and_(earlier.c.state == DEAD, earlier.c.target.startswith(issue_target("")))
    return exists().where(
        earlier.c.target == table.c.target, earlier.c.id < table.c.id, or_(earlier.c.state.in_(UNSETTLED), refused)
    )


# Whether a row stands behind one on its target that is not settled. What an issue refused for good holds back what
# comes after it, until a person has seen to it; in Slack a message is lost rather than the next ones with it.
HELD_BACK = _held_back()
# Asked at every look at an experiment and for every delivery: building a statement costs as much as running it.
WAITING = (
    select(table.c.id)
    .where(table.c.target == bindparam("target"), or_(*(table.c.state == state for state in UNSETTLED)))
    .limit(1)
)
DUE = or_(
    and_(table.c.state == PENDING, table.c.not_before <= bindparam("now")),
    and_(table.c.state == SENDING, table.c.deadline <= bindparam("quiet_since")),
)
# Of what another replica is about to take, nobody waits for the end.
NEXT = select(table).where(DUE, ~HELD_BACK).order_by(table.c.id).limit(1).with_for_update(skip_locked=True)
FENCED = and_(
    table.c.id == bindparam("of_row"),
    table.c.attempt == bindparam("of_attempt"),
    table.c.state == bindparam("of_state"),
)
CHANGE = update(table).where(FENCED).returning(table.c.id)
EARLIEST = select(func.min(table.c.not_before)).where(table.c.state == PENDING, ~HELD_BACK)
EARLIEST_END = select(func.min(table.c.deadline)).where(table.c.state == SENDING)


@dataclass(frozen=True, slots=True)
class Effect:
    """One claimed row. `attempt` fences every later update; `doubtful` asks for a look-up before any sending, of what
    was last sent at `sent_at`; `resent` tells that it was sent again without one, `error` why the attempt before it
    failed."""

    id: int
    key: str
    target: str
    kind: str
    payload: Mapping[str, Any]
    attempt: int
    created_at: datetime
    deadline: datetime
    doubtful: bool
    resent: bool
    sent_at: datetime
    error: str


def put(
    connection: Connection,
    target: str,
    kind: str,
    payload: Mapping[str, Any],
    now: datetime,
    not_before: datetime | None = None,
) -> int:
    """Add an effect; returns its id. Effects of one target are delivered in the order they were put."""
    values = {"key": uuid4().hex, "target": target, "kind": kind, "payload": dict(payload), "state": PENDING}
    not_before = not_before or now
    start = {"attempt": 0, "created_at": now, "not_before": not_before, "resent": False}
    key = connection.execute(table.insert().values(**values, **start)).inserted_primary_key
    queue.wake(connection, not_before - now)
    return int(key[0]) if key else 0


def put_latest(connection: Connection, target: str, kind: str, payload: Mapping[str, Any], now: datetime) -> int:
    """Add an effect that replaces those of its kind still waiting for the target: only the latest state counts."""
    same = (table.c.target == target, table.c.kind == kind, table.c.state == PENDING, table.c.attempt == 0)
    connection.execute(update(table).where(*same).values(state=DROPPED))
    return put(connection, target, kind, payload, now)


def put_unless_waiting(
    connection: Connection, kind: str, payloads: Mapping[str, Mapping[str, Any]], now: datetime, not_before: datetime
) -> None:
    """Add an effect for each target, unless one of its kind still waits for its first attempt there: what is read when
    that one is sent is as new, for it is sent after this transaction."""
    waits = (table.c.target.in_(payloads), table.c.kind == kind, table.c.state == PENDING, table.c.attempt == 0)
    waiting = set(connection.scalars(select(table.c.target).where(*waits).with_for_update())) if payloads else set()
    for target, payload in payloads.items():
        if target not in waiting:
            put(connection, target, kind, payload, now, not_before)


def take_waiting(connection: Connection, target: str, kind: str) -> Mapping[str, Any] | None:
    """The payload of the effect that still waits for its first attempt, which is then left to the caller to put again
    with what was added; None where none waits."""
    waits = (table.c.target == target, table.c.kind == kind, table.c.state == PENDING, table.c.attempt == 0)
    taken = update(table).where(*waits).values(state=DROPPED).returning(table.c.payload)
    payload: Mapping[str, Any] | None = connection.scalar(taken)
    return payload


def claim(connection: Connection, now: datetime, timeout: timedelta, quiet: timedelta) -> Effect | None:
    """Take the next row that is due, for `timeout`; None when nothing is. A row in front of it on the same target
    holds it back: see `HELD_BACK`."""
    row = connection.execute(NEXT, {"now": now, "quiet_since": now - quiet}).mappings().first()
    if row is None:
        return None
    sent_at = now if row["state"] == PENDING else row["sending_since"]  # a look-up sends nothing
    taken = {"state": SENDING, "attempt": row["attempt"] + 1, "sending_since": sent_at, "deadline": now + timeout}
    ours = _change(connection, row["id"], row["attempt"], row["state"], taken)
    return _effect(row, sent_at, now + timeout) if ours else None


def settle(
    connection: Connection, effect: Effect, state: str, *, result: Mapping[str, Any] | None = None, error: str = ""
) -> bool:
    """End a claimed row; False when another claim has overtaken this one, which then decides."""
    return _fenced(connection, effect, state=state, result=dict(result) if result else None, error=error)


def retry(connection: Connection, effect: Effect, not_before: datetime, error: str) -> bool:
    """Put a row that was certainly not sent back in line."""
    return _fenced(connection, effect, state=PENDING, not_before=not_before, error=error)


def resend(connection: Connection, effect: Effect, now: datetime, error: str) -> bool:
    """Put a row back in line although it may have arrived; it is marked as possibly double."""
    return _fenced(connection, effect, state=PENDING, not_before=now, resent=True, error=error)


def leave_doubtful(connection: Connection, effect: Effect, error: str) -> bool:
    """Note why the outcome is unknown; the row waits for its look-up."""
    return _fenced(connection, effect, error=error)


def _fenced(connection: Connection, effect: Effect, **values: Any) -> bool:
    return _change(connection, effect.id, effect.attempt, SENDING, values)


def _change(connection: Connection, id_: int, attempt: int, state: str, values: Mapping[str, Any]) -> bool:
    """Change a row that nobody has changed since it was seen so."""
    seen = {"of_row": id_, "of_attempt": attempt, "of_state": state}
    return connection.execute(CHANGE, {**seen, **values}).first() is not None


def remember_message(connection: Connection, name: str, channel: str, ts: str) -> None:
    """Where a message landed, so that it can be edited and answered in its thread."""
    connection.execute(message.delete().where(message.c.name == name))
    connection.execute(message.insert().values(name=name, channel=channel, ts=ts))


def find_message(connection: Connection, name: str) -> tuple[str, str] | None:
    """(channel, ts) of a message that was delivered."""
    row = connection.execute(select(message).where(message.c.name == name)).first()
    return (row.channel, row.ts) if row else None


def named_or_coming(connection: Connection, names: Collection[str]) -> set[str]:
    """Those names under which a message was delivered, or is on its way."""
    there = select(message.c.name).where(message.c.name.in_(names))
    coming = select(table.c.target).where(table.c.target.in_(names), table.c.state.in_(UNSETTLED))
    return set(connection.scalars(there.union(coming))) if names else set()


def result_before(connection: Connection, effect: Effect) -> Mapping[str, Any]:
    """What came of the attempt before it on the same target and of its kind; empty where that is not known."""
    earlier = (table.c.target == effect.target, table.c.kind == effect.kind, table.c.id < effect.id)
    query = select(table.c.state, table.c.result).where(*earlier, table.c.attempt > 0).order_by(table.c.id.desc())
    row = connection.execute(query.limit(1)).first()
    return (row.result or {}) if row and row.state == SENT else {}


def name_of_message(connection: Connection, channel: str, ts: str) -> str:
    """The name under which the message there was put; empty for one that is not ours."""
    return connection.scalar(select(message.c.name).where(message.c.channel == channel, message.c.ts == ts)) or ""


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many rows are in each state."""
    query = select(table.c.state, func.count()).group_by(table.c.state)
    return dict(connection.execute(query).all())


def load_stuck(connection: Connection, prefix: str) -> list[tuple[str, str, str]]:
    """(target, kind, error) of what needs a person among the targets that begin so, unless a later one of its kind
    has gone well."""
    later = table.alias()
    mended = exists().where(
        later.c.target == table.c.target, later.c.kind == table.c.kind, later.c.id > table.c.id, later.c.state == SENT
    )
    stuck = (table.c.target.startswith(prefix), table.c.state.in_((DEAD, UNKNOWN)), ~mended)
    query = select(table.c.target, table.c.kind, table.c.error).where(*stuck).order_by(table.c.id.desc())
    latest: dict[tuple[str, str], str] = {}
    for target, kind, error in connection.execute(query):
        latest.setdefault((target, kind), error)
    return [(target, kind, error) for (target, kind), error in latest.items()]


@dataclass(frozen=True, slots=True)
class Row:
    """One row as a person looks at it."""

    id: int
    target: str
    kind: str
    state: str
    attempt: int
    created_at: datetime
    error: str
    payload: Mapping[str, Any]


def load_rows(connection: Connection, states: Collection[str]) -> list[Row]:
    """The rows in those states, oldest first."""
    query = select(*(table.c[name] for name in Row.__slots__)).where(table.c.state.in_(states)).order_by(table.c.id)
    return [Row(**row) for row in connection.execute(query).mappings()]


def find_row(connection: Connection, id_: int) -> Row | None:
    """The row of that number."""
    row = connection.execute(select(*(table.c[name] for name in Row.__slots__)).where(table.c.id == id_)).mappings()
    found = row.first()
    return Row(**found) if found else None


def put_back(connection: Connection, id_: int, now: datetime) -> bool:
    """Put one row that waits for a person back in line, as if it had just been put."""
    return _judged(connection, id_, state=PENDING, not_before=now, created_at=now, error="")


def drop(connection: Connection, id_: int, why: str) -> bool:
    """End one row that waits for a person."""
    return _judged(connection, id_, state=DROPPED, error=why)


def overtaken_by(connection: Connection, row: Row) -> int | None:
    """The number of a later row of its kind for the same target, which says all that it said."""
    later = (table.c.target == row.target, table.c.kind == row.kind, table.c.id > row.id, table.c.state != DROPPED)
    return connection.scalar(select(table.c.id).where(*later).limit(1))


def _judged(connection: Connection, id_: int, **values: Any) -> bool:
    stuck = (table.c.id == id_, table.c.state.in_(STUCK))
    queue.wake(connection)
    return connection.execute(update(table).where(*stuck).values(**values).returning(table.c.id)).first() is not None


def count_waiting(connection: Connection, prefix: str) -> int:
    """How much has not been settled yet for targets that begin so."""
    waiting = (table.c.target.startswith(prefix), table.c.state.in_(UNSETTLED))
    return connection.scalar(select(func.count()).select_from(table).where(*waiting)) or 0


def revive(connection: Connection, target: str, now: datetime) -> int:
    """Put what was refused for good of a target and those below it back in line, and let what waits behind it begin
    anew; returns how many rows. What may have arrived stays as it is."""
    below = or_(table.c.target == target, table.c.target.startswith(f"{target}:"))
    behind = and_(table.c.state == PENDING, table.c.attempt == 0)
    queue.wake(connection)
    revived = update(table).where(below, or_(table.c.state == DEAD, behind))
    revived = revived.values(state=PENDING, not_before=now, created_at=now, error="")
    return len(connection.execute(revived.returning(table.c.id)).all())


def failing_since(connection: Connection, target: str) -> datetime | None:
    """Since when the oldest effect of a target and those below it was tried without success; None where none was."""
    below = or_(table.c.target == target, table.c.target.startswith(f"{target}:"))
    tried = (below, table.c.state.in_((*UNSETTLED, DEAD)), table.c.attempt > 0, table.c.error != "")
    since: datetime | None = connection.scalar(select(func.min(table.c.created_at)).where(*tried))
    return since


def create_target(key: str) -> str:
    """Where the making of an experiment's issue stands in line."""
    return f"jira:create:{key}"


def is_waiting(connection: Connection, target: str) -> bool:
    """Whether something for that target has not been settled yet."""
    return connection.scalar(WAITING, {"target": target}) is not None


def next_due(connection: Connection, quiet: timedelta) -> datetime | None:
    """When the earliest unsettled row may be claimed; None when all is settled, or waits behind what is not."""
    pending, sending = connection.scalar(EARLIEST), connection.scalar(EARLIEST_END)
    times = [time for time in (pending, sending + quiet if sending else None) if time]
    return min(times, default=None)


def _effect(row: RowMapping, sent_at: datetime, deadline: datetime) -> Effect:
    return Effect(
        id=row["id"],
        key=row["key"],
        target=row["target"],
        kind=row["kind"],
        payload=row["payload"],
        attempt=row["attempt"] + 1,
        created_at=row["created_at"],
        deadline=deadline,
        doubtful=row["state"] == SENDING,
        resent=row["resent"],
        sent_at=sent_at,
        error=row["error"],
    )
