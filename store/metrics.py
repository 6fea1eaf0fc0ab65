"""Metrics, their series (one per run) and readings.

Readings are kept once per (run, time, step) however often they are read; what a run is worth is aggregated by the
database, so reports cost by runs, not by readings.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, RowMapping, Select, bindparam, case, func, literal, select, true, update
from sqlalchemy.exc import IntegrityError

from backlog.errors import BacklogError, NotFound
from backlog.evaluation import comparable_runs
from backlog.metric import Aggregation, Better, Metric, Reading, RunValue
from store.aggregates import way_of, worth_of_series
from store.dialect import insert
from store.reading_rows import Row, add_readings, correct_readings
from store.retention import DAY, HOUR, LateReading, save_late
from store.run_links import linked_runs
from store.tables import Instant, reading, rollup, run_link, series, source_state, to_micros, worth
from store.tables import metric as table
from store.worths import add_to_worths, forget_worths, known_worths

SLICE = 1_000  # rows per statement, below SQLite's limit on bound values
TOGETHER = 500  # series at most whose latest points one statement reads
LATEST = datetime.max.replace(tzinfo=UTC)  # stands for a series whose last reading is not known yet

T = TypeVar("T")
Level = Callable[[Sequence[int], datetime | None, int], Select[Any]]  # those series' latest points, of one level


class RunNews(NamedTuple):
    """A metric, and the number of an experiment of which a run is new there, or worth something else now."""

    goal: str
    metric: str
    experiment: int


class Saved(NamedTuple):
    """How many readings were new or changed, how many came too late to be kept one by one, and what that
    means for runs of experiments."""

    new: int
    late: int
    news: frozenset[RunNews] = frozenset()


class _Series(NamedTuple):
    """A run's series, the number of its experiment or 0, and up to when its readings are kept by the hour and by the
    day."""

    id: int
    experiment: int
    hours_until: datetime | None
    days_until: datetime | None


def add_metric(connection: Connection, metric: Metric) -> Metric:
    """Store a new metric; returns it with its id. Raises BacklogError where the goal has it there already."""
    values = {name: getattr(metric, name) for name in _FIELDS if name != "id"}
    try:
        with connection.begin_nested():
            key = connection.execute(table.insert().values(**values)).inserted_primary_key
    except IntegrityError as error:
        raise BacklogError(
            f'Goal "{metric.goal}" already has "{metric.name}" in {metric.environment}.',
            f"/exp goal show {metric.goal}",
        ) from error
    return load_metric(connection, key[0] if key else 0)


_FIELDS = (
    "id", "goal", "name", "environment", "source", "key", "better", "aggregation", "unit", "eval_set", "tolerance",
    "scope", "every", "quantile", "window",
)  # fmt: skip


def load_metric(connection: Connection, metric_id: int) -> Metric:
    """The metric of that id. Raises NotFound."""
    row = connection.execute(select(table).where(table.c.id == metric_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no metric {metric_id}.", "/exp goal show GOAL")
    return _metric(row)


def load_metrics(connection: Connection, *, goal: str = "", source: str = "", name: str = "") -> list[Metric]:
    """Metrics in the order they were added; the filters combine, an empty one is none."""
    asked = {column: value for column, value in (("goal", goal), ("source", source), ("name", name)) if value}
    return [_metric(row) for row in connection.execute(_metrics_by(frozenset(asked)), asked).mappings()]


@cache
def _metrics_by(columns: frozenset[str]) -> Select[Any]:
    return select(table).where(*(table.c[column] == bindparam(column) for column in columns)).order_by(table.c.id)


def poll_starts(connection: Connection, source: str) -> dict[int, datetime]:
    """From when the next poll must read, by metric id; metrics that were never read are left out."""
    known = select(table.c.id, table.c.polled_since).where(table.c.source == source, table.c.polled_since.is_not(None))
    return dict(connection.execute(known).all())


def read_times(connection: Connection) -> dict[int, datetime]:
    """When each metric was last read without error, by metric id."""
    query = select(table.c.id, table.c.read_at).where(table.c.read_at.is_not(None))
    return dict(connection.execute(query).all())


def save_readings(
    connection: Connection, metric: Metric, readings: Sequence[Reading], experiments: Mapping[str, int]
) -> int:
    """Store readings of one metric; returns how many were new or changed: see `save_found`."""
    return save_found(connection, [(metric, readings)], experiments).new


def save_found(
    connection: Connection, found: Sequence[tuple[Metric, Sequence[Reading]]], experiments: Mapping[str, int]
) -> Saved:
    """Store readings.

    `experiments` maps tags to experiment numbers. A reading known already is overwritten by the same value. One from a
    time that is kept by the hour or day only counts for the extremes there: it may be in them already.
    """
    known = _series(connection, found, experiments)
    rows: dict[tuple[int, int, int], Row] = {}
    late: list[LateReading] = []
    for metric, readings in found:
        for r in readings:
            own = known[metric.id, r.run]
            value = float(r.value) if math.isfinite(r.value) else None
            if own.hours_until is not None and r.at < own.hours_until:
                late.append(LateReading(own.id, r.at, r.step, value, own.days_until))
            else:
                key = own.id, to_micros(r.at), r.step
                rows[key] = Row(value, *key)
    owned = {own.id: own.experiment for own in known.values() if own.experiment}
    before = known_worths(connection, owned)
    save_late(connection, late)
    fresh = add_readings(connection, list(rows.values()))
    corrected = correct_readings(connection, list(set(rows.values()).difference(fresh)))
    metrics = {metric.id: metric for metric, _ in found}
    measured = {own.id: metrics[metric_id] for (metric_id, _), own in known.items()}
    add_to_worths(connection, measured, fresh)
    anew = {r.series_id for r in late} | {row.series_id for row in corrected}
    forget_worths(connection, anew)
    touched = owned.keys() & (anew | {row.series_id for row in fresh})
    same = {series_id for series_id, _ in before.items() & known_worths(connection, owned).items()}
    news = {RunNews(measured[one].goal, measured[one].name, owned[one]) for one in touched - same}
    return Saved(len(fresh) + len(corrected), len(late), frozenset(news))


def mark_polled(connection: Connection, metrics: Sequence[Metric], read_at: datetime, since: datetime) -> None:
    """Remember that all readings of those metrics are stored; the next poll begins at `since`, or later where our
    clock went back."""
    later = case((table.c.polled_since > since, table.c.polled_since), else_=literal(since, Instant))
    for chunk in _slices(metrics):
        polled = update(table).where(table.c.id.in_([metric.id for metric in chunk]))
        connection.execute(polled.values(read_at=read_at, polled_since=later))


def _series(
    connection: Connection, found: Sequence[tuple[Metric, Sequence[Reading]]], experiments: Mapping[str, int]
) -> dict[tuple[int, str], _Series]:
    """The series of each run, by its metric's id and its name, made where there is none."""
    last = {(metric.id, r.run): (metric.source, r) for metric, readings in found for r in readings}
    by_hand = linked_runs(connection, {metric.source for metric, _ in found})
    rows = [
        {
            "metric_id": metric_id,
            "run": run,
            "tag": r.experiment[:80].upper(),
            "experiment": by_hand.get((source, run), experiments.get(r.experiment, 0)),
            "eval_set": r.eval_set[:120],
        }
        for (metric_id, run), (source, r) in last.items()
    ]
    known: dict[tuple[int, str], _Series] = {}
    for chunk in _slices(rows):
        statement = insert(connection, series)
        told = {name: statement.excluded[name] for name in ("tag", "experiment", "eval_set")}
        statement = statement.on_conflict_do_update(index_elements=["metric_id", "run"], set_=told)
        own = (series.c.experiment, series.c.hours_until, series.c.days_until)
        told_of = connection.execute(statement.returning(series.c.metric_id, series.c.run, series.c.id, *own), chunk)
        known |= {(metric_id, run): _Series(*one) for metric_id, run, *one in told_of}
    return known


def attach_runs(connection: Connection, tag: str, experiment: int) -> None:
    """Give the runs that named this key, read before anybody knew it, to their experiment; not those that a person gave
    to another."""
    own = (series.c.tag == tag.upper(), series.c.run.not_in(select(run_link.c.run)))
    connection.execute(update(series).where(*own).values(experiment=experiment))


def _slices(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[start : start + SLICE] for start in range(0, len(rows), SLICE))


def run_values(connection: Connection, metric: Metric, experiment: int | None = None) -> list[RunValue]:
    """What each run of the metric is worth under its aggregation, in no particular order; only one experiment's
    runs where its number is given, and only runs that may be compared: see `backlog.evaluation`.

    A run's time is that of its last reading; its value is NaN where none was finite.
    """
    return comparable_runs(metric, all_run_values(connection, metric, experiment))[0]


def all_run_values(connection: Connection, metric: Metric, experiment: int | None = None) -> list[RunValue]:
    """The same with the runs that were measured on another evaluation set."""
    columns = (series.c.id, series.c.run, series.c.experiment, series.c.eval_set, worth.c.last_at, worth.c.value)
    own = series.c.metric_id == metric.id, true() if experiment is None else series.c.experiment == experiment
    joined = series.outerjoin(worth, worth.c.series_id == series.c.id)
    rows = connection.execute(select(*columns).select_from(joined).where(*own)).all()
    found = {row.id: (row.last_at, row.value) for row in rows if row.last_at is not None}
    missing = worth_of_series(connection, way_of(metric), [row.id for row in rows if row.last_at is None])
    found |= {series_id: (known.last_at, known.value) for series_id, known in missing.items()}
    return [_run_value(row, *found[row.id]) for row in rows if row.id in found]


def _run_value(row: Any, at: datetime, value: float | None) -> RunValue:
    experiment = f"EXP-{row.experiment}" if row.experiment else ""
    return RunValue(row.run, at, math.nan if value is None else value, experiment, row.eval_set)


def load_points(
    connection: Connection, metric: Metric, since: datetime | None, most: int
) -> list[tuple[datetime, float]]:
    """The latest finite readings of the metric over all its comparable runs, oldest first; those at or after `since`.
    Of times that are kept by the hour or the day, their means."""
    ends = _ends(connection, metric, since, most)
    points: list[tuple[datetime, float]] = []
    for level in (_single, _hourly, _daily):
        if len(points) < most:
            points += _latest(connection, level, ends, since, most - len(points))
    return sorted(points, key=lambda point: point[0])


class _End(NamedTuple):
    """When a series was last read, its id, and how many finite readings it has had."""

    at: datetime
    id: int
    finite: int


def _ends(connection: Connection, metric: Metric, since: datetime | None, most: int) -> list[_End]:
    """Each series that may have such points, the latest first; of one that was never counted, the most."""
    own = (series.c.metric_id == metric.id, series.c.eval_set.in_(("", metric.eval_set)) if metric.eval_set else true())
    joined = series.outerjoin(worth, worth.c.series_id == series.c.id)
    rows = connection.execute(select(worth.c.last_at, series.c.id, worth.c.finite).select_from(joined).where(*own))
    ends = [_End(at or LATEST, series_id, most if finite is None else finite) for at, series_id, finite in rows]
    return sorted([end for end in ends if since is None or end.at >= since], reverse=True)


def _latest(
    connection: Connection, level: Level, ends: Sequence[_End], since: datetime | None, most: int
) -> list[tuple[datetime, float]]:
    """The latest points at one level; series that ended before all of them are not looked into, and of the others
    hardly more is read than is asked for."""
    rows: list[Any] = []
    for together in _groups(ends, most):
        if len(rows) == most and together[0].at < rows[-1].at:
            break
        rows += connection.execute(level([end.id for end in together], since, most)).all()
        rows = sorted(rows, key=lambda row: (row.at, row.step), reverse=True)[:most]
    return [(row.at, row.value) for row in rows]


def _groups(ends: Sequence[_End], most: int) -> Iterator[list[_End]]:
    """Series that are read in one statement: as many as hold the points asked for."""
    group: list[_End] = []
    for end in ends:
        group.append(end)
        if sum(one.finite for one in group) >= most or len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _single(ids: Sequence[int], since: datetime | None, most: int) -> Select[Any]:
    query = select(reading.c.at, reading.c.step, reading.c.value)
    query = query.where(reading.c.series_id.in_(ids), reading.c.value.is_not(None))
    query = query.where(reading.c.at >= since) if since else query
    return query.order_by(reading.c.at.desc(), reading.c.step.desc()).limit(most)


def _rolled(ids: Sequence[int], since: datetime | None, most: int, span: timedelta) -> Select[Any]:
    mean = (rollup.c.total / rollup.c.finite).label("value")
    query = select(rollup.c.last_at.label("at"), rollup.c.last_step.label("step"), mean)
    own = (rollup.c.series_id.in_(ids), rollup.c.span == int(span.total_seconds()), rollup.c.finite > 0)
    query = query.where(*own)
    query = query.where(rollup.c.last_at >= since, rollup.c.at > since - span) if since else query
    return query.order_by(rollup.c.last_at.desc(), rollup.c.last_step.desc()).limit(most)


_hourly, _daily = partial(_rolled, span=HOUR), partial(_rolled, span=DAY)


def search_runs(connection: Connection, words: str, limit: int) -> list[tuple[str, str]]:
    """(source, run) of runs that have those letters in their name, the latest first."""
    found = select(table.c.source, series.c.run).join(table, table.c.id == series.c.metric_id)
    named = found.where(series.c.run.icontains(words, autoescape=True)).group_by(table.c.source, series.c.run)
    query = named.order_by(func.max(series.c.id).desc()).limit(limit)
    return [(source, run) for source, run in connection.execute(query)]


def save_source_state(connection: Connection, name: str, read_at: datetime | None, error: str) -> None:
    """Remember how the last read of a source went; a failure keeps the time of the last success."""
    values = {"name": name, "error": error, **({"read_at": read_at} if read_at else {})}
    changes = {column: value for column, value in values.items() if column != "name"}
    statement = insert(connection, source_state).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changes))


def source_states(connection: Connection) -> dict[str, tuple[datetime | None, str]]:
    """By source: when it was last read without error, and the error of the last read (empty where it worked)."""
    return {row.name: (row.read_at, row.error) for row in connection.execute(select(source_state))}


def _metric(row: RowMapping) -> Metric:
    values = {name: row[name] for name in _FIELDS}
    return Metric(**{**values, "better": Better(row["better"]), "aggregation": Aggregation(row["aggregation"])})
