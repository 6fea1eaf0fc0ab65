"""The one statement SQLAlchemy spells per database: insert with a conflict clause."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> Any:
    """An insert that knows `on_conflict_do_nothing` and `on_conflict_do_update`, for this connection's database.

    Ask RETURNING whether a row was written: psycopg reports a rowcount of -1 for DO NOTHING.
    """
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
