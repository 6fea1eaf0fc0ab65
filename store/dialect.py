"""The few statements that SQLAlchemy leaves to each database."""

import zlib
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite


def is_postgresql(connection: Connection) -> bool:
    """Whether this is PostgreSQL; else it is SQLite."""
    return connection.dialect.name == "postgresql"


def insert(connection: Connection, table: Table) -> Any:
    """An insert that knows `on_conflict_do_nothing` and `on_conflict_do_update`, for this connection's database.

    Ask RETURNING whether a row was written: psycopg reports a rowcount of -1 for DO NOTHING.
    """
    return postgresql.insert(table) if is_postgresql(connection) else sqlite.insert(table)


def serialise(connection: Connection, what: str) -> None:
    """Let one transaction after the other do this; SQLite has one writer at a time anyway."""
    if is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(what.encode())})
