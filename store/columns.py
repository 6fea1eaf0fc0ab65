"""Readings by column, for what is computed over many of them: no object is made of any row."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from store.dialect import is_postgresql

Columns = dict[str, NDArray[np.int64] | NDArray[np.float64]]
FIELDS = np.dtype([("series", "i8"), ("at", "i8"), ("step", "i8"), ("value", "f8")])
NAMES = ("series", "at", "step", "value")
OF_SERIES = np.dtype([("at", "i8"), ("step", "i8"), ("value", "f8")])  # each object less of a row is time saved
ROWS = "SELECT at, step, ifnull(value, 9e999) FROM reading{only} ORDER BY series_id, at, step"
COUNTED = "SELECT series_id, count(*) FROM reading{only} GROUP BY series_id ORDER BY series_id"
SLICE = 150_000  # readings of one answer, or those of one series where that has more
# An answer of four columns: the server packs the numbers, and nothing is parsed here.
PACKED = """
SELECT string_agg(int8send(series_id::bigint), ''), string_agg(int8send(at), ''), string_agg(int8send(step), ''),
       string_agg(float8send(coalesce(value, 'NaN')), '') FROM reading{only}
"""


def read_frame(connection: Connection, series_ids: Collection[int] = (), rows: int = SLICE) -> pd.DataFrame:
    """The readings of those series, of all where none is named: series, at, step and value, ordered by them. `at` is
    in microseconds since 1970, a value that was not finite is NaN. PostgreSQL answers that many at a time."""
    only = f" WHERE series_id IN ({','.join(str(int(one)) for one in series_ids)})" if series_ids else ""
    shared = is_postgresql(connection)
    return pd.DataFrame(
        _from_postgresql(connection, only, rows) if shared else _from_sqlite(connection, only), copy=False
    )


def _from_sqlite(connection: Connection, only: str) -> Columns:
    driver = connection.connection.driver_connection
    assert driver is not None
    series, counts = np.array(driver.execute(COUNTED.format(only=only)).fetchall(), np.int64).reshape(-1, 2).T
    packed = np.fromiter(driver.execute(ROWS.format(only=only)), OF_SERIES, counts.sum())
    columns: Columns = {name: np.ascontiguousarray(packed[name]) for name in OF_SERIES.names or ()}
    columns["value"][np.isinf(columns["value"])] = np.nan
    return {"series": series.repeat(counts), **columns}


def _from_postgresql(connection: Connection, only: str, rows: int) -> Columns:
    driver = connection.connection.driver_connection
    assert driver is not None
    parts: list[Columns] = []
    with driver.cursor(binary=True) as cursor:
        counted = cursor.execute(COUNTED.format(only=only)).fetchall()
        for first, last in _ranges(counted, rows):
            within = f"{only} {'AND' if only else 'WHERE'} series_id BETWEEN {first} AND {last}"
            parts.append(_unpacked(cursor.execute(PACKED.format(only=within)).fetchone()))
    return {name: np.concatenate([np.empty(0, FIELDS[name]), *(part.pop(name) for part in parts)]) for name in NAMES}


def _ranges(counted: Sequence[tuple[int, int]], rows: int) -> Iterator[tuple[int, int]]:
    """From which series to which one answer is to go, given how many readings each of them has."""
    first, found = None, 0
    for series_id, count in counted:
        first, found = series_id if first is None else first, found + count
        if found >= rows or series_id == counted[-1][0]:
            yield first, series_id
            first, found = None, 0


def _unpacked(answer: Sequence[bytes]) -> Columns:
    columns: Columns = {
        name: np.frombuffer(packed, FIELDS[name].newbyteorder(">")).astype(FIELDS[name])
        for name, packed in zip(NAMES, answer, strict=True)
    }
    order = np.lexsort((columns["step"], columns["at"], columns["series"]))
    return {name: column[order] for name, column in columns.items()}
