"""Readings by column, for what is computed over many of them: no object is made of any row."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from sqlalchemy import Connection, func, select

from store.dialect import is_postgresql
from store.tables import reading

FIELDS = np.dtype([("series", "i8"), ("at", "i8"), ("step", "i8"), ("value", "f8")])
SLICE = 100_000  # rows that PostgreSQL packs into one answer
EVERYTHING = "SELECT series_id, at, step, ifnull(value, 9e999) FROM reading"
PACKED = """
SELECT string_agg(int8send(series_id), ''), string_agg(int8send(at), ''), string_agg(int8send(step), ''),
       string_agg(float8send(coalesce(value, 'NaN')), '')
FROM (SELECT series_id::bigint, at, step, value FROM reading WHERE (series_id, at, step) > (%s, %s, %s) {only}
      ORDER BY series_id, at, step LIMIT %s) AS part
"""


def read_frame(connection: Connection, series_ids: Collection[int] = ()) -> pd.DataFrame:
    """The readings of those series, of all where none is named: series, at, step and value, ordered by them. `at` is
    in microseconds since 1970, a value that was not finite is NaN."""
    read = _from_postgresql if is_postgresql(connection) else _from_sqlite
    return pd.DataFrame(read(connection, series_ids), copy=False)


def _from_sqlite(connection: Connection, series_ids: Collection[int]) -> dict[str, np.ndarray]:
    counted = select(func.count()).select_from(reading)
    only = ""
    if series_ids:
        counted = counted.where(reading.c.series_id.in_(series_ids))
        only = f" WHERE series_id IN ({','.join(str(int(one)) for one in series_ids)})"
    count = connection.scalar(counted) or 0
    driver = connection.connection.driver_connection
    assert driver is not None
    cursor = driver.execute(f"{EVERYTHING}{only} ORDER BY series_id, at, step")
    packed = np.fromiter(cursor, FIELDS, count)
    columns = {name: np.ascontiguousarray(packed[name]) for name in FIELDS.names or ()}
    columns["value"][np.isinf(columns["value"])] = np.nan
    return columns


def _from_postgresql(connection: Connection, series_ids: Collection[int]) -> dict[str, np.ndarray]:
    only = f"AND series_id IN ({','.join(str(int(one)) for one in series_ids)})" if series_ids else ""
    after = (-1, -(1 << 62), -(1 << 62))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in FIELDS.names or ()}
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor(binary=True) as cursor:
        while True:
            answer = cursor.execute(PACKED.format(only=only), (*after, SLICE)).fetchone()
            if answer[0] is None:
                break
            for name, packed in zip(parts, answer, strict=True):
                kind = np.dtype(FIELDS[name])
                parts[name].append(np.frombuffer(packed, kind.newbyteorder(">")).astype(kind))
            after = (int(parts["series"][-1][-1]), int(parts["at"][-1][-1]), int(parts["step"][-1][-1]))
    return {name: _joined(parts.pop(name), FIELDS[name]) for name in FIELDS.names or ()}


def _joined(parts: list[np.ndarray], kind: np.dtype) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, kind)
