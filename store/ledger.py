"""Which occurrence of which schedule happened: whoever inserts the row owns the tick."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from store.dialect import insert
from store.tables import occurrence, schedule

ROWS = 1_000  # of one statement
Occurrence = tuple[str, str]  # schedule and period


def load_checked(connection: Connection, names: Collection[str]) -> dict[str, datetime]:
    """Up to when the occurrences of each schedule are accounted for; one that was never seen is left out."""
    rows = connection.execute(select(schedule.c.name, schedule.c.checked_until).where(schedule.c.name.in_(names)))
    return dict(rows.all())


def hold_checked(connection: Connection, names: Collection[str], now: datetime) -> dict[str, datetime]:
    """The same of all of them, held against others until the transaction ends. A schedule seen for the first time
    begins now, so that a new report never posts the weeks before it existed."""
    held = _held(connection, names)
    new = [{"name": name, "checked_until": now} for name in sorted(set(names) - set(held))]
    if new:
        connection.execute(insert(connection, schedule).on_conflict_do_nothing(), new)
        held = _held(connection, names)
    return held


def _held(connection: Connection, names: Collection[str]) -> dict[str, datetime]:
    query = select(schedule.c.name, schedule.c.checked_until).where(schedule.c.name.in_(names))
    # In one order, so that no two replicas wait for each other.
    return dict(connection.execute(query.order_by(schedule.c.name).with_for_update()).all())


def advance(connection: Connection, names: Collection[str], until: datetime) -> None:
    """Account for all occurrences up to that time."""
    connection.execute(schedule.update().where(schedule.c.name.in_(names)).values(checked_until=until))


def claim_occurrences(
    connection: Connection, occurrences: Mapping[Occurrence, datetime], now: datetime
) -> list[Occurrence]:
    """Those of them that this call owns, by when they were due: nobody had written them down before."""
    owned: list[Occurrence] = []
    given = [
        {"schedule": name, "period": period, "due_at": due_at, "made_at": now}
        for (name, period), due_at in sorted(occurrences.items())
    ]
    for start in range(0, len(given), ROWS):
        statement = insert(connection, occurrence).values(given[start : start + ROWS]).on_conflict_do_nothing()
        # RETURNING and not a count: psycopg counts -1 here.
        owned += connection.execute(statement.returning(occurrence.c.schedule, occurrence.c.period)).all()
    return owned


def claim_occurrence(connection: Connection, name: str, period: str, due_at: datetime, now: datetime) -> bool:
    """Whether this call is the one that owns the occurrence."""
    return bool(claim_occurrences(connection, {(name, period): due_at}, now))


def has_occurred(connection: Connection, name: str, period: str) -> bool:
    """Whether somebody owns the occurrence already."""
    own = (occurrence.c.schedule == name, occurrence.c.period == period)
    return connection.scalar(select(occurrence.c.period).where(*own)) is not None
