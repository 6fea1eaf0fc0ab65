"""Readings grow old: by the reading, then by the hour, then by the day, for ever.

What is left of a span holds its extremes, its last value, its sum and its counts, so that best, last and mean are what
they were; readings of a metric whose aggregation is a quantile stay as they are, for no span can give one back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, case, delete, func, select, update

from backlog.metric import Aggregation
from store.dialect import insert
from store.tables import EPOCH, metric, reading, rollup, series

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROWS = 10_000  # that one transaction takes together, so that people's commands need not wait for its end
SERIES = 500  # of how many series at most


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


@dataclass(frozen=True, slots=True)
class Slice:
    """What one transaction took together: how many rows, and the series to go on with, None at the end."""

    rows: int
    rest: int | None


@dataclass(frozen=True, slots=True)
class _Level:
    """What grows old, into spans how long, and the series' column that says up to where it has."""

    table: Table
    own: tuple[ColumnElement[bool], ...]
    span: timedelta
    until: Column[Any]


_READINGS = _Level(reading, (), HOUR, series.c.hours_until)
_HOURS = _Level(rollup, (rollup.c.span == int(HOUR.total_seconds()),), DAY, series.c.days_until)


def thin_readings(connection: Connection, before: datetime, start: int = 0) -> Slice:
    """Bring readings before that hour into hours, as many as one transaction should, from the series `start` on."""
    return _thin(connection, _READINGS, before, start)


def thin_hours(connection: Connection, before: datetime, start: int = 0) -> Slice:
    """Bring hours before that day into days, in the same way."""
    return _thin(connection, _HOURS, before, start)


def _thin(connection: Connection, level: _Level, before: datetime, start: int) -> Slice:
    waiting = _waiting(connection, level, before, start)
    if not waiting:
        return Slice(0, None)
    rows = _old(connection, level, waiting, before, ROWS)
    until, rest = dict.fromkeys(waiting, before), waiting[-1] + 1
    if len(rows) == ROWS:  # what is left of its last series is for the next transaction
        rest = rows[-1]["series_id"]
        end = _whole(rows[-1]["at"], level.span)
        if rest == rows[0]["series_id"] and end <= rows[0]["at"]:  # more in one span than a transaction should take
            end = _whole(rows[0]["at"], level.span) + level.span
            rows = _old(connection, level, [rest], end, None)
        until = {one: before for one in waiting if one < rest} | {rest: end}
    taken = [row for row in rows if row["series_id"] in until and row["at"] < until[row["series_id"]]]
    _save(connection, _merged(taken, level.span), counts=True)
    for end in set(until.values()):
        done = [one for one, its_end in until.items() if its_end == end]
        table = level.table
        connection.execute(delete(table).where(table.c.series_id.in_(done), table.c.at < end, *level.own))
        known = level.until.is_(None) | (level.until < end)
        connection.execute(update(series).where(series.c.id.in_(done), known).values({level.until: end}))
    return Slice(len(taken), rest)


def _waiting(connection: Connection, level: _Level, before: datetime, start: int) -> list[int]:
    """The next series that have something old; those under a quantile never have."""
    kept = metric.c.aggregation == Aggregation.QUANTILE.value
    old = select(level.table.c.at).where(level.table.c.series_id == series.c.id, level.table.c.at < before, *level.own)
    query = select(series.c.id).join(metric, metric.c.id == series.c.metric_id)
    query = query.where(~kept, series.c.id >= start, old.correlate(series).exists())
    return list(connection.scalars(query.order_by(series.c.id).limit(SERIES)))


def _old(
    connection: Connection, level: _Level, ids: Sequence[int], before: datetime, most: int | None
) -> list[dict[str, Any]]:
    """What is old of those series as spans, in the order of time within each."""
    at, step = level.table.c.at, level.table.c["step" if level.table is reading else "last_step"]
    query = select(level.table).where(level.table.c.series_id.in_(ids), at < before, *level.own)
    rows = connection.execute(query.order_by(level.table.c.series_id, at, step).limit(most))
    if level.table is reading:
        return [_of_reading(row.series_id, row.at, row.step, row.value) for row in rows]
    return [dict(row) for row in rows.mappings()]


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
