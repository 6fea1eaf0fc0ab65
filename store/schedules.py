"""Reports that people scheduled in the chat, and what is paused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from store.dialect import insert
from store.tables import pause, report_schedule

ALL_REPORTS, ALL_POSTS = "reports", "posts"


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """One report for one audience at a cadence to one place; `channel` is a name, an id or a person's id, empty where
    only the addresses get it."""

    number: int
    report: str
    audience: str
    cadence: str
    channel: str
    emails: tuple[str, ...]
    reviewer: str
    preview_hours: int


def save_schedule(connection: Connection, schedule: StoredSchedule, who: str, now: datetime) -> int:
    """Add a schedule, or change the one of that report, audience and channel; returns its number."""
    columns = ("report", "audience", "cadence", "channel", "emails", "reviewer", "preview_hours")
    values: dict[str, Any] = {name: getattr(schedule, name) for name in columns} | {"made_by": who, "made_at": now}
    changed = {name: values[name] for name in ("cadence", "emails", "reviewer", "preview_hours", "made_by", "made_at")}
    statement = insert(connection, report_schedule).values(**values)
    saved = statement.on_conflict_do_update(index_elements=["report", "audience", "channel"], set_=changed)
    return int(connection.execute(saved.returning(report_schedule.c.number)).scalar_one())


def load_schedules(connection: Connection) -> list[StoredSchedule]:
    """All of them, oldest first."""
    columns = [report_schedule.c[name] for name in StoredSchedule.__slots__]
    rows = connection.execute(select(*columns).order_by(report_schedule.c.number)).mappings()
    return [StoredSchedule(**{**row, "emails": tuple(row["emails"])}) for row in rows]


def load_version(connection: Connection) -> tuple[Any, ...]:
    """Something that differs after one was added, changed or removed."""
    parts = (func.count(), func.max(report_schedule.c.number), func.max(report_schedule.c.made_at))
    return tuple(connection.execute(select(*parts).select_from(report_schedule)).one())


def remove_schedule(connection: Connection, number: int) -> bool:
    """Forget a schedule; False where there is none of that number."""
    statement = report_schedule.delete().where(report_schedule.c.number == number)
    return connection.execute(statement.returning(report_schedule.c.number)).first() is not None


def save_pause(connection: Connection, what: str, until: str, who: str, now: datetime) -> None:
    """Pause until a local day (`2026-12-28`), or until it is resumed where the day is empty."""
    values = {"until": until, "who": who, "at": now}
    statement = insert(connection, pause).values(what=what, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["what"], set_=values))


def drop_pauses(connection: Connection, names: Sequence[str]) -> list[str]:
    """End those pauses; returns which of them there were."""
    statement = pause.delete().where(pause.c.what.in_(names)).returning(pause.c.what)
    return list(connection.scalars(statement))


def load_pauses(connection: Connection) -> dict[str, str]:
    """The day each paused thing goes on, empty for none."""
    return dict(connection.execute(select(pause.c.what, pause.c.until)).all())
