"""Readings grow old: by the reading, then by the hour, then by the day, for ever.

What is left of a span holds its extremes, its last value, its sum and its counts, so that best, last and mean are what
they were; readings of a metric whose aggregation is a quantile stay as they are, for no span can give one back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, select, update

from backlog.metric import Aggregation
from store.dialect import insert
from store.tables import EPOCH, metric, reading, rollup, series

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROWS = 10_000  # that one transaction takes together, so that people's commands need not wait for its end


@dataclass(frozen=True, slots=True)
class LateReading:
    """One from a time that is not kept by the reading any more."""

    series_id: int
    at: datetime
    step: int
    value: float | None
    days_until: datetime | None

    @property
    def span(self) -> timedelta:
        return DAY if self.days_until is not None and self.at < self.days_until else HOUR


def save_late(connection: Connection, readings: Sequence[LateReading]) -> None:
    """Let late readings count for the extremes of their span; where none is kept of that time, they make one."""
    for span in (HOUR, DAY):
        own = [r for r in readings if r.span == span]
        values = [_of_reading(r.series_id, r.at, r.step, r.value) for r in sorted(own, key=lambda r: (r.at, r.step))]
        _save(connection, _merged(values, span), counts=False)


def thin_readings(connection: Connection, before: datetime) -> int:
    """Bring one slice of the readings before that hour into hours; returns how many readings were taken together, 0
    when nothing is left to do."""
    old = (reading.c.series_id == series.c.id, reading.c.at < before)
    kept = metric.c.aggregation == Aggregation.QUANTILE.value
    series_id = connection.scalar(
        select(series.c.id)
        .join(metric, metric.c.id == series.c.metric_id)
        .where(~kept, select(reading.c.at).where(*old).correlate(series).exists())
        .limit(1)
    )
    if series_id is None:
        return 0
    own = (reading.c.series_id == series_id, reading.c.at < before)
    query = select(reading).where(*own).order_by(reading.c.at, reading.c.step)
    rows = connection.execute(query.limit(ROWS)).all()
    until = _whole(rows[-1].at, HOUR) if len(rows) == ROWS else before
    if until <= rows[0].at:  # more readings in one hour than a slice holds
        until = _whole(rows[0].at, HOUR) + HOUR
        rows = connection.execute(query.where(reading.c.at < until)).all()
    taken = [_of_reading(row.series_id, row.at, row.step, row.value) for row in rows if row.at < until]
    _save(connection, _merged(taken, HOUR), counts=True)
    connection.execute(delete(reading).where(reading.c.series_id == series_id, reading.c.at < until))
    _advance(connection, series_id, series.c.hours_until, until)
    return len(taken)


def thin_hours(connection: Connection, before: datetime) -> int:
    """Bring one series' hours before that day into days; returns how many hours there were, 0 when nothing is left."""
    old = (rollup.c.span == _seconds(HOUR), rollup.c.at < before)
    series_id = connection.scalar(select(rollup.c.series_id).where(*old).limit(1))
    if series_id is None:
        return 0
    own = (rollup.c.series_id == series_id, *old)
    hours = [dict(row) for row in connection.execute(select(rollup).where(*own).order_by(rollup.c.at)).mappings()]
    _save(connection, _merged(hours, DAY), counts=True)
    connection.execute(delete(rollup).where(*own))
    _advance(connection, series_id, series.c.days_until, before)
    return len(hours)


def _whole(at: datetime, span: timedelta) -> datetime:
    return at - (at - EPOCH) % span


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())


def _of_reading(series_id: int, at: datetime, step: int, value: float | None) -> dict[str, Any]:
    """A span of one reading."""
    known = {"last": value, "low": value, "high": value, "total": value or 0.0}
    counts = {"finite": int(value is not None), "failed": int(value is None)}
    return {"series_id": series_id, "at": at, "last_at": at, "last_step": step, **known, **counts}


def _merged(spans: Iterable[dict[str, Any]], span: timedelta) -> list[dict[str, Any]]:
    """Spans in the order of time, taken together into longer ones."""
    merged: dict[tuple[int, datetime], dict[str, Any]] = {}
    for one in spans:
        at = _whole(one["at"], span)
        known = merged.get((one["series_id"], at))
        whole = {**one, "at": at, "span": _seconds(span)}
        merged[one["series_id"], at] = _joined(known, whole) if known else whole
    return list(merged.values())


def _joined(known: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    lows, highs = ([v for v in (known[name], later[name]) if v is not None] for name in ("low", "high"))
    sums = {name: known[name] + later[name] for name in ("total", "finite", "failed")}
    return {**later, **sums, "low": min(lows, default=None), "high": max(highs, default=None)}


def _save(connection: Connection, rows: Sequence[dict[str, Any]], *, counts: bool) -> None:
    """Add to what is kept of those spans. Without `counts` only the extremes: the rest is in there already."""
    if not rows:
        return
    statement = insert(connection, rollup)
    given = statement.excluded
    changes: dict[str, ColumnElement[Any]] = {
        "low": case((rollup.c.low <= given.low, rollup.c.low), else_=func.coalesce(given.low, rollup.c.low)),
        "high": case((rollup.c.high >= given.high, rollup.c.high), else_=func.coalesce(given.high, rollup.c.high)),
    }
    if counts:
        later = given.last_at >= rollup.c.last_at
        changes |= {name: rollup.c[name] + given[name] for name in ("total", "finite", "failed")}
        changes |= {name: case((later, given[name]), else_=rollup.c[name]) for name in ("last_at", "last_step", "last")}
    keys = ["series_id", "span", "at"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), list(rows))


def _advance(connection: Connection, series_id: int, column: ColumnElement[Any], until: datetime) -> None:
    known = (column.is_(None)) | (column < until)
    connection.execute(update(series).where(series.c.id == series_id, known).values({column: until}))
