"""Metrics, their series (one per run) and readings.

Readings are kept once per (run, time, step) however often they are read; what a run is worth is aggregated by the
database, so reports cost by runs, not by readings.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, func, select, true, update
from sqlalchemy.exc import IntegrityError

from backlog.errors import BacklogError, NotFound
from backlog.metric import Aggregation, Better, Metric, Reading, RunValue
from store.dialect import insert
from store.tables import metric as table
from store.tables import reading, series, source_state

SLICE = 1_000  # rows per statement, below SQLite's limit on bound values


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
    "scope",
)  # fmt: skip


def load_metric(connection: Connection, metric_id: int) -> Metric:
    """The metric of that id. Raises NotFound."""
    row = connection.execute(select(table).where(table.c.id == metric_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no metric {metric_id}.", "/exp goal show GOAL")
    return _metric(row)


def load_metrics(connection: Connection, *, goal: str = "", source: str = "", name: str = "") -> list[Metric]:
    """Metrics in the order they were added; the filters combine, an empty one is none."""
    query = select(table).order_by(table.c.id)
    for column, value in {"goal": goal, "source": source, "name": name}.items():
        if value:
            query = query.where(table.c[column] == value)
    return [_metric(row) for row in connection.execute(query).mappings()]


def polled_since(connection: Connection, metrics: Sequence[Metric]) -> datetime | None:
    """From when the next poll of those metrics must read; None where one of them was never read."""
    ids = [metric.id for metric in metrics]
    times = list(connection.scalars(select(table.c.polled_since).where(table.c.id.in_(ids))))
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None


def read_times(connection: Connection) -> dict[int, datetime]:
    """When each metric was last read without error, by metric id."""
    query = select(table.c.id, table.c.read_at).where(table.c.read_at.is_not(None))
    return dict(connection.execute(query).all())


def save_readings(
    connection: Connection, metric: Metric, readings: Sequence[Reading], experiments: Mapping[str, int]
) -> int:
    """Store readings of one metric; returns how many were new or changed.

    `experiments` maps tags to experiment numbers. A reading known already is overwritten by the same value.
    """
    ids = _series_ids(connection, metric.id, readings, experiments)
    rows: dict[tuple[int, datetime, int], dict[str, object]] = {
        (ids[r.run], r.at, r.step): {
            "series_id": ids[r.run],
            "at": r.at,
            "step": r.step,
            "value": r.value if math.isfinite(r.value) else None,
        }
        for r in readings
    }
    return sum(_upsert(connection, chunk) for chunk in _slices(list(rows.values())))


def mark_polled(connection: Connection, metrics: Sequence[Metric], read_at: datetime, since: datetime) -> None:
    """Remember that all readings of those metrics are stored; the next poll begins at `since`."""
    polled = update(table).where(table.c.id.in_([metric.id for metric in metrics]))
    connection.execute(polled.values(read_at=read_at, polled_since=since))


def _series_ids(
    connection: Connection, metric_id: int, readings: Sequence[Reading], experiments: Mapping[str, int]
) -> dict[str, int]:
    tags = {r.run: r.experiment for r in readings}
    rows: list[dict[str, object]] = [
        {"metric_id": metric_id, "run": run, "tag": tag[:80].upper(), "experiment": experiments.get(tag, 0)}
        for run, tag in tags.items()
    ]
    for chunk in _slices(rows):
        statement = insert(connection, series).values(chunk)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["metric_id", "run"],
                set_={"tag": statement.excluded.tag, "experiment": statement.excluded.experiment},
            )
        )
    ids: dict[str, int] = {}
    for chunk in _slices(rows):
        runs = [row["run"] for row in chunk]
        known = select(series.c.run, series.c.id).where(series.c.metric_id == metric_id, series.c.run.in_(runs))
        ids |= dict(connection.execute(known).all())
    return ids


def attach_runs(connection: Connection, tag: str, experiment: int) -> None:
    """Give the runs that named this key, read before anybody knew it, to their experiment."""
    connection.execute(update(series).where(series.c.tag == tag.upper()).values(experiment=experiment))


def _upsert(connection: Connection, rows: list[dict[str, object]]) -> int:
    statement = insert(connection, reading).values(rows)
    statement = statement.on_conflict_do_update(
        index_elements=["series_id", "at", "step"],
        set_={"value": statement.excluded.value},
        where=reading.c.value.is_distinct_from(statement.excluded.value),
    ).returning(reading.c.series_id)
    return len(connection.execute(statement).all())


def _slices(rows: list[dict[str, object]]) -> Iterable[list[dict[str, object]]]:
    return (rows[start : start + SLICE] for start in range(0, len(rows), SLICE))


def run_values(connection: Connection, metric: Metric, experiment: int | None = None) -> list[RunValue]:
    """What each run of the metric is worth under its aggregation, in no particular order; only one experiment's
    runs where its number is given.

    A run's time is that of its last reading; its value is NaN where none was finite.
    """
    rows = connection.execute(_run_query(metric, experiment)).all()
    return [
        RunValue(run, at, math.nan if value is None else value, f"EXP-{number}" if number else "")
        for run, number, at, value in rows
    ]


def _run_query(metric: Metric, experiment: int | None) -> Select[Any]:
    own = and_(series.c.metric_id == metric.id, true() if experiment is None else series.c.experiment == experiment)
    columns = (series.c.run, series.c.experiment)
    joined = series.join(reading, reading.c.series_id == series.c.id)
    if metric.aggregation is Aggregation.LAST:
        order = (reading.c.at.desc(), reading.c.step.desc())
        rank = func.row_number().over(partition_by=reading.c.series_id, order_by=order).label("rank")
        ranked = select(*columns, reading.c.at, reading.c.value, rank).select_from(joined).where(own).subquery()
        return select(ranked.c.run, ranked.c.experiment, ranked.c.at, ranked.c.value).where(ranked.c.rank == 1)
    aggregate = _aggregate(metric)(reading.c.value)
    grouped = select(*columns, func.max(reading.c.at), aggregate).select_from(joined).where(own)
    return grouped.group_by(series.c.id, *columns)


def _aggregate(metric: Metric) -> Any:
    if metric.aggregation is Aggregation.MEAN:
        return func.avg
    return func.max if metric.better is Better.UP else func.min


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
