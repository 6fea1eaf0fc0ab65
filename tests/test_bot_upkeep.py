"""The database as a whole: upgraded, checked, moved, backed up while it is in use, and restored."""

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from bot.cli import app
from bot.holding import holding
from store import outbox, queue
from store.database import MIGRATIONS, open_database
from store.tables import metadata
from tests.conftest import World
from tests.test_flows import run_whole_experiment
from tests.test_store import migrate_to

REVISIONS = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
ELSEWHERE = {"queue_migration", "task"}  # each database's own, and what the queue's engine holds elsewhere


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == code, result.output
    return result.output


def contents(url: str) -> dict[str, list[str]]:
    database = open_database(url)
    with database.read() as connection:
        found = {
            table.name: sorted(str(dict(row)) for row in connection.execute(select(table)).mappings())
            for table in metadata.sorted_tables
            if table.name not in ELSEWHERE
        }
        found["waiting"] = sorted(f"{work.key} {work.name}" for work, _ in queue.load_waiting(connection))
    database.close()
    return found


@pytest.fixture
def used(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """A backlog with a whole experiment, and with something in its queue and its outbox."""
    world = make_world()
    run_whole_experiment(world)
    with world.services.database.write() as connection:
        outbox.put(
            connection, "card:1", "slack.post", {"channel": "#ml", "text": "waits", "blocks": []}, world.clock.at
        )
        queue.defer(connection, "k", "sync_backlog", {"a": 1}, world.clock.at)
    monkeypatch.setenv("SCRUMBUT_CONFIG", str(world.folder / "config.toml"))
    return world


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_earlier_schema_is_upgraded(database_url: str, empty_url: str, revision: str) -> None:
    migrate_to(empty_url, revision)
    open_database(empty_url).close()
    assert contents(empty_url) == contents(database_url), "with nothing in either"


def test_upgrade_tells_from_what_to_what_and_check_that_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/s.db"\n')
    monkeypatch.setenv("SCRUMBUT_CONFIG", str(config))
    assert "There is no database yet" in run("db", "check", code=1)
    migrate_to(f"sqlite:///{tmp_path}/s.db", "0003")
    assert "Its schema is 0003" in run("db", "check", code=1)
    assert run("db", "upgrade") == f"schema 0003 → {REVISIONS[-1]}\n"
    assert run("db", "upgrade") == "up to date\n"
    assert run("db", "check") == "all is well\n"
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "of a newer version" in run("db", "check", code=1)
    assert "does not know" in run("db", "upgrade", code=1)


def test_check_names_an_experiment_that_is_not_what_its_timeline_says(used: World) -> None:
    assert run("db", "check") == "all is well\n"
    with used.services.database.write() as connection:
        connection.exec_driver_sql("UPDATE experiment SET title = 'another' WHERE number = 1")
    assert "EXP-1 is not what its timeline says" in run("db", "check", code=1)


def test_a_backup_of_a_database_in_use_holds_everything_and_is_restored(used: World, database_url: str) -> None:
    before, path = contents(database_url), used.folder / "backup.db"
    assert "Wrote" in run("backup", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "is there already" in run("backup", str(path), code=1)
    used.type('new "Later than the backup"')
    assert "is not empty" in run("restore", str(path), code=1)
    again = f"sqlite:///{used.folder}/again.db"
    os.environ["SCRUMBUT_DATABASE__URL"] = again
    try:
        assert "Restored" in run("restore", str(path))
        assert contents(again) == before
        assert run("db", "check") == "all is well\n"
        assert "EXP-1" in run("exp", "find", "char-level")
    finally:
        del os.environ["SCRUMBUT_DATABASE__URL"]


def test_a_move_carries_everything_and_leaves_the_source_as_it_was(used: World, database_url: str) -> None:
    before, target = contents(database_url), f"sqlite:///{used.folder}/new.db"
    assert "each table counted on both sides" in run("db", "move", database_url, target)
    assert contents(target) == before == contents(database_url)
    assert "is not empty" in run("db", "move", database_url, target, code=1)


def test_a_file_that_is_in_use_is_not_moved_and_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    open_database(url).close()
    with holding(url):
        assert f"process {os.getpid()}" in run("db", "move", url, f"sqlite:///{tmp_path}/t.db", code=1)
    assert "is no address" in run("db", "move", "nowhere", url, code=1)
