"""What each series is worth, kept up to date with what is new: looking at all runs costs by the runs, never by their
readings.

A row is missing where nothing can be added to what is known: of a new series, after a correction, under a window or a
quantile. It is then computed from what is stored, by whoever reads it, and kept by `compute_worths`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy import update as update_of
from sqlalchemy.types import TypeEngine

from backlog.metric import Aggregation, Better, Metric
from store.aggregates import Way, worth_of_series
from store.dialect import insert
from store.reading_rows import Row
from store.tables import metric, series, worth

NEW: dict[str, TypeEngine[Any]] = {
    "at": BigInteger(), "step": BigInteger(), "last": Float(), "best": Float(), "total": Float(), "finite": Integer(),
}  # fmt: skip


def add_to_worths(connection: Connection, metrics: Mapping[int, Metric], fresh: Iterable[Row]) -> None:
    """Let new readings count; `metrics` is by series id."""
    own: dict[int, list[Row]] = defaultdict(list)
    for one in fresh:
        own[one.series_id].append(one)
    grown: dict[tuple[Aggregation, Better], list[dict[str, Any]]] = defaultdict(list)
    for series_id, readings in own.items():
        of = metrics[series_id]
        if _adds_up(of):
            grown[of.aggregation, of.better].append(_sum_of(series_id, readings, of.better))
    for (aggregation, better), sums in grown.items():
        connection.execute(_growing(aggregation, better), sums)
    forget_worths(connection, [series_id for series_id in own if not _adds_up(metrics[series_id])])


def _adds_up(of: Metric) -> bool:
    """Whether a run's worth follows from what it was worth and the new readings alone."""
    return not of.window and of.aggregation is not Aggregation.QUANTILE


def _sum_of(series_id: int, readings: Sequence[Row], better: Better) -> dict[str, Any]:
    last = max(readings, key=lambda r: (r.at, r.step))
    values = [r.value for r in readings if r.value is not None]
    known = {"new_at": last.at, "new_step": last.step, "new_last": last.value, "new_best": better.best(values)}
    return {"of_series": series_id, "new_total": sum(values), "new_finite": len(values), **known}


def _growing(aggregation: Aggregation, better: Better) -> Update:
    new = {name: bindparam(f"new_{name}", type_=kind) for name, kind in NEW.items()}
    known = worth.c
    later = or_(known.last_at < new["at"], and_(known.last_at == new["at"], known.last_step <= new["step"]))
    total, finite = known.total + new["total"], known.finite + new["finite"]
    value: ColumnElement[Any]
    if aggregation is Aggregation.LAST:
        value = case((later, new["last"]), else_=known.value)
    elif aggregation is Aggregation.MEAN:
        value = total / func.nullif(finite, 0)
    else:
        beaten = new["best"] > known.value if better is Better.UP else new["best"] < known.value
        value = case((beaten, new["best"]), else_=func.coalesce(known.value, new["best"]))
    last = {"last_at": case((later, new["at"]), else_=known.last_at)}
    last["last_step"] = case((later, new["step"]), else_=known.last_step)
    own = worth.c.series_id == bindparam("of_series", type_=Integer())
    return update_of(worth).where(own).values(**last, total=total, finite=finite, value=value)


def known_worths(connection: Connection, ids: Collection[int]) -> dict[int, float | None]:
    """What those series are worth, by series id; what must be computed anew is left out."""
    found: dict[int, float | None] = {}
    for chunk in _slices(sorted(ids)):
        found |= connection.execute(select(worth.c.series_id, worth.c.value).where(worth.c.series_id.in_(chunk))).all()
    return found


def forget_worths(connection: Connection, ids: Collection[int]) -> None:
    """Let those be computed anew."""
    for chunk in _slices(sorted(ids)):
        connection.execute(delete(worth).where(worth.c.series_id.in_(chunk)))


def missing_worths(connection: Connection, source: str = "") -> list[list[int]]:
    """The series whose worth must be computed, of one source or of all, as many together as one transaction should
    take."""
    known = select(worth.c.series_id).where(worth.c.series_id == series.c.id).correlate(series)
    query = select(series.c.id).where(~known.exists()).order_by(series.c.id)
    if source:
        query = query.where(series.c.metric_id.in_(select(metric.c.id).where(metric.c.source == source)))
    return list(_slices(list(connection.scalars(query))))


def compute_worths(connection: Connection, ids: Sequence[int]) -> None:
    """Compute from all that is stored, and keep, what those series are worth."""
    columns = (series.c.id, metric.c.aggregation, metric.c.better, metric.c.quantile, metric.c.window)
    query = select(*columns).join(metric, metric.c.id == series.c.metric_id).where(series.c.id.in_(ids))
    own: dict[Way, list[int]] = defaultdict(list)
    # Locked, so that no reading comes to them meanwhile: it would count for a row that is not there yet.
    for series_id, aggregation, better, quantile, window in connection.execute(query.with_for_update(of=series)):
        own[Way(Aggregation(aggregation), Better(better), quantile, window)].append(series_id)
    rows = [
        {"series_id": series_id, **known._asdict()}
        for way, waiting in own.items()
        for series_id, known in worth_of_series(connection, way, waiting).items()
    ]
    if rows:
        connection.execute(insert(connection, worth).on_conflict_do_nothing(), rows)


def _slices(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + 1_000] for start in range(0, len(ids), 1_000))
