"""What each series is worth, from its readings and from what is left of older ones.

Best, last and mean are aggregated by the database, over both; a quantile needs every reading, and its metric's readings
are never rolled up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    literal_column,
    select,
    true,
    type_coerce,
)

from backlog.cadence import read_span
from backlog.metric import Aggregation, Better, Metric
from store.tables import Instant, reading, rollup, series

SLICE = 1_000  # series a statement


class Worth(NamedTuple):
    """What a series is worth: the time and step of its last reading, the sum and count of its finite ones, and the
    value; None where none was finite."""

    last_at: datetime
    last_step: int
    total: float
    finite: int
    value: float | None


@dataclass(frozen=True, slots=True)
class _Span:
    """What is known of a stretch of one series."""

    last_at: datetime
    last_step: int
    last: float | None
    low: float | None
    high: float | None
    total: float
    finite: int

    def joined(self, other: "_Span") -> "_Span":
        later = max(self, other, key=lambda span: (span.last_at, span.last_step))
        return _Span(
            *(later.last_at, later.last_step, later.last),
            min((low for low in (self.low, other.low) if low is not None), default=None),
            max((high for high in (self.high, other.high) if high is not None), default=None),
            self.total + other.total,
            self.finite + other.finite,
        )


class Way(NamedTuple):
    """How readings become a worth: all that counts of a metric here, so that series of many metrics go together."""

    aggregation: Aggregation
    better: Better
    quantile: float | None
    window: str


def way_of(metric: Metric) -> Way:
    """The metric's way."""
    return Way(metric.aggregation, metric.better, metric.quantile, metric.window)


def worth_of_series(connection: Connection, way: Way, ids: Sequence[int]) -> dict[int, Worth]:
    """By series id; series without readings are left out."""
    found: dict[int, Worth] = {}
    for start in range(0, len(ids), SLICE):
        found |= _worths(connection, way, series.c.id.in_(ids[start : start + SLICE]))
    return found


def _worths(connection: Connection, way: Way, own: ColumnElement[bool]) -> dict[int, Worth]:
    if way.aggregation is Aggregation.QUANTILE:
        return _quantiles(connection, way, own)
    spans: dict[int, _Span] = {}
    queries = (_raw(way, own), _rolled(way, own))
    for series_id, *values in (row for query in queries for row in connection.execute(query)):
        span = _Span(*values)
        spans[series_id] = spans[series_id].joined(span) if series_id in spans else span
    return {
        series_id: Worth(span.last_at, span.last_step, span.total, span.finite, _value(way, span))
        for series_id, span in spans.items()
    }


def _value(way: Way, span: _Span) -> float | None:
    if way.aggregation is Aggregation.LAST:
        return span.last
    if way.aggregation is Aggregation.MEAN:
        return span.total / span.finite if span.finite else None
    return span.high if way.better is Better.UP else span.low


def _raw(way: Way, own: ColumnElement[bool]) -> Select[Any]:
    value = reading.c.value
    joined = series.join(reading, reading.c.series_id == series.c.id)
    # Bounds are those of the primary key: the last row of each series is found without reading the others.
    last = select(reading.c.step, reading.c.value).where(reading.c.series_id == series.c.id)
    last = last.order_by(reading.c.at.desc(), reading.c.step.desc()).limit(1).correlate(series)
    step, newest = last.with_only_columns(reading.c.step), last.with_only_columns(reading.c.value)
    if way.aggregation is Aggregation.LAST:
        at = last.with_only_columns(reading.c.at).scalar_subquery()
        nothing: tuple[Any, ...] = tuple(literal_column(value) for value in ("NULL", "NULL", "0", "0"))
        query = select(series.c.id, at, step.scalar_subquery(), newest.scalar_subquery(), *nothing)
        return query.where(own, at.is_not(None))
    sums = func.min(value), func.max(value), func.coalesce(func.sum(value), 0.0), func.count(value)
    query = select(series.c.id, func.max(reading.c.at), literal_column("0"), literal_column("NULL"), *sums)
    return query.select_from(joined).where(own, _within(way, reading.c.at)).group_by(series.c.id)


def _rolled(way: Way, own: ColumnElement[bool]) -> Select[Any]:
    joined = series.join(rollup, rollup.c.series_id == series.c.id)
    order = (rollup.c.last_at.desc(), rollup.c.last_step.desc())
    rank = func.row_number().over(partition_by=rollup.c.series_id, order_by=order).label("rank")
    columns = [
        rollup.c[name] for name in ("series_id", "last_at", "last_step", "last", "low", "high", "total", "finite")
    ]
    where = (own, series.c.hours_until.is_not(None), _within(way, rollup.c.last_at))
    spans = select(*columns, rank).select_from(joined).where(*where).subquery()
    newest = func.max(case((spans.c.rank == 1, spans.c.last)))
    steps = func.max(case((spans.c.rank == 1, spans.c.last_step)))
    sums = (func.min(spans.c.low), func.max(spans.c.high), func.sum(spans.c.total), func.sum(spans.c.finite))
    return select(spans.c.series_id, func.max(spans.c.last_at), steps, newest, *sums).group_by(spans.c.series_id)


def _within(way: Way, at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether a time lies in the metric's window before the series' last reading."""
    if not way.window:
        return true()
    span = read_span(way.window).total_seconds() * 1_000_000
    newest = select(func.max(reading.c.at)).where(reading.c.series_id == series.c.id).correlate(series)
    rolled = select(func.max(rollup.c.last_at)).where(rollup.c.series_id == series.c.id).correlate(series)
    end = func.coalesce(newest.scalar_subquery(), rolled.scalar_subquery())
    return type_coerce(at, BigInteger) > type_coerce(end, BigInteger) - int(span)


def _quantiles(connection: Connection, way: Way, own: ColumnElement[bool]) -> dict[int, Worth]:
    joined = series.join(reading, reading.c.series_id == series.c.id)
    columns = (series.c.id, type_coerce(reading.c.at, Instant), reading.c.value)
    query = select(*columns).select_from(joined).where(own, _within(way, reading.c.at))
    rows = connection.execute(query.order_by(series.c.id, reading.c.at).execution_options(yield_per=10_000))
    return {series_id: _quantile(way, group) for series_id, group in groupby(rows, key=lambda row: row[0])}


def _quantile(way: Way, rows: Iterable[Any]) -> Worth:
    last, values = None, []
    for _, at, value in rows:
        last = at
        if value is not None:
            values.append(value)
    assert last is not None  # a group has a row
    value = float(np.quantile(values, way.quantile or 0.5)) if values else None
    return Worth(last, 0, 0.0, len(values), value)
