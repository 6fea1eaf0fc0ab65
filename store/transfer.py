"""The whole backlog as plain rows, out of one database and into another that is empty.

What belongs to a place rather than to the backlog stays behind: queue, outbox, schedules, subscriptions and what people
set for themselves, posted messages, written reports.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby, islice, zip_longest
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Float, Integer, Table, func, select, text

from backlog.errors import BacklogError
from backlog.experiment import replay
from store import tables
from store.dialect import insert, is_postgresql
from store.experiments import load_experiments, load_timeline
from store.memory import remember
from store.tables import Instant, Json

Row = tuple[str, Mapping[str, Any]]  # table, and its values as JSON has them
CARRIED: tuple[Table, ...] = (
    tables.person, tables.goal, tables.metric, tables.issue, tables.experiment, tables.timeline, tables.series,
    tables.reading, tables.rollup, tables.run_link, tables.watch, tables.risk, tables.forecast,
)  # fmt: skip
OWN = (tables.goal, tables.metric, tables.experiment, tables.timeline)  # empty in an empty backlog
BY_NAME = {table.name: table for table in CARRIED}
SLICE = 1_000  # rows a statement


def dump_rows(connection: Connection) -> Iterator[Row]:
    """Every row of the backlog in an order that never changes, as values JSON has; memory does not grow with it."""
    for table in CARRIED:
        query = select(table).order_by(*table.primary_key).execution_options(yield_per=SLICE)
        for row in connection.execute(query).mappings():
            yield table.name, {column.name: _plain(row[column.name]) for column in table.columns}


def count_rows(connection: Connection) -> int:
    """How many rows that will be."""
    return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in CARRIED)


def is_empty(connection: Connection) -> bool:
    """Whether there is no backlog yet."""
    return not any(connection.scalar(select(table.primary_key.columns[0]).limit(1)) is not None for table in OWN)


def holds(connection: Connection, rows: Iterable[Row]) -> bool:
    """Whether the backlog here is exactly those rows."""
    return all(given == known for given, known in zip_longest(rows, dump_rows(connection)))


def restore_rows(connection: Connection, rows: Iterable[Row]) -> None:
    """Insert rows into an empty backlog. Raises BacklogError where a row does not fit, and where an experiment is not
    what its timeline says; the caller's transaction must then be rolled back."""
    for name, group in groupby(rows, key=lambda row: row[0]):
        _insert(connection, BY_NAME[name], (values for _, values in group))
    if is_postgresql(connection):
        for table in CARRIED:
            continue_numbers(connection, table)
    for experiment in load_experiments(connection):
        timeline = load_timeline(connection, experiment.key)
        if not timeline or replay(experiment.number, timeline) != experiment:
            raise BacklogError(
                f"{experiment.key} is not what its timeline says.",
                "The export was changed after it was written: export again, or take that change back.",
            )
        remember(connection, experiment)


def _insert(connection: Connection, table: Table, rows: Iterator[Mapping[str, Any]]) -> None:
    while batch := list(islice(rows, SLICE)):
        values = [{name: _value(table.columns[name], value) for name, value in row.items()} for row in batch]
        connection.execute(insert(connection, table).on_conflict_do_nothing(), values)


def continue_numbers(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after those that came with their numbers."""
    for key in table.primary_key:
        if isinstance(key.type, Integer):  # a column that PostgreSQL does not number has no sequence, and that is NULL
            sequence = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
            following = f"SELECT setval({sequence}, max({key.name})) FROM {table.name}"
            connection.execute(text(f"{following} HAVING max({key.name}) IS NOT NULL"))


def check_row(name: str, values: Mapping[str, Any]) -> None:
    """Raise ValueError, saying what is wrong, for a row that no table here could hold."""
    table = BY_NAME.get(name)
    if table is None:
        raise ValueError(f'"{name[:40]}" is no part of a backlog')
    for key, value in values.items():
        if key not in table.columns:
            raise ValueError(f'{name} has no "{key[:40]}"')
        _value(table.columns[key], value)
    for column in table.primary_key:
        if values.get(column.name) is None:
            raise ValueError(f"{name} without its {column.name}")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _value(column: Column[Any], value: Any) -> Any:
    kind = column.type
    if value is None:
        if column.nullable:
            return None
        raise ValueError(f"{column.name} is missing")
    if isinstance(kind, Instant):
        return _instant(column.name, value)
    if isinstance(kind, Json):
        json.dumps(value, allow_nan=False)
        return value
    if isinstance(kind, Boolean) and isinstance(value, bool):
        return value
    wanted = int if isinstance(kind, Integer | BigInteger) else float if isinstance(kind, Float) else str
    if isinstance(value, bool) or not isinstance(value, int | float if wanted is float else wanted):
        raise ValueError(f"{column.name} is {value!r:.60}, not {wanted.__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{column.name} is not finite")
    return value


def _instant(name: str, value: Any) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{name} is {value!r:.60}, not a time with its zone")
    return at
