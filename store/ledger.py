"""Which occurrence of which schedule happened: whoever inserts the row owns the tick."""

from datetime import datetime

from sqlalchemy import Connection, select

from store.dialect import insert
from store.tables import occurrence, schedule


def checked_until(connection: Connection, name: str, now: datetime) -> datetime:
    """Up to when a schedule's occurrences are accounted for; a schedule seen for the first time begins now, so a
    new report never posts the weeks before it existed."""
    first = insert(connection, schedule).values(name=name, checked_until=now).on_conflict_do_nothing()
    connection.execute(first)
    return find_checked_until(connection, name) or now


def find_checked_until(connection: Connection, name: str) -> datetime | None:
    """The same without remembering: None for a schedule that was never seen."""
    return connection.scalar(select(schedule.c.checked_until).where(schedule.c.name == name))


def advance(connection: Connection, name: str, until: datetime) -> None:
    """Account for all occurrences up to that time."""
    connection.execute(schedule.update().where(schedule.c.name == name).values(checked_until=until))


def claim_occurrence(connection: Connection, name: str, period: str, due_at: datetime, now: datetime) -> bool:
    """Whether this call is the one that owns the occurrence."""
    statement = insert(connection, occurrence).values(schedule=name, period=period, due_at=due_at, made_at=now)
    owned = statement.on_conflict_do_nothing().returning(occurrence.c.period)
    return connection.execute(owned).first() is not None


def has_occurred(connection: Connection, name: str, period: str) -> bool:
    """Whether somebody owns the occurrence already."""
    own = (occurrence.c.schedule == name, occurrence.c.period == period)
    return connection.scalar(select(occurrence.c.period).where(*own)) is not None
