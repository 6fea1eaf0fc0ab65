"""Runs that a person gave to an experiment, whatever their tags say."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, delete, select, update

from store.dialect import insert
from store.experiments import numbers_by_key
from store.tables import metric, run_link, series


def find_runs(connection: Connection, source: str, start: str) -> list[str]:
    """The runs of a source that were read and whose names begin so, or the very one of that name."""
    query = select(series.c.run).join(metric, metric.c.id == series.c.metric_id).where(metric.c.source == source)
    known = list(connection.scalars(query.where(series.c.run.startswith(start, autoescape=True)).distinct().limit(5)))
    return [start] if start in known else known


def linked_runs(connection: Connection, sources: Collection[str]) -> dict[tuple[str, str], int]:
    """The experiment's number by (source, run)."""
    rows = connection.execute(select(run_link).where(run_link.c.source.in_(sources)))
    return {(row.source, row.run): row.experiment for row in rows}


def owners_of(connection: Connection, source: str, run: str) -> set[int]:
    """The numbers of the experiments that a run belongs to, as far as it was read."""
    owned = (*_of(source, run), series.c.experiment != 0)
    return set(connection.scalars(select(series.c.experiment).where(*owned).distinct()))


def link_run(connection: Connection, source: str, run: str, experiment: int) -> None:
    """Give a run to an experiment, with all that was read of it and all that will be."""
    statement = insert(connection, run_link).values(source=source, run=run, experiment=experiment)
    statement = statement.on_conflict_do_update(index_elements=["source", "run"], set_={"experiment": experiment})
    connection.execute(statement)
    connection.execute(update(series).where(*_of(source, run)).values(experiment=experiment))


def unlink_run(connection: Connection, source: str, run: str) -> None:
    """Take a run back: from now on it belongs to what its tags say."""
    connection.execute(delete(run_link).where(run_link.c.source == source, run_link.c.run == run))
    tags = set(connection.scalars(select(series.c.tag).where(*_of(source, run))))
    numbers = numbers_by_key(connection, tags)
    for tag in tags:
        own = update(series).where(*_of(source, run), series.c.tag == tag)
        connection.execute(own.values(experiment=numbers.get(tag, 0)))


def _of(source: str, run: str) -> tuple[ColumnElement[bool], ...]:
    metrics = select(metric.c.id).where(metric.c.source == source)
    return series.c.run == run, series.c.metric_id.in_(metrics)
