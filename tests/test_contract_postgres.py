"""The same product on a real PostgreSQL."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text

from backlog import lifecycle
from backlog.experiment import Entry
from backlog.metric import Aggregation, Better, Metric
from bot.flows.drop_old import drop_all_old
from bot.flows.export_backlog import export_backlog
from bot.flows.import_backlog import import_backlog
from bot.flows.tell_subscribers import tell_subscribers
from integrations.http import IntegrationError
from integrations.sources.source import SourceConfig
from integrations.sources.sql import Sql
from store import queue
from store.database import Database, open_database
from store.experiments import add_experiment, find_experiment, load_timeline, save_entry
from store.memory import search
from store.tables import metadata
from store.timeline import add_entry, last_entry_id, settled_until
from tests import postgres
from tests import test_bot_load as load
from tests import test_flows_forget as forgetting
from tests import test_store_readings as readings
from tests import test_workspaces as workspaces
from tests.conftest import CONFIG, TestClock, World, _text
from tests.reading import read
from tests.test_bot_upkeep import REVISIONS, contents
from tests.test_bot_upkeep import run as run_command
from tests.test_flows import frame, run_whole_experiment, state_goal
from tests.test_store import check_issues_come_back, migrate_to

pytestmark = pytest.mark.contract
make_town = workspaces.make_town
NOW = TestClock().at


@pytest.fixture
def url(postgresql: str) -> str:
    """An empty database."""
    return postgres.fresh_database(postgresql)


def open_database_raw(url: str) -> Callable[[str], None]:
    from sqlalchemy import create_engine

    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def run(statement: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(statement))

    return run


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def world(make_world: Callable[..., World], url: str) -> World:
    return make_world(config=CONFIG.replace("sqlite:///{folder}/scrumbut.db", url))


def test_the_migrations_give_exactly_the_tables(database: Database) -> None:
    with database.read() as connection:
        # The full-text index, and what is procrastinate's own.
        options = {"include_name": lambda name, kind, _: kind != "table" or not name.startswith(("memory", "procras"))}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_whole_way_from_idea_to_decision_and_the_report(world: World) -> None:
    run_whole_experiment(world)
    with world.services.database.read() as connection:
        experiment = find_experiment(connection, "EXP-1")
        acts = [entry.act for entry in load_timeline(connection, "EXP-1")]
    assert (experiment.stage, experiment.decision) == ("monitored", "adopt")
    assert acts == ["created", "framed", "linked", "moved", "started", "moved", "moved", "outcome", "decided"]
    world.clock.forward(days=7)
    world.settle()
    assert [said for said in world.channel() if "Char-level tokens" in said]


def test_what_was_learned_is_found_by_its_beginnings_accents_and_parts(world: World) -> None:
    state_goal(world)
    world.type('new "Char-level tokens raise recall"')
    frame(world)
    world.type('note EXP-1 "leakage in fold 0.2, café/naïve, see val_recall \' & | ! :*"')
    for words in ("leak fold", "cafe", "NAIVE", "val_rec", "char-level", "0.2"):
        assert "EXP-1" in world.type(f"find {words}"), words
    for words in ("nowhere", "' & | !", "fold & nowhere"):
        assert "EXP-1" not in world.type(f"find {words}").split("You typed")[0].replace(words, ""), words
    assert "Like it: EXP-1 Char-level tokens raise recall" in world.type('new "Tokens raise cost"')


def test_a_task_of_another_version_is_given_up_at_once_and_told_as_in_sqlite(world: World) -> None:
    load.check_unknown_tasks_end_at_once(world)


def test_an_issue_comes_back_as_it_was_read(database: Database) -> None:
    check_issues_come_back(database)


def test_two_people_at_once_get_two_numbers(database: Database) -> None:
    start = threading.Barrier(8)

    def create() -> None:
        start.wait()
        with database.write() as connection:
            add_experiment(connection, lifecycle.create("An idea", "ana", NOW))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert sorted(search(connection, "idea", every_word=True)) == [*range(1, 9)]


def test_subscribers_hear_of_an_act_that_ended_after_a_later_one(world: World) -> None:
    for title in ("Slow", "Quick"):
        world.type(f'new "{title}"')
    world.type("subscribe everything notes", user="U0BEN")
    database = world.services.database

    def note(connection: Connection, key: str) -> None:
        experiment = find_experiment(connection, key)
        save_entry(connection, experiment, lifecycle.note(experiment, "U0ANA", world.clock.at, "words"))

    with database.write() as slow:
        note(slow, "EXP-1")
        with database.write() as quick:
            note(quick, "EXP-2")
        world.clock.forward(minutes=2)
        assert tell_subscribers(world.services) == 0, "the lower number is not to be seen yet"
    assert tell_subscribers(world.services) == 1
    world.settle()
    (told,) = [_text(m) for c in world.slack.channels.values() if c.name == "@ben" for m in c.messages]
    assert "Slow" in told
    assert "Quick" in told


def test_acts_go_on_beside_one_another_and_after_a_look_for_what_is_settled(world: World) -> None:
    with world.services.database.write() as slow:
        add_entry(slow, "goal:churn", Entry(NOW, "U0ANA", "edited"))
        assert "EXP-1" in world.type('new "Beside it"')
        with world.services.database.write() as looking:
            assert settled_until(looking) is None
            assert "EXP-2" in world.type('new "After the look"')
    with world.services.database.write() as looking:
        assert settled_until(looking) == last_entry_id(looking) == 3


def test_a_backlog_moves_from_sqlite_to_postgresql_and_goes_on(
    make_world: Callable[..., World], url: str, tmp_path: Path
) -> None:
    old = make_world()
    run_whole_experiment(old)
    export_backlog(old.services, tmp_path / "out")
    new = make_world(config=CONFIG.replace("sqlite:///{folder}/scrumbut.db", url))
    import_backlog(new.services, tmp_path / "out")
    export_backlog(new.services, tmp_path / "again")
    assert (tmp_path / "again/backlog.jsonl").read_bytes() == (tmp_path / "out/backlog.jsonl").read_bytes()
    assert "EXP-2 is on the backlog" in new.type('new "Another idea"')
    assert "Goal speed" in new.type('goal add speed "answer fast"')


@pytest.mark.parametrize("aggregation", [Aggregation.BEST, Aggregation.LAST, Aggregation.MEAN])
def test_readings_grow_old_as_they_do_in_sqlite(database: Database, aggregation: Aggregation) -> None:
    readings.test_growing_old_changes_no_best_no_last_and_no_mean(database, aggregation, Better.UP, "2d")
    readings.test_what_is_kept_of_a_run_is_what_its_readings_say_after_each_of_them(database, aggregation, {})


def test_quantiles_and_late_readings_are_as_in_sqlite(database: Database) -> None:
    quantile = {"quantile": 0.5, "window": "2h"}
    readings.test_a_run_is_worth_what_its_metric_says(database, Aggregation.QUANTILE, quantile, 0.5)
    readings.test_a_late_best_is_not_lost(database)
    readings.test_the_latest_readings_come_first_over_all_runs_and_ages(database)


def test_evaluation_sets_are_kept_apart_as_in_sqlite(database: Database) -> None:
    readings.test_runs_on_another_evaluation_set_are_left_out(database)


def open_sql(url: str, statement: str, timeout_s: float = 5) -> Sql:
    found = make_url(url)
    allow = frozenset({f"{found.host}:{found.port}"})
    return Sql(SourceConfig("db", url, timeout_s=timeout_s, options={"statement": statement}, allow=allow))


def test_a_select_reads_metrics_and_can_neither_write_nor_take_for_ever(url: str) -> None:
    run = open_database_raw(url)
    run("CREATE TABLE m (at timestamptz, value float8); CREATE SEQUENCE s")
    run("INSERT INTO m VALUES ('2026-11-20T10:00:00+01:00', 0.5), ('2026-11-21T10:00:00+01:00', 'NaN')")
    metric = Metric("churn", "recall", "dev", "db", "recall", Better.UP, id=1)
    found = read(open_sql(url, "SELECT at AS time, 'recall' AS metric, value FROM m WHERE at >= :since"), [metric])[1]
    assert [(r.at.hour, r.value) for r in found[:1]] == [(9, 0.5)]
    assert math.isnan(found[1].value)
    with pytest.raises(IntegrationError, match=r"cannot execute nextval\(\) in a read-only transaction"):
        read(open_sql(url, "SELECT now() AS time, 'recall' AS metric, nextval('s') AS value"), [metric])
    with pytest.raises(IntegrationError, match="statement timeout"):
        read(open_sql(url, "SELECT now() AS time, 'recall' AS metric, pg_sleep(9) AS value", 0.3), [metric])


def test_no_verb_of_one_workspace_reaches_another_in_the_same_database(
    make_town: Callable[..., workspaces.Town], url: str
) -> None:
    town = make_town(url=url)
    town.install(workspaces.ALPHA)
    town.install(workspaces.BETA)
    workspaces.test_no_verb_of_one_workspace_sees_or_changes_anything_of_another(town)
    with town.home.database.read() as connection:
        schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'scrumbut%' ORDER BY 1"
        assert list(connection.scalars(text(schemas))) == ["scrumbut_queue", "scrumbut_t0alpha", "scrumbut_t0beta"]
        assert connection.scalar(text("SELECT count(*) FROM experiment")) == 0, "the home's own tables stay empty"


def test_a_forgotten_person_is_in_no_table_of_the_database_either(make_world: Callable[..., World], url: str) -> None:
    world = make_world(config=CONFIG.replace("sqlite:///{folder}/scrumbut.db", url) + forgetting.ADMINS)
    forgetting.furnish(world)
    with world.services.database.write() as connection:
        given_up = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, args) VALUES ('post', 'x', 'failed', :args)"
        )
        connection.execute(text(given_up), {"args": json.dumps({"user": forgetting.ZEB})})
    forgetting.test_nothing_of_a_forgotten_person_is_left_and_everything_of_the_team_is(world)
    with world.services.database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE args::text LIKE '%U0ZEB%'")) == 0
    world.clock.forward(days=200)
    assert "outbox" in drop_all_old(world.services)


def test_a_database_moves_to_postgresql_and_back(
    make_world: Callable[..., World], url: str, tmp_path: Path, database_url: str
) -> None:
    old = make_world()
    run_whole_experiment(old)
    with old.services.database.write() as connection:
        queue.defer(connection, "k", "sync_backlog", {"a": 1}, old.clock.at)
    before, back = contents(database_url), f"sqlite:///{tmp_path}/back.db"
    assert "each table counted" in run_command("db", "move", database_url, url)
    assert contents(url) == before
    assert "each table counted" in run_command("db", "move", url, back)
    moved = contents(back)
    assert {**moved, "waiting": before["waiting"]} == before
    assert len(moved["waiting"]) == len(before["waiting"]) > 0
    new = make_world(config=CONFIG.replace("sqlite:///{folder}/scrumbut.db", url))
    assert "EXP-2 is on the backlog" in new.type('new "Another idea"')


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_earlier_schema_is_upgraded(url: str, revision: str) -> None:
    migrate_to(url, revision)
    opened = open_database(url)
    test_the_migrations_give_exactly_the_tables(opened)
    opened.close()
