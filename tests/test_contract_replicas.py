"""Several processes on one PostgreSQL: the web side, and workers that come and go."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.work import rest_after
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge
from store import queue
from store.database import open_database
from tests import postgres
from tests.test_bot_serve import healthy, wait_for

pytestmark = pytest.mark.contract
NOW = datetime.fromisoformat("2026-11-25T12:00:00+01:00")
CONFIG = """
[slack]
bot_token = "xoxb-sandbox"
signing_secret = "{slack.signing_secret}"
api_url = "{slack_url}/api/"
channel = "#ml"
[web]
port = {port}
[database]
url = "{database}"
[[sources]]
name = "files"
kind = "csv"
url = "{folder}/readings.csv"
every = "1h"
[outbox]
timeout_s = 1
quiet_s = 1
[queue]
stall_s = 3
[testing]
allow = true
"""


@dataclass
class Fleet:
    """Stand-in, database and configuration; `run` starts a process of the product."""

    slack: SlackSandbox
    slack_url: str
    database: str
    port: int
    folder: Path
    running: ExitStack

    def run(self, *command: str) -> "subprocess.Popen[bytes]":
        log = self.running.enter_context((self.folder / "log").open("ab"))
        words = [sys.executable, "-m", "bot.cli", *command, "--config", str(self.folder / "config.toml")]
        env = {**os.environ, "SCRUMBUT_NOW": NOW.isoformat()}
        process = subprocess.Popen(words, env=env, cwd=Path(__file__).parent.parent, stdout=log, stderr=log)
        self.running.callback(process.wait)
        self.running.callback(process.kill)
        return process

    def serve(self, *options: str) -> SlackEdge:
        process = self.run("serve", *options)
        wait_for(lambda: process.poll() is not None or healthy(f"http://127.0.0.1:{self.port}"))
        return SlackEdge(self.slack, self.slack_url, f"http://127.0.0.1:{self.port}/slack/events")

    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def fleet(tmp_path: Path, postgresql: str) -> Iterator[Fleet]:
    slack, port, database = SlackSandbox(), free_port(), postgres.fresh_database(postgresql)
    with ExitStack() as running:
        url = running.enter_context(serving(slack.app))
        filled = CONFIG.format(slack=slack, slack_url=url, port=port, database=database, folder=tmp_path)
        (tmp_path / "config.toml").write_text(filled)
        (tmp_path / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n")
        yield Fleet(slack, url, database, port, tmp_path, running)


def test_what_the_web_side_hands_over_is_answered_by_a_worker(fleet: Fleet) -> None:
    edge = fleet.serve("--no-worker")
    edge.command('goal add churn "keep clients" --metric recall')
    edge.command("metric add recall --goal churn --source files --key recall")
    edge.command("metric test recall")
    fleet.run("work")
    wait_for(lambda: "has no reading yet" in str(fleet.slack.ephemerals[-1].message))


@contextmanager
def a_report_that_cannot_be_written(fleet: Fleet) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in the middle of a task that does not end before this does."""
    database = open_database(fleet.database)
    args = {"report": "weekly", "audience": "manager", "number": 0, "due_at": NOW.isoformat()}
    with database.write() as connection:
        queue.defer(connection, "report:weekly:2026-W48", "write_report", args, NOW)
    with database.write() as blocking:
        blocking.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        blocking.execute(text("LOCK TABLE report IN ACCESS EXCLUSIVE MODE"))
        worker = fleet.run("work")
        wait_for(lambda: state_of(fleet) == {"working": 1})
        yield worker
    database.close()


def test_the_work_of_a_killed_worker_is_taken_over_and_the_report_is_there_once(fleet: Fleet) -> None:
    with a_report_that_cannot_be_written(fleet) as worker:
        worker.kill()
    fleet.run("work")
    fleet.run("work")
    wait_for(lambda: len(fleet.slack.messages("ml")) >= 4 and state_of(fleet) == {})
    assert len([m for m in fleet.slack.messages("ml") if "thread_ts" not in m]) == 1


def state_of(fleet: Fleet) -> dict[str, int]:
    database = open_database(fleet.database)
    with database.read() as connection:
        counted = queue.count_by_state(connection)
    database.close()
    return counted


def test_a_worker_ends_within_ten_seconds_although_its_task_hangs(fleet: Fleet) -> None:
    with a_report_that_cannot_be_written(fleet) as worker:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0


def test_a_task_that_fails_is_tried_again_and_given_up_after_eight_times() -> None:
    assert [rest_after(attempt) for attempt in (1, 2, 7, 8)] == [
        timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=320), None,
    ]  # fmt: skip


def test_the_same_key_waits_once(postgresql: str) -> None:
    database = open_database(postgres.fresh_database(postgresql))
    with database.write() as connection:
        given = [queue.defer(connection, "k", "write_report", {}, NOW) for _ in range(2)]
        given.append(queue.defer(connection, "other", "write_report", {}, NOW))
        assert given == [True, False, True]
        assert queue.count_by_state(connection) == {"waiting": 2}
    database.close()
