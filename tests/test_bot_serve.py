"""The process as a user starts it: `scrumbut serve` in a process of its own, killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.jira import JiraSandbox
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge
from store import ledger, queue
from store.database import open_database
from tests import blockkit

PATIENCE_S = 60
CONFIG = """
[slack]
bot_token = "xoxb-sandbox"
{secret}
api_url = "{slack}/api/"
channel = "#ml"
[web]
port = {port}
[jira]
url = "{jira}"
email = "bot@example.com"
token = "jira-sandbox-token"
jql = "project = ML"
[database]
url = "sqlite:///{folder}/scrumbut.db"
[[reports]]
schedule = "mon 09:00 Europe/Berlin"
[outbox]
timeout_s = 1
quiet_s = 1
[testing]
allow = true
"""


@dataclass
class Place:
    """Stand-ins and a configuration; `serve` starts the process."""

    slack: SlackSandbox
    jira: JiraSandbox
    slack_url: str
    port: int
    folder: Path

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def edge(self) -> SlackEdge:
        return SlackEdge(self.slack, self.slack_url, f"{self.web}/slack/events")

    def reports(self) -> list[str]:
        return [m["text"] for m in self.slack.messages("ml") if m["blocks"][0]["type"] == "header" and is_report(m)]

    @contextmanager
    def serve(self, now: str = "2026-11-25T12:00:00+01:00") -> Iterator[subprocess.Popen[bytes]]:
        env = {**os.environ, "SCRUMBUT_NOW": now}
        command = [sys.executable, "-m", "bot.cli", "serve", "--config", str(self.folder / "config.toml")]
        log = (self.folder / "serve.log").open("ab")
        process = subprocess.Popen(command, env=env, cwd=Path(__file__).parent.parent, stdout=log, stderr=log)
        try:
            wait_for(lambda: process.poll() is not None or healthy(self.web))
            yield process
        finally:
            process.kill()
            process.wait()
            log.close()

    def log(self) -> str:
        return (self.folder / "serve.log").read_text()


def is_report(message: dict[str, Any]) -> bool:
    return str(message["blocks"][0]["text"]["text"]).startswith("Weekly report")


def healthy(url: str) -> bool:
    try:
        return bool(httpx2.get(f"{url}/healthz", timeout=1).json() == {"ok": True})
    except httpx2.TransportError:
        return False


def wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    with ExitStack() as running:

        def make(socket_mode: bool = False) -> Place:
            slack, jira = SlackSandbox(judge=blockkit.problems, judge_view=blockkit.view_problems), JiraSandbox()
            slack_url = running.enter_context(serving(slack.app))
            jira_url = running.enter_context(serving(jira.app))
            slack.socket_url = slack_url.replace("http:", "ws:")
            secret = 'app_token = "xapp-sandbox"' if socket_mode else f'signing_secret = "{slack.signing_secret}"'
            place = Place(slack, jira, slack_url, free_port(), tmp_path)
            filled = CONFIG.format(secret=secret, slack=slack_url, port=place.port, jira=jira_url, folder=tmp_path)
            (tmp_path / "config.toml").write_text(filled)
            return place

        yield make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()


def test_a_signed_command_becomes_a_card_and_a_link_reaches_jira(place: Place) -> None:
    key = place.jira.add_issue("ML", "Char tokens")
    with place.serve():
        ack = place.edge().command('new "Char-level tokens raise recall"')
        assert "EXP-1 is on the backlog" in ack.body["text"]
        wait_for(lambda: place.slack.messages("ml"))
        place.edge().command(f"link EXP-1 {key}")
        wait_for(lambda: place.jira.links(key))
    assert place.jira.links(key)[0]["globalId"] == "scrumbut:EXP-1"


def test_the_same_handlers_answer_over_socket_mode(make_place: Callable[..., Place]) -> None:
    place = make_place(socket_mode=True)
    with place.serve():
        wait_for(lambda: place.slack.sockets)
        ack = SlackEdge(place.slack, place.slack_url).command('new "Char-level tokens raise recall"')
        assert "EXP-1 is on the backlog" in ack.body["text"]
        wait_for(lambda: place.slack.messages("ml"))
        edge = SlackEdge(place.slack, place.slack_url)
        edge.click("Frame", place.slack.messages("ml")[0])
        assert edge.suggest("frame.goal", "") == []
        assert edge.submit(hypothesis="we believe").body["response_action"] == "clear"
        edge.event({"type": "app_home_opened", "user": "U0ANA", "channel": "D1", "tab": "home"})
        wait_for(lambda: "framed" in str(place.slack.views.homes.get("U0ANA")))
        assert httpx2.post(f"{place.web}/slack/events").status_code == 404


def know_the_report(place: Place) -> None:
    """The schedule as a process that ran before left it: however long a start takes, nothing is missed."""
    database = open_database(f"sqlite:///{place.folder}/scrumbut.db")
    with database.write() as connection:
        ledger.hold_checked(connection, {"report:weekly-manager"}, datetime.fromisoformat("2026-11-23T08:59+01:00"))
    database.close()


def test_on_monday_morning_the_report_goes_out_once_and_a_restart_changes_nothing(place: Place) -> None:
    know_the_report(place)
    with place.serve("2026-11-23T08:59:57+01:00") as process:
        wait_for(lambda: len(place.slack.messages("ml")) >= 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    with place.serve("2026-11-23T09:00:10+01:00"):
        time.sleep(3)  # several beats of the clock
    assert len(place.reports()) == 1


def test_kill_9_while_the_report_is_being_posted_still_gives_one_report(place: Place) -> None:
    know_the_report(place)
    place.slack.faults.add("chat.postMessage", "hang_after", seconds=30)
    with place.serve("2026-11-23T08:59:58+01:00") as process:
        wait_for(place.reports)  # Slack has it, the product does not know
        process.kill()
        process.wait()
    with place.serve("2026-11-23T09:00:30+01:00"):
        wait_for(lambda: len(place.slack.messages("ml")) >= 4)  # the report and its three answers
        time.sleep(3)
    assert len(place.reports()) == 1
    calls = [call["method"] for call in place.slack.calls]
    assert "conversations.history" in calls


def test_work_that_a_killed_process_had_in_hand_is_taken_up_at_once(place: Place) -> None:
    now = datetime.fromisoformat("2026-11-25T12:00:00+01:00")
    database = open_database(f"sqlite:///{place.folder}/scrumbut.db")
    with database.write() as connection:
        args = {"report": "weekly", "audience": "manager", "due_at": now.isoformat()}
        queue.defer(connection, "report:weekly:2026-W48", "write_report", args, now)
        assert queue.claim(connection, now, timedelta(hours=9))
    database.close()
    with place.serve(now.isoformat()):
        wait_for(place.reports)


def test_kill_9_after_an_acknowledged_command_loses_nothing(place: Place) -> None:
    with place.serve() as process:
        ack = place.edge().command('new "Char-level tokens raise recall"')
        process.kill()
        process.wait()
    assert ack.status == 200
    with place.serve():
        wait_for(lambda: place.slack.messages("ml"))
        assert "Char-level tokens" in str(place.edge().command("show EXP-1").body)
    cards = [m for m in place.slack.messages("ml") if "thread_ts" not in m]
    assert len(cards) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x-slack-request-timestamp": "abc", "x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-request-timestamp": "9" * 400, "x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-request-timestamp": "1", "x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-request-timestamp": "1"},
        {},
    ],
)
def test_an_unsigned_request_is_refused_and_never_breaks_the_server(place: Place, headers: dict[str, str]) -> None:
    with place.serve():
        answer = httpx2.post(f"{place.web}/slack/events", content=b"command=/exp&text=new+x", headers=headers)
        assert answer.status_code == 401
        assert healthy(place.web)
    assert "Traceback" not in place.log()


def test_two_processes_on_one_file_are_refused(place: Place) -> None:
    with place.serve() as first, place.serve() as second:
        assert second.wait(PATIENCE_S) == 1
        assert f"Another scrumbut serve (process {first.pid})" in place.log()


def test_no_secret_reaches_the_log(place: Place) -> None:
    place.slack.faults.add("chat.postMessage", "503", times=2)
    with place.serve():
        place.edge().command('new "Char-level tokens raise recall"')
        wait_for(lambda: place.slack.messages("ml"))
    secrets = (place.slack.bot_token, place.slack.signing_secret, place.jira.token)
    assert not [secret for secret in secrets if secret in place.log()]
