"""Opens the database and keeps its schema: one file of SQLite, or a server's address.

Transactions are the caller's, by `read()` and `write()`; a write on SQLite takes the lock at once, so two writers
wait for each other instead of failing half-way.
"""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from store import queue
from store.dialect import serialise, workspace_of

BUSY_MS = 10_000  # how long a writer waits for another one
# A replica that is paused within a transaction must not keep the others from what it has locked.
IDLE_MAX = "-c idle_in_transaction_session_timeout=15s"
MIGRATIONS = Path(__file__).parent / "migrations"
POOL = 10  # connections that are kept; as many again for a rush
WORKSPACE_KEY = "workspace"  # of an address: whose schema of that PostgreSQL is meant
WORKSPACE = re.compile(r"[TE][A-Z0-9]{2,30}")  # Slack's ids of workspaces and organisations


class DatabaseError(Exception):
    """The database cannot be used; says what and how to mend it."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema that a database has (None before its first start) beside this version's, whether this version knows
    it, and whether the database may be written."""

    current: str | None
    head: str
    known: bool
    writable: bool


class Database:
    """An open database. `read` and `write` give a connection within one transaction."""

    def __init__(self, engine: Engine, workspace: str = "", pooled: bool = False) -> None:
        """`workspace` names whose schema of PostgreSQL it is in; a `pooled` one has its connections from others, who
        close them."""
        self.workspace, self._pooled = workspace, pooled
        self._engine = engine = engine.execution_options(scrumbut_workspace=workspace) if workspace else engine
        # PostgreSQL would let each statement see more than the one before.
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ") if self.is_shared else engine
        self._writer = engine.execution_options(scrumbut_write=True)
        # Threads of the one process that writes wait for each other here: SQLite's own waiting sleeps, up to 100 ms.
        self._turn: AbstractContextManager[object] = nullcontext() if self.is_shared else Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; nothing written through it is kept."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """The same, however long it is read."""
        with self.read() as connection:
            if self.is_shared:
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by any exception."""
        with self._turn, self._writer.begin() as connection:
            yield connection

    def is_current(self) -> bool:
        """Whether its tables are this version's."""
        with self.read() as connection:
            return MigrationContext.configure(connection).get_current_revision() == _revisions()[0]

    def upgrade(self) -> None:
        """Bring the schema to this version. Raises DatabaseError for a schema that a newer version wrote."""
        with self.write() as connection:
            serialise(connection, "schema")  # replicas start together
            if self.workspace:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_schema(self.workspace)}"))
            self._upgrade(connection)
            queue.upgrade(connection)

    def _upgrade(self, connection: Connection) -> None:
        current = MigrationContext.configure(connection).get_current_revision()
        head, known = _revisions()
        if current is not None and current not in known:
            raise DatabaseError(
                f'The database has schema "{current}", which this version does not know. '
                "Upgrade scrumbut, or restore a backup from before the newer version ran."
            )
        if current == head:
            return
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    @property
    def is_shared(self) -> bool:
        """Whether several replicas may work on it together: PostgreSQL, not a file of SQLite."""
        return self._engine.dialect.name == "postgresql"

    @property
    def address(self) -> str:
        """The address of what its workers take tasks from, with its password, as PostgreSQL's own clients write it."""
        from psycopg.conninfo import make_conninfo

        url = self._engine.url
        further = {name: str(value) for name, value in url.query.items()}
        return make_conninfo("", **url.translate_connect_args(username="user", database="dbname"), **further)

    def compact(self) -> None:
        """Leave nothing of deleted and overwritten rows in a SQLite file; PostgreSQL sees to that by itself."""
        if self._engine.dialect.name != "sqlite":
            return
        with self._engine.connect() as connection:
            connection.rollback()
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @property
    def name(self) -> str:
        """The address without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def server(self) -> str:
        """Which server is asked, for what and as whom; what the address leaves out is the driver's to choose."""
        url = self._engine.url
        host = url.host or url.query.get("host")
        parts = {"host": host, "port": url.port, "user": url.username, "database": url.database}
        return ", ".join(f'{name} "{value}"' if value else f"the default {name}" for name, value in parts.items())

    def end_log(self) -> None:
        """Bring a SQLite database into its one file, which may then be carried away."""
        with self._engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    def close(self) -> None:
        """Give back all connections."""
        if not self._pooled:
            self._engine.dispose()


@cache
def _revisions() -> tuple[str, frozenset[str]]:
    """The newest revision of the schema and all that there are; they are files, and are read once."""
    script = ScriptDirectory(str(MIGRATIONS))
    return script.get_current_head() or "", frozenset(one.revision for one in script.walk_revisions())


def inspect_database(url: str) -> Schema:
    """What is there, without changing it; a file that is not there is not made. Raises DatabaseError."""
    head, known = _revisions()
    if url.startswith("sqlite:///") and "file:" not in url:
        path = Path(url.removeprefix("sqlite:///"))
        if not path.parent.is_dir():
            raise DatabaseError(f'[database] url: the folder "{path.parent}" does not exist.')
        if not path.exists():
            return Schema(None, head, known=True, writable=os.access(path.parent, os.W_OK))
    database = open_unchanged(url)
    try:
        with database.read() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        return Schema(current, head, current in {None, *known}, _is_writable(database))
    except DBAPIError as error:
        raise _not_opened(database, error) from error
    finally:
        database.close()


def _is_writable(database: Database) -> bool:
    try:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE scrumbut_may_write (id INTEGER)"))
            connection.rollback()  # both databases take a table's making back
    except OperationalError:
        return False
    return True


def workspace_url(url: str, workspace: str) -> str:
    """Where a workspace's own database is: a file beside the one of that address, or a schema of its own in the same
    one. What is opened there sees no other workspace's rows, whatever is asked."""
    _check_workspace(workspace)
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "")
        return address.set(database=str(path.with_name(f"{path.stem}.{workspace}{path.suffix}"))).render_as_string()
    return address.update_query_dict({WORKSPACE_KEY: workspace}).render_as_string(hide_password=False)


def _check_workspace(workspace: str) -> None:
    if not WORKSPACE.fullmatch(workspace):
        raise DatabaseError(f'"{workspace[:40]}" is no id of a Slack workspace.')


def _schema(workspace: str) -> str:
    _check_workspace(workspace)  # it becomes part of a statement
    return f"scrumbut_{workspace.lower()}"


class WorkspaceDatabases:
    """The databases of many workspaces: on PostgreSQL they have connections in common, each in one workspace's schema
    for one transaction."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Engine | None = None
        self._lock = Lock()

    def open(self, workspace: str) -> Database:
        """Open and upgrade that of one workspace. Raises DatabaseError."""
        url = workspace_url(self._url, workspace)
        with self._lock:
            if self._pool is None and make_url(url).get_backend_name() != "sqlite":
                self._pool = _open_engine(url)
                return open_database(url, self._pool)  # with the queue, which is the same for all
        database = open_unchanged(url, self._pool) if self._pool else None
        return database if database and database.is_current() else open_database(url, self._pool)

    def close(self) -> None:
        """Give back all connections."""
        if self._pool is not None:
            self._pool.dispose()


def open_database(url: str, pool: Engine | None = None) -> Database:
    """Open and upgrade, with connections of a workspaces' pool where there is one. Raises DatabaseError naming
    [database] url where that cannot be done."""
    database = open_unchanged(url, pool)
    try:
        database.upgrade()
    except OperationalError as error:
        raise _not_opened(database, error) from error
    except ModuleNotFoundError as error:
        raise DatabaseError(f"PostgreSQL needs {error.name}: pip install 'scrumbut[postgres]'.") from error
    return database


def _not_opened(database: Database, error: DBAPIError) -> DatabaseError:
    cause = " ".join(str(error.orig).split())
    if not database.is_shared:
        remedy = "Check that the folder of [database] url exists and may be written."
        return DatabaseError(f"The database {database.name} cannot be opened ({cause}). {remedy}")
    remedy = "Check these in [database] url, that the server is up, and that it lets this user into this database."
    return DatabaseError(f"PostgreSQL cannot be opened with {database.server} ({cause}). {remedy}")


def open_unchanged(url: str, pool: Engine | None = None) -> Database:
    """Open with whatever schema is there; nothing is asked before the first connection. Raises DatabaseError for what
    is no address."""
    engine = pool or _open_engine(url)
    return Database(engine, str(make_url(url).query.get(WORKSPACE_KEY, "")), pooled=pool is not None)


def _open_engine(url: str) -> Engine:
    try:
        address = make_url(url)
        many = {} if address.get_backend_name() == "sqlite" else {"pool_pre_ping": True, "pool_size": POOL}
        # hide_parameters: an error must not carry row values into a log.
        engine = create_engine(_with_options(address), hide_parameters=True, **many)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise DatabaseError(
            "[database] url is no address SQLAlchemy knows. Write sqlite:///scrumbut.db for a file."
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    elif WORKSPACE_KEY in address.query:
        _prepare_pool(engine)
    return engine


def _with_options(address: URL) -> URL:
    if address.get_backend_name() == "sqlite":
        return address
    # Whatever is asked in no workspace's name finds nothing but the queue.
    path = f"-c search_path={queue.SCHEMA}" if WORKSPACE_KEY in address.query else ""
    options = " ".join(f"{address.query.get('options', '')} {path} {IDLE_MAX}".split())
    return address.difference_update_query([WORKSPACE_KEY]).update_query_dict({"options": options})


def _prepare_pool(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.info.pop(queue.WOKEN, None)
        workspace = workspace_of(connection)
        assert workspace, "a connection of the workspaces is in one of them"
        # Until the transaction's end: the next one may be another workspace's.
        connection.exec_driver_sql(f"SET LOCAL search_path = {_schema(workspace)}, {queue.SCHEMA}")


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(raw: Any, record: Any) -> None:
        raw.isolation_level = None  # the driver would begin transactions of its own, too late for IMMEDIATE
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged act survives a power cut
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("scrumbut_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
