"""The database as a whole, by the shell: `scrumbut db upgrade | check | move`, `backup`, `restore` and `workspaces`.

They open no service and ask nothing over the network.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.exc import DBAPIError

from bot.config import ConfigError, load_settings
from bot.holding import holding
from store import outbox, queue
from store.checking import check_backlog
from store.database import (
    Database,
    DatabaseError,
    inspect_database,
    open_database,
    open_unchanged,
    workspace_url,
)
from store.installations import Installation
from store.moving import copy_database, count_rows

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]


def url_of(config: Path) -> str:
    """The database's address; that of a workspace where SCRUMBUT_WORKSPACE names one."""
    url = load_settings(config).database.url
    workspace = os.environ.get("SCRUMBUT_WORKSPACE", "")
    return workspace_url(url, workspace) if workspace else url


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace as its operator looks at it: who it is, what waits and was given up in it, and how many deliveries
    need a person; `problem` says why that cannot be told."""

    installed: Installation
    waiting: int = 0
    failed: int = 0
    stuck: int = 0
    problem: str = ""


def look_at(url: str, installed: Installation, at_home: bool) -> Workspace:
    """How it is with one workspace; changes nothing."""
    url = url if at_home else workspace_url(url, installed.id)
    try:
        schema = inspect_database(url)
        if schema.current != schema.head:
            return Workspace(installed, problem="not opened yet" if schema.current is None else "not of this version")
        with closing(open_unchanged(url)) as database, database.read() as connection:
            tasks, deliveries = queue.count_by_state(connection), outbox.count_by_state(connection)
    except (DatabaseError, DBAPIError) as error:
        return Workspace(installed, problem=f"cannot be read ({type(error).__name__}): scrumbut db check")
    stuck = sum(deliveries.get(state, 0) for state in outbox.STUCK)
    return Workspace(installed, tasks.get(queue.WAITING, 0), tasks.get(queue.FAILED, 0), stuck)


def upgrade(url: str) -> str:
    """Bring the schema to this version; says from which it came."""
    before = inspect_database(url)
    with holding(url):
        open_database(url).close()
    return f"schema {before.current or 'none'} → {before.head}" if before.current != before.head else "up to date"


def check(url: str) -> list[str]:
    """What is wrong, one line each with its remedy; changes nothing."""
    schema = inspect_database(url)
    if schema.current is None:
        return ["There is no database yet. Make it: scrumbut db upgrade"]
    if not schema.known:
        return [f'Its schema "{schema.current}" is of a newer version than this one ({schema.head}). Upgrade scrumbut.']
    if schema.current != schema.head:
        return [f"Its schema is {schema.current}, this version has {schema.head}. Bring it along: scrumbut db upgrade"]
    with closing(open_unchanged(url)) as database:
        return check_backlog(database)


def move(source: str, target: str, progress: Progress) -> int:
    """Carry everything over; returns how many rows. The source stays as it is."""
    with holding(source), holding(target):
        _must_be_current(source)
        with closing(open_unchanged(source)) as old, closing(open_database(target)) as new:
            return _copy(old, new, "moving", progress)


def back_up(url: str, path: Path, progress: Progress) -> int:
    """Write everything, as it is at one moment, into a file of SQLite that is not there yet, for us alone to read;
    the service may run meanwhile."""
    if path.exists():
        raise ConfigError(f"{path} is there already. Name another file.")
    _must_be_current(url)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with closing(open_unchanged(url)) as old, closing(open_database(f"sqlite:///{part}")) as new:
        rows = _copy(old, new, "backing up", progress)
        new.end_log()
    part.rename(path)
    return rows


def restore(path: Path, url: str, progress: Progress) -> int:
    """Read a backup, of this version or an earlier one, into a database that is empty."""
    if not path.is_file():
        raise ConfigError(f"{path}: not found. Name a file that scrumbut backup wrote.")
    with TemporaryDirectory() as folder, holding(url):
        copy = shutil.copy(path, Path(folder) / "backup.db")
        with closing(open_database(f"sqlite:///{copy}")) as old, closing(open_database(url)) as new:
            return _copy(old, new, "restoring", progress)


def _must_be_current(url: str) -> None:
    schema = inspect_database(url)
    if schema.current != schema.head:
        remedy = "scrumbut db upgrade" if schema.known else "upgrade scrumbut"
        raise DatabaseError(f"Its schema is {schema.current or 'none'}, this version has {schema.head}: {remedy}.")


def _copy(old: Database, new: Database, what: str, progress: Progress) -> int:
    with progress(what, count_rows(old)) as step:
        return copy_database(old, new, step)
