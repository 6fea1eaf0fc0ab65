"""The few statements that SQLAlchemy leaves to each database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

# Kept until the transaction ends. Each workspace has a schema of its own, and waits for no other one.
KEY = "hashtextextended(concat(current_schema(), ':', CAST(:what AS text)), 0)"
ALONE, TOGETHER = text(f"SELECT pg_advisory_xact_lock({KEY})"), text(f"SELECT pg_advisory_xact_lock_shared({KEY})")
MOMENT = "500ms"  # a click is answered within 3 s, even while a replica is paused within a transaction
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code for a wait that took too long


def is_postgresql(connection: Connection) -> bool:
    """Whether this is PostgreSQL; else it is SQLite."""
    return connection.dialect.name == "postgresql"


def workspace_of(connection: Connection) -> str:
    """The workspace whose schema of PostgreSQL this connection is in; empty at home, and in a file of SQLite."""
    workspace: str = connection.get_execution_options().get("scrumbut_workspace", "")
    return workspace


def insert(connection: Connection, table: Table) -> Any:
    """An insert that knows `on_conflict_do_nothing` and `on_conflict_do_update`, for this connection's database.

    Ask RETURNING whether a row was written: psycopg reports a rowcount of -1 for DO NOTHING.
    """
    return postgresql.insert(table) if is_postgresql(connection) else sqlite.insert(table)


def upsert(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Write whole rows, in the order of the table's columns, each in the place of the one with its primary key.

    For thousands of rows: they go to the driver at once, for SQLAlchemy's care of each one takes longer than its write.
    """
    statement = insert(connection, table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    statement = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=table.c.keys())
    to_sql = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.c]
    values = [map(f, column) if f else column for f, column in zip(to_sql, zip(*rows, strict=True), strict=True)]
    bound: Any = list(zip(*values, strict=True))
    if not compiled.positional:
        bound = [dict(zip(table.c.keys(), row, strict=True)) for row in bound]
    connection.exec_driver_sql(str(compiled), bound)


def serialise(connection: Connection, what: str) -> None:
    """Let one transaction after the other do this; SQLite has one writer at a time anyway."""
    if is_postgresql(connection):
        connection.execute(ALONE, {"what": what})


def take_part(connection: Connection, what: str) -> None:
    """Do this beside any number of other transactions, none of which `others_ended` overlooks."""
    if is_postgresql(connection):
        connection.execute(TOGETHER, {"what": what})


def others_ended(connection: Connection, what: str) -> bool:
    """Whether all transactions that took part in this have ended, for which one may wait a moment; those that would
    begin with it meanwhile wait behind us, and no longer."""
    if not is_postgresql(connection):
        return True
    try:
        with connection.begin_nested() as moment:
            connection.execute(text(f"SET LOCAL lock_timeout = '{MOMENT}'"))
            serialise(connection, what)
            moment.rollback()  # gives the lock back, and the time-out its old value
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def for_change(connection: Connection, query: Select[Any]) -> Select[Any]:
    """The query, in a transaction that writes so that others wait for its end before they read those rows to change
    them; SQLite has one writer at a time anyway."""
    return query.with_for_update() if connection.get_execution_options().get("scrumbut_write") else query
