"""Polling: what comes is kept once, and what is broken stops nothing else."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from backlog.metric import Better, Metric, Reading
from bot.cli import app
from bot.exposition import expose
from bot.flows.manage_metrics import try_source
from bot.flows.poll_metrics import OVERLAP, Polled, poll_source
from bot.flows.read_sources import read_sources
from bot.flows.services import Services, SourcePlan
from bot.schedule import jitter_of, schedules_of
from bot.web import open_web
from bot.work import Workers
from integrations.http import IntegrationError
from integrations.sources.http_json import HttpJson
from integrations.sources.mlflow import MLflow
from integrations.sources.prometheus import Prometheus
from integrations.sources.source import Found, Source, SourceConfig
from integrations.sources.wandb import WandB
from store import queue
from store.metrics import add_metric, load_metrics, run_values, source_states
from tests import hostile
from tests.conftest import open_empty

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
EVERY = timedelta(minutes=15)


@dataclass
class Told:
    """A source that answers what the test told it, and remembers what it was asked."""

    name: str
    answer: Callable[[Metric], Sequence[Reading] | IntegrationError] = lambda metric: []
    asked: list[tuple[list[str], datetime | None]] = field(default_factory=list)

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        self.asked.append(([metric.name for metric in metrics], since))
        for metric in metrics:
            yield metric, self.answer(metric)


@dataclass
class Desk:
    """A database with one source, and a clock."""

    services: Services
    told: Told
    at: list[datetime]

    def poll(self) -> Polled:
        return poll_source(self.services, self.services.sources["told"])

    def track(self, name: str, every: str = "") -> Metric:
        with self.services.database.write() as connection:
            return add_metric(connection, Metric("churn", name, "dev", "told", name, Better.UP, every=every))

    def values(self, name: str) -> list[float]:
        with self.services.database.read() as connection:
            return [run.value for m in load_metrics(connection, name=name) for run in run_values(connection, m)]

    def forward(self, **span: float) -> None:
        self.at[0] += timedelta(**span)


def open_desk(tmp_path: Path) -> Desk:
    at, told = [START], Told("told")
    plan = SourcePlan("told", "told", EVERY, told)
    services = Services(open_empty(tmp_path / "s.db"), lambda: at[0], sources={"told": plan})
    return Desk(services, told, at)


def test_a_poll_goes_on_shortly_before_the_last_one_and_keeps_each_reading_once(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.told.answer = lambda _: [Reading(START, 0.7, "r1"), Reading(START, 0.8, "r2")]
    assert desk.poll().readings == 2
    desk.forward(minutes=15)
    assert desk.poll().readings == 0
    assert [since for _, since in desk.told.asked] == [None, START - OVERLAP]


def test_what_is_wrong_with_one_metric_stops_only_that_metric(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.track("latency")
    desk.told.answer = lambda m: (
        IntegrationError("told", "3 series.", "Add a label.") if m.name == "latency" else [Reading(START, 0.7)]
    )
    assert desk.poll().error == "latency (dev) from told: 3 series. Add a label."
    assert desk.values("recall") == [0.7]
    desk.forward(minutes=15)
    desk.told.answer = lambda _: [Reading(START, 12.0)]
    assert desk.poll().error == ""
    assert desk.told.asked[1:] == [(["recall"], START - OVERLAP), (["latency"], None)], "from where each one stands"


def test_a_broken_source_keeps_its_error_until_it_can_be_read(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")

    def broken(_: Metric) -> Sequence[Reading]:
        raise IntegrationError("told", "it is down.", "Start it.")

    desk.told.answer = broken
    assert desk.poll().error == "told: it is down. Start it."
    assert _state(desk) == (None, "told: it is down. Start it.")
    desk.told.answer = lambda _: []
    desk.poll()
    assert _state(desk) == (START, "")


def _state(desk: Desk) -> tuple[datetime | None, str]:
    with desk.services.database.read() as connection:
        return source_states(connection)["told"]


def test_a_source_that_goes_back_in_time_loses_and_doubles_nothing(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.told.answer = lambda _: [Reading(START, 0.8, "r1", 5)]
    desk.poll()
    desk.at[0] = START - timedelta(days=2)  # our clock, too
    desk.told.answer = lambda _: [Reading(START - timedelta(days=2), 0.6, "r1", 6)]
    assert desk.poll().readings == 1
    assert desk.values("recall") == [0.8]
    desk.at[0] = START
    desk.poll()
    assert desk.told.asked[-1][1] == START - OVERLAP, "from where it stood before the clock went back"


def test_a_reading_from_the_future_is_left_out_and_named(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.told.answer = lambda _: [Reading(START, 0.7), Reading(datetime(2999, 1, 1, tzinfo=UTC), 0.9)]
    assert desk.poll().error == (
        "recall (dev) from told: a reading of 2999-01-01 00:00 UTC is in the future, and was left out. "
        "Mend the clock that wrote it."
    )
    assert desk.values("recall") == [0.7]


def test_a_metric_may_be_read_less_often_than_its_source(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.track("cost", every="1h")
    for _ in range(6):
        desk.poll()
        desk.forward(minutes=15)
    times = [sum(name in names for names, _ in desk.told.asked) for name in ("recall", "cost")]
    assert times == [6, 2]


def test_a_source_still_being_polled_is_not_polled_a_second_time(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    again: list[Polled] = []

    def meanwhile(_: Metric) -> Sequence[Reading]:
        again.append(desk.poll())
        return []

    desk.told.answer = meanwhile
    assert not desk.poll().busy
    assert [done.busy for done in again] == [True]


def test_a_trial_stores_nothing_and_leaves_the_next_poll_as_it_was(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.told.answer = lambda _: [Reading(START, 0.7, "r1"), Reading(START + EVERY, 0.8, "r1")]
    (trial,) = try_source(desk.services, desk.services.sources["told"])
    assert (trial.count, [reading.value for reading in trial.latest]) == (2, [0.8, 0.7])
    assert desk.values("recall") == []
    assert desk.poll().readings == 2


def test_how_a_source_is_doing_is_told_to_people_and_to_prometheus(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    assert [(s.read_at, s.lag, s.late) for s in read_sources(desk.services)] == [(None, None, False)]
    desk.poll()
    desk.forward(hours=1)
    (status,) = read_sources(desk.services)
    assert (status.metrics, status.read_at, status.lag, status.late) == (1, START, timedelta(hours=1), True)
    told = TestClient(open_web(desk.services, None)).get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=")
    assert 'scrumbut_source_up{kind="told",source="told"} 1.0' in told.text
    assert 'scrumbut_source_lag_seconds{kind="told",source="told"} 3600.0' in told.text
    desk.told.answer = lambda _: IntegrationError("told", "it is down.")
    desk.poll()
    (status,) = read_sources(desk.services)
    assert (status.read_at, status.error, status.late) == (START, "recall (dev) from told: it is down.", True)
    assert 'scrumbut_source_up{kind="told",source="told"} 0.0' in expose(desk.services).decode()


LIES = [
    hostile.hangs,
    hostile.drips,
    hostile.never_ends,
    hostile.bomb,
    hostile.redirects,
    hostile.says(b"<html>Sign in</html>"),
    hostile.says(b'{"runs": "none", "data": [1, 2], "experiments": {"a": 1}, "recall": "high"}'),
    hostile.says(b"", status=b"401 Unauthorized"),
]


KINDS = ((MLflow, "recall"), (Prometheus, "recall"), (WandB, "recall"), (HttpJson, "$.recall"))


@pytest.mark.parametrize(("kind", "key"), KINDS)
@pytest.mark.parametrize("answer", LIES)
def test_whatever_a_source_answers_the_poll_ends_names_it_and_the_others_are_read(
    tmp_path: Path, answer: hostile.Answer, kind: Callable[[SourceConfig], Source], key: str
) -> None:
    desk = open_desk(tmp_path)
    desk.track("recall")
    desk.told.answer = lambda _: [Reading(START, 0.7)]
    with hostile.hostile(answer) as host:
        patience_s = 0.2 if answer in (hostile.hangs, hostile.drips) else 5
        config = SourceConfig("liar", f"http://{host}", timeout_s=patience_s, auth="api:k", allow=frozenset({host}))
        plan = SourcePlan("liar", "liar", EVERY, kind(config))
        with desk.services.database.write() as connection:
            add_metric(connection, Metric("churn", "other", "dev", "liar", key, Better.UP, scope="team/churn"))
        assert "liar: " in poll_source(desk.services, plan).error
    assert desk.poll().readings == 1


def test_dry_run_shows_the_raw_answer_and_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("time,metric,value,run\n2026-11-20T10:00:00,recall,nan,r1\n")
    sources = "".join(
        f'[[sources]]\nname = "{name}"\nkind = "csv"\nurl = "{tmp_path}/{name}.csv"\n' for name in ("r", "gone")
    )
    (tmp_path / "c.toml").write_text(f'[database]\nurl = "sqlite:///{tmp_path}/s.db"\n{sources}')
    desk = open_desk(tmp_path)
    with desk.services.database.write() as connection:
        for source in ("r", "gone"):
            metric = Metric("churn", f"recall-{source}", "dev", source, "recall", Better.UP)
            add_metric(connection, metric)
    done = CliRunner().invoke(app, ["poll", "--dry-run", "--config", str(tmp_path / "c.toml")])
    assert "r: recall-r of churn in dev (recall): 1 readings" in done.output
    assert "2026-11-20 10:00:00  not finite  r1" in done.output
    assert f'gone: "{tmp_path}/gone.csv" does not exist.' in done.output
    assert (done.exit_code, desk.values("recall-r")) == (1, [])
    told = CliRunner().invoke(app, ["poll", "--dry-run", "--json", "--config", str(tmp_path / "c.toml")])
    assert json.loads(told.output.splitlines()[0])[0]["count"] == 1


def test_sources_start_at_their_own_moment_and_every_process_agrees_on_it(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    plans = {name: replace(desk.services.sources["told"], name=name) for name in "abcdefgh"}
    schedules = schedules_of(replace(desk.services, sources=plans), timedelta(minutes=10))
    due = [schedule.times(START, START + EVERY) for schedule in schedules if schedule.name.startswith("poll:")]
    assert [len(times) for times in due] == [1] * len(plans)
    assert len({times[0] for times in due}) == len(plans)
    assert jitter_of("a", EVERY) == timedelta(seconds=207), "by the name alone"


def test_commands_are_worked_on_while_sources_hang(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    with desk.services.database.write() as connection:
        for number in range(5):
            queue.defer(connection, f"poll:{number}", "poll_source", {"source": "told"}, START)
        queue.defer(connection, "groups", "refresh_groups", {}, START)
        hanging = [queue.claim(connection, START, timedelta(hours=1)) for _ in range(2)]
        assert [task.name for task in hanging if task] == ["poll_source"] * 2
    workers = Workers(desk.services, tasks=0)
    workers.start()
    for _ in range(200):
        with desk.services.database.read() as connection:
            if queue.next_due(connection, without=("poll_source",)) is None:
                break
        time.sleep(0.02)
    workers.stop()
    with desk.services.database.read() as connection:
        assert queue.next_due(connection, without=("poll_source",)) is None
        assert queue.count_by_state(connection) == {"waiting": 3, "working": 2}, "polls are left to the others"
