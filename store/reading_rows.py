"""Readings as rows of their table, as the driver takes them: a history has tens of thousands, and SQLAlchemy's care of
each takes longer than its write.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from store.dialect import is_postgresql

ADD = "INSERT OR IGNORE INTO reading (value, series_id, at, step) VALUES (?, ?, ?, ?)"
CORRECT = "UPDATE reading SET value = ?1 WHERE series_id = ?2 AND at = ?3 AND step = ?4 AND value IS NOT ?1"
# PostgreSQL takes all of them in one statement, as an array of each column.
GIVEN = "unnest(%b::float8[], %b::int[], %b::bigint[], %b::bigint[]) AS given (value, series_id, at, step)"
ADD_ALL = f"""
INSERT INTO reading (value, series_id, at, step) SELECT * FROM {GIVEN}
ON CONFLICT DO NOTHING RETURNING value, series_id, at, step
"""
CORRECT_ALL = f"""
UPDATE reading SET value = given.value FROM {GIVEN}
WHERE (reading.series_id, reading.at, reading.step) = (given.series_id, given.at, given.step)
AND reading.value IS DISTINCT FROM given.value RETURNING reading.value, reading.series_id, reading.at, reading.step
"""


class Row(NamedTuple):
    """One reading; `at` is in microseconds since 1970, `value` is None where it was not finite."""

    value: float | None
    series_id: int
    at: int
    step: int


def add_readings(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Store those that are not known yet, of which no two have one series, time and step; returns them."""
    return list(_changed(connection, rows, ADD, ADD_ALL))


def correct_readings(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Overwrite those that are known with another value; returns them."""
    return list(_changed(connection, rows, CORRECT, CORRECT_ALL))


def _changed(connection: Connection, rows: Sequence[Row], one: str, together: str) -> Iterable[Row]:
    if not rows:
        return ()
    driver = connection.connection.driver_connection
    assert driver is not None
    if is_postgresql(connection):
        columns = list(map(list, zip(*rows, strict=True)))
        return map(Row._make, driver.cursor(binary=True).execute(together, columns).fetchall())
    execute = driver.cursor().execute
    return (row for row in rows if execute(one, row).rowcount)
