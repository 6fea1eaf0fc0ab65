"""What is remembered: schema, timeline, readings, queue and outbox, on real SQLite."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Decision, Entry, Experiment, Kind, Outcome, Stage, replay
from backlog.gates import Evidence
from backlog.issue import Issue
from backlog.metric import Aggregation, Better, Metric, Reading
from backlog.policy import Rules
from sandbox.serving import free_port
from store import ledger, outbox, queue
from store.database import MIGRATIONS, Database, DatabaseError, open_database
from store.experiments import add_experiment, find_experiment, load_timeline, open_ages, save_entry
from store.issues import find_issue, save_issues
from store.metrics import add_metric, run_values, save_readings
from store.tables import metadata
from tests.conftest import open_empty

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TIMEOUT, QUIET = timedelta(seconds=10), timedelta(seconds=60)


def migrate_to(url: str, revision: str) -> None:
    """A database as that revision of the schema left it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_empty(tmp_path / "s.db")
    yield opened
    opened.close()


def check_issues_come_back(database: Database) -> None:
    """What is stored of an issue is what was read, also where it is written over."""
    plain = Issue("1", "ML-1", "https://j/browse/ML-1", "100 % of %(key)s: ? 'é'", "To Do", "new", "", "", NOW)
    boxed = replace(plain, due=date(2026, 12, 1), sprint="S 1", labels=("a", "b"), priority="High", parent_key="ML-7")
    lost = replace(boxed, id="2", key="ML-2", summary="\N{SNOWMAN}", unreachable_since=NOW + TIMEOUT)
    with database.write() as connection:
        save_issues(connection, [])
        save_issues(connection, [plain, lost])
        assert [find_issue(connection, key) for key in ("ML-1", "ml-2")] == [plain, lost]
        save_issues(connection, [boxed, plain])
        assert find_issue(connection, "ML-1") == plain
        save_issues(connection, [boxed])
        assert find_issue(connection, "ML-1") == boxed


def test_an_issue_comes_back_as_it_was_read(database: Database) -> None:
    check_issues_come_back(database)


def test_the_migrations_give_exactly_the_tables(database: Database) -> None:
    with database.read() as connection:
        # The full-text index is SQLite's own kind of table, which metadata cannot describe.
        options = {"include_name": lambda name, kind, _: not (kind == "table" and name.startswith("memory"))}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_a_backlog_of_the_first_schema_is_upgraded_with_all_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    migrate_to(url, "0001")
    changes = {"kind": "baseline", "owner": "ana", "stage_since": "1970-01-01T00:00:00+00:00"}
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO experiment (number, title, created_at, created_by, stage, kind, owner, min_runs, went_back, "
            "extensions, stage_since, updated_at) "
            "VALUES (1, 'Focal loss', 0, 'ana', 'idea', 'baseline', 'ana', 3, 0, 0, 0, 0)"
        )
        connection.exec_driver_sql(
            "INSERT INTO timeline (subject, at, who, act, text, changes) VALUES ('EXP-1', 0, 'ana', 'created', ?, ?)",
            ("Focal loss", json.dumps(changes)),
        )
    engine.dispose()
    opened = open_database(url)
    with opened.read() as connection:
        experiment = find_experiment(connection, "EXP-1")
        assert experiment == replay(1, load_timeline(connection, "EXP-1"))
    opened.close()


def test_a_schema_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    opened = open_database(url)
    with opened.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    opened.close()
    with pytest.raises(DatabaseError, match=r'schema "9999", which this version does not know. Upgrade scrumbut'):
        open_database(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"Check that the folder of \[database\] url exists"):
        open_database(f"sqlite:///{tmp_path}/nowhere/s.db")


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["frame", "move", "note", "block", "unblock", "outcome", "decide", "park", "hill", "extend"]),
        st.integers(0, 7),
    ),
    max_size=15,
)


def attempt(act: str, choice: int, e: Experiment, now: datetime) -> Entry:
    """One act as a person might try it; the lifecycle may refuse it."""
    generous = Evidence(prod_beats_baseline=True)
    match act:
        case "frame":
            return lifecycle.frame(e, "ana", now, {"hypothesis": f"h{choice}", "serves": "d"})
        case "move":
            return lifecycle.move(e, list(Stage)[choice], "ben", now, generous, Rules(), reason="r")
        case "note":
            return lifecycle.note(e, "ben", now, "seen")
        case "block":
            return lifecycle.block(e, "ana", now, "labels")
        case "unblock":
            return lifecycle.unblock(e, "ana", now)
        case "park":
            return lifecycle.park(e, "ana", now, "later", date(2027, 1, 1))
        case "hill":
            return lifecycle.set_hill(e, "ana", now, "downhill")
        case "extend":
            return lifecycle.extend(e, "ana", now, "again", 1)
        case "outcome":
            return lifecycle.record_outcome(e, Outcome.BAD, "no", "ana", now)
        case _:
            return lifecycle.decide(e, Decision.STOP, "why", "ana", now, generous)


@settings(max_examples=60, deadline=None)
@given(ACTS)
def test_replaying_a_timeline_gives_the_stored_state(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    database = open_empty(tmp_path_factory.mktemp("replay") / "s.db")
    with database.write() as connection:
        experiment = add_experiment(connection, lifecycle.create("t", "ana", NOW, kind=Kind.INFRASTRUCTURE))
        for number, (act, choice) in enumerate(acts):
            now = NOW + timedelta(hours=number)
            try:
                entry = attempt(act, choice, experiment, now)
            except BacklogError:
                continue
            experiment = save_entry(connection, experiment, entry)
        assert find_experiment(connection, experiment.key) == experiment
        assert replay(experiment.number, load_timeline(connection, experiment.key)) == experiment
    database.close()


def readings(*values: float) -> list[Reading]:
    return [Reading(NOW + timedelta(hours=step), value, "r1", step, "EXP-1") for step, value in enumerate(values)]


@pytest.mark.parametrize(
    ("aggregation", "better", "worth"),
    [("best", "up", 0.8), ("best", "down", 0.7), ("last", "up", 0.75), ("mean", "up", 0.75)],
)
def test_a_run_is_worth_what_the_metrics_aggregation_says(
    database: Database, aggregation: str, better: str, worth: float
) -> None:
    with database.write() as connection:
        wanted = Metric("churn", "recall", "dev", "m", "k", Better(better), Aggregation(aggregation))
        metric = add_metric(connection, wanted)
        save_readings(connection, metric, readings(0.7, 0.8, math.nan, 0.75), {"EXP-1": 1})
        (run,) = run_values(connection, metric)
        assert run.value == pytest.approx(worth)
        assert run.experiment == "EXP-1"


def test_reading_the_same_again_stores_nothing_new_and_a_corrected_value_wins(database: Database) -> None:
    with database.write() as connection:
        metric = add_metric(connection, Metric("churn", "recall", "dev", "m", "k", Better.UP))
        first = save_readings(connection, metric, readings(0.7, 0.8), {})
        again = save_readings(connection, metric, readings(0.7, 0.8), {})
        corrected = save_readings(connection, metric, readings(0.7, 0.6), {})
        assert (first, again, corrected) == (2, 0, 1)
        assert run_values(connection, metric)[0].value == 0.7


def test_an_occurrence_belongs_to_whoever_inserts_it_first(database: Database) -> None:
    with database.write() as connection:
        owned = [ledger.claim_occurrence(connection, "report:weekly", "2026-W47", NOW, NOW) for _ in range(3)]
    assert owned == [True, False, False]


def test_a_task_is_handed_over_once_and_taken_over_when_its_worker_died(database: Database) -> None:
    lease = timedelta(minutes=10)
    with database.write() as connection:
        assert queue.defer(connection, "k", "poll_source", {"a": 1}, NOW)
        assert not queue.defer(connection, "k", "poll_source", {"a": 1}, NOW)
        first = queue.claim(connection, NOW, lease)
        assert queue.claim(connection, NOW, lease) is None
        second = queue.claim(connection, NOW + lease, lease)
        assert first is not None
        assert second is not None
        queue.finish(connection, first)  # too late: the row is the second worker's now
        assert queue.count_by_state(connection) == {"working": 1}
        queue.finish(connection, second)
        assert queue.count_by_state(connection) == {}


def test_effects_of_one_target_leave_in_order_and_others_do_not_wait(database: Database) -> None:
    with database.write() as connection:
        for target in ("card:1", "card:1", "card:2"):
            outbox.put(connection, target, "slack.post", {}, NOW)
        taken = [outbox.claim(connection, NOW, TIMEOUT, QUIET) for _ in range(3)]
        assert [effect.target if effect else None for effect in taken] == ["card:1", "card:2", None]
        assert taken[0] is not None
        outbox.settle(connection, taken[0], outbox.SENT)
        assert outbox.claim(connection, NOW, TIMEOUT, QUIET) is not None


def test_a_claim_without_an_end_is_looked_up_after_deadline_and_quiet_time_and_not_before(database: Database) -> None:
    with database.write() as connection:
        outbox.put(connection, "card:1", "slack.post", {}, NOW)
        first = outbox.claim(connection, NOW, TIMEOUT, QUIET)
        assert outbox.claim(connection, NOW + TIMEOUT + QUIET - timedelta(seconds=1), TIMEOUT, QUIET) is None
        second = outbox.claim(connection, NOW + TIMEOUT + QUIET, TIMEOUT, QUIET)
        assert first is not None
        assert second is not None
        assert (first.doubtful, second.doubtful) == (False, True)
        assert not outbox.settle(connection, first, outbox.DEAD), "the first attempt is fenced off"
        assert outbox.settle(connection, second, outbox.SENT)


def test_only_the_latest_state_of_a_card_waits_to_be_sent(database: Database) -> None:
    with database.write() as connection:
        for text in ("one", "two", "three"):
            outbox.put_latest(connection, "card:1", "slack.card", {"text": text}, NOW)
        effect = outbox.claim(connection, NOW, TIMEOUT, QUIET)
        assert effect is not None
        assert effect.payload["text"] == "three"
        assert outbox.count_by_state(connection) == {"dropped": 2, "sending": 1}


def test_the_ages_of_what_is_not_decided_are_whole_days_since_it_ran(database: Database) -> None:
    with database.write() as connection:
        for days in (0.5, 3, 3.9, 200):
            began = NOW - timedelta(days=days)
            experiment = add_experiment(connection, lifecycle.create("t", "ana", began, kind=Kind.INFRASTRUCTURE))
            save_entry(connection, experiment, Entry(began, "ana", "started", "", {"running_since": began}))
        assert open_ages(connection, NOW, timedelta(days=100)) == [0, 3, 3]


def test_a_server_that_does_not_answer_is_named_with_what_to_check_and_without_its_password() -> None:
    port = free_port()
    with pytest.raises(DatabaseError) as refused:
        open_database(f"postgresql+psycopg://ana:hunter2@127.0.0.1:{port}/backlog")
    told = str(refused.value)
    assert f'host "127.0.0.1", port "{port}", user "ana", database "backlog"' in told
    assert "Check these in [database] url" in told
    assert "hunter2" not in told
    assert "folder" not in told
