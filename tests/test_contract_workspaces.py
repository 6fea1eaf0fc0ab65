"""Many workspaces on one PostgreSQL: one queue and one set of workers for all of them, and none in another's way."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from backlog.goal import Goal
from bot.flows.services import unseen
from bot.upkeep import back_up, check, restore, upgrade
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge
from sandbox.slack_workspaces import SlackWorkspaces
from store import outbox, queue
from store.database import Database, WorkspaceDatabases, workspace_url
from store.goals import add_goal, load_goals
from store.shared_queue import SharedWorkers
from tests import postgres
from tests.test_bot_serve import healthy, wait_for
from tests.test_workspaces import ALPHA, BETA, CONFIG, KEY, PUBLIC

pytestmark = pytest.mark.contract
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def url(postgresql: str) -> str:
    return postgres.fresh_database(postgresql)


@pytest.fixture
def databases(url: str) -> Iterator[WorkspaceDatabases]:
    opened = WorkspaceDatabases(url)
    yield opened
    opened.close()


@dataclass
class Worked:
    """One thread of workers on the queue in common, and in which order it did what."""

    database: Database
    order: list[tuple[str, str]] = field(default_factory=list)

    def drain(self) -> list[tuple[str, str]]:
        names = ("poll_source", "deliver_outbox")
        tasks = {name: lambda args, name=name: self.order.append((args["workspace"], name)) for name in names}
        SharedWorkers(self.database.address, tasks, {queue.POLL: 1}, lambda attempt: None, 30.0).drain()
        return self.order


def give(database: Database, count: int) -> None:
    for number in range(count):
        with database.write() as connection:
            assert queue.defer(connection, f"poll:{number}", "poll_source", {}, NOW)


def test_what_one_workspace_asked_a_hundred_times_keeps_no_other_waiting(databases: WorkspaceDatabases) -> None:
    alpha, beta = databases.open(ALPHA), databases.open(BETA)
    give(alpha, 100)
    give(beta, 3)
    order = [workspace for workspace, _ in Worked(alpha).drain()]
    assert order[:6] == [ALPHA, BETA] * 3, "they take turns, although the first was there long before"
    assert order[6:] == [ALPHA] * 97, "and nothing of it is lost"


def test_each_workspace_counts_and_forgets_only_what_is_its_own(databases: WorkspaceDatabases) -> None:
    alpha, beta = databases.open(ALPHA), databases.open(BETA)
    give(alpha, 3)
    with beta.write() as connection:
        assert queue.defer(connection, "poll:0", "poll_source", {"key": "U0ANA"}, NOW), "the same key is another's"
        assert not queue.defer(connection, "poll:0", "poll_source", {}, NOW)
        assert queue.count_by_state(connection) == {"waiting": 1}
        assert queue.is_full(connection, 1)
        assert not queue.is_full(connection, 2)
        assert [work.args["key"] for work, _ in queue.load_waiting(connection)] == ["U0ANA"]
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
    with alpha.write() as connection:
        queue.forget_failed(connection, "U0ANA")
        assert queue.count_by_state(connection) == {"failed": 3}
    with beta.write() as connection:
        assert queue.count_by_state(connection) == {"failed": 1}


def test_connections_in_common_see_each_time_the_workspace_that_asks(databases: WorkspaceDatabases) -> None:
    opened = {id_: databases.open(id_) for id_ in (ALPHA, BETA)}
    seen: set[tuple[str, str]] = set()

    def look(id_: str) -> None:
        for _ in range(50):
            for reach in (opened[id_].read, opened[id_].write):
                with reach() as connection:
                    seen.add((id_, connection.scalar(text("SELECT current_schema()")) or ""))

    threads = [threading.Thread(target=look, args=(id_,)) for id_ in opened for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {(ALPHA, "scrumbut_t0alpha"), (BETA, "scrumbut_t0beta")}


def test_what_is_put_in_an_outbox_wakes_a_worker_once_a_transaction_and_later_once_a_second(
    databases: WorkspaceDatabases,
) -> None:
    alpha = databases.open(ALPHA)
    count = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'deliver_outbox'")
    for _ in range(2):
        with alpha.write() as connection:
            for number in range(5):
                outbox.put(connection, f"slack:post:{number}", "slack.post", {}, NOW)
    with alpha.read() as connection:
        assert connection.scalar(count) == 2
    with alpha.write() as connection:
        for _ in range(5):
            outbox.put(connection, "slack:post:9", "slack.post", {}, NOW, NOW + timedelta(minutes=1))
        assert connection.scalar(count) in (3, 4), "as many as seconds went by"


def test_what_a_transaction_put_and_took_back_wakes_nobody(databases: WorkspaceDatabases) -> None:
    alpha = databases.open(ALPHA)

    def fail() -> None:
        with alpha.write() as connection:
            outbox.put(connection, "slack:post:1", "slack.post", {}, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with alpha.write() as connection:
        outbox.put(connection, "slack:post:2", "slack.post", {}, NOW)
    assert Worked(alpha).drain() == [(ALPHA, "deliver_outbox")]


def test_one_workspace_is_checked_backed_up_and_restored_by_itself(
    databases: WorkspaceDatabases, tmp_path: Path, url: str
) -> None:
    alpha, place = databases.open(ALPHA), workspace_url(url, ALPHA)
    with alpha.write() as connection:
        add_goal(connection, Goal("churn", "keep clients", NOW, "U0ANA"))
        outbox.put(connection, "slack:post:1", "slack.post", {}, NOW)
    give(alpha, 1)
    assert check(place) == []
    assert upgrade(place) == "up to date"
    back_up(place, tmp_path / "alpha.db", unseen)
    restore(tmp_path / "alpha.db", workspace_url(url, BETA), unseen)
    beta = databases.open(BETA)
    with beta.read() as connection:
        assert [goal.key for goal in load_goals(connection)] == ["churn"]
        carried = [(work.key, work.args) for work, _ in queue.load_waiting(connection)]
        assert carried == [("poll:0", {})], "the task is this workspace's now"
    assert sorted(Worked(beta).drain()) == sorted(
        [(team, name) for team in (ALPHA, BETA) for name in ("deliver_outbox", "poll_source")]
    ), "what waited waits here too, and the outbox is looked at"


def test_replicas_serve_all_workspaces_and_another_takes_over_from_a_killed_one(
    tmp_path: Path, postgresql: str
) -> None:
    places = [SlackSandbox(), SlackSandbox()]
    places[0].team, places[1].team = ALPHA, BETA
    slack, port, url = SlackWorkspaces(places), free_port(), postgres.fresh_database(postgresql)
    web = f"http://127.0.0.1:{port}"
    (tmp_path / "alpha.toml").write_text('[slack]\nchannel = "#ml"\n')
    with ExitStack() as running:
        slack_url = running.enter_context(serving(slack.app))
        config = CONFIG.format(slack=slack_url, folder=tmp_path, key=KEY).replace(PUBLIC, web)
        config = config.replace(f"sqlite:///{tmp_path}/scrumbut.db", url).replace("[web]", f"[web]\nport = {port}")
        (tmp_path / "config.toml").write_text(config + "[queue]\nstall_s = 3\n")
        log = running.enter_context((tmp_path / "log").open("ab"))

        def run(*words: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-m", "bot.cli", *words, "--config", str(tmp_path / "config.toml")]
            process = subprocess.Popen(
                command, cwd=Path(__file__).parent.parent, stdout=log, stderr=log, env=os.environ
            )
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        run("serve", "--no-worker")
        wait_for(lambda: healthy(web))
        edges = {}
        with httpx2.Client(follow_redirects=True) as browser:
            for team in (ALPHA, BETA):
                slack.visitor = team
                assert f"scrumbut is in Sandbox {team}" in browser.get(f"{web}/slack/install").text
                edges[team] = SlackEdge(slack.workspaces[team], slack_url, f"{web}/slack/events")
        workers = [run("work"), run("work")]
        assert "EXP-1" in json.dumps(edges[ALPHA].command('new "Focal loss"').body)
        wait_for(lambda: any("Focal loss" in m["text"] for m in slack.workspaces[ALPHA].messages("ml")))
        workers[0].kill()
        edges[BETA].command("report preview weekly")
        wait_for(lambda: "Weekly report" in json.dumps([e.message for e in slack.workspaces[BETA].ephemerals]))
        assert "Focal loss" not in json.dumps([e.message for e in slack.workspaces[BETA].ephemerals])
        workers[1].send_signal(signal.SIGTERM)
        assert workers[1].wait(10) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
