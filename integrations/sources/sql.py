"""Readings from a database by one SELECT of the config file; nothing is ever written there.

The only other place than `store` that speaks SQLAlchemy.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlparse
from sqlalchemy import Connection, CursorResult, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from backlog.metric import Metric
from integrations.guard import host_and_port
from integrations.http import IntegrationError
from integrations.sources.rows import Row, check_columns, read_rows
from integrations.sources.source import Found, SourceConfig

ROWS = 100_000  # that a statement may give, where `options` say nothing
PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Sql:
    """Kind "sql". `url` is an address of SQLAlchemy, `options.statement` a SELECT that gives the columns of `rows`; it
    may use `:since`, from when readings may be new. `options.rows` bounds what it may give, `timeout_s` its time."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options("statement", "rows")
        self.name = config.name
        self._config = config
        self._statement = _only_select(str(config.options.get("statement", "")))
        self._rows_max = int(config.options.get("rows", ROWS))
        self._engine = _open(config)

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. One statement serves all metrics."""
        try:
            with self._reading() as connection:
                given = {"since": since or LONG_AGO} if ":since" in self._statement else {}
                result = connection.execution_options(yield_per=1_000).execute(text(self._statement), given)
                check_columns(self.name, result.keys(), "the statement")
                yield from read_rows(self.name, metrics, self._rows(result))
        except SQLAlchemyError as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
            raise IntegrationError(self.name, f"the database says: {reason}.", "Check url and statement.") from None

    def _rows(self, result: CursorResult[Any]) -> Iterator[tuple[str, Row]]:
        for number, row in enumerate(result.mappings(), 1):
            if number > self._rows_max:
                remedy = 'Narrow it by "time >= :since", or raise rows in its options.'
                what = f"the statement gives more than {self._rows_max} rows."
                raise IntegrationError(self.name, what, remedy, permanent=True)
            yield f"row {number}", dict(row)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A transaction that can only read, and only so long."""
        limit_ms = int(self._config.timeout_s * 1000)
        with self._engine.connect() as connection:
            kind = connection.dialect.name
            if kind == "sqlite":
                _limit_sqlite(connection, self._config.timeout_s)
            elif kind == "postgresql":
                connection.execute(text("SET TRANSACTION READ ONLY"))
                connection.execute(text(f"SET LOCAL statement_timeout = {limit_ms}"))
            elif kind in ("mysql", "mariadb"):
                connection.execute(text("SET SESSION TRANSACTION READ ONLY"))
                connection.execute(text(f"SET SESSION max_execution_time = {limit_ms}"))
                connection.commit()
            try:
                yield connection
            finally:
                connection.rollback()


def _only_select(statement: str) -> str:
    """The statement, if it is one and reads. Raises ValueError."""
    parts = [part for part in sqlparse.split(statement) if part.strip(" ;\n")]
    if len(parts) != 1:
        raise ValueError(f"options.statement: {len(parts)} statements are there. Write one SELECT.")
    kind: str = sqlparse.parse(parts[0])[0].get_type()  # type: ignore[no-untyped-call]
    if kind != "SELECT":
        raise ValueError(f"options.statement: it is no SELECT but {kind}. Only reading is allowed.")
    return parts[0].rstrip("; \n")


def _open(config: SourceConfig) -> Engine:
    try:
        url = make_url(config.url)
    except SQLAlchemyError:
        raise ValueError("url is no address SQLAlchemy knows, such as postgresql+psycopg://user@host/name.") from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        path = quote(str(Path(url.database or "").resolve()))
        url = make_url(f"sqlite:///file:{path}?mode=ro&uri=true")  # so that a wrong path makes no new file
    elif url.host:
        _check_host(host_and_port(url.host, url.port or PORTS.get(kind, 0)), config.allow)
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def _check_host(written: str, allow: frozenset[str]) -> None:
    # A driver connects by itself, past the guard: so a database is read only where the config file names its host.
    if written not in allow:
        raise ValueError(f'"{written}" is not allowed. Add it to [security] allow_hosts in config.toml.')


def _limit_sqlite(connection: Connection, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA query_only = ON")
    raw.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
