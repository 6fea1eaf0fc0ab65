"""A configuration with a report due every half second, the stand-ins in bad weather around it, and processes of the
product that are started again when they end.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from sandbox.faults import Weather
from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge

ROOT = Path(__file__).parent.parent
REPORTS_A_MINUTE = 110
TIMEOUT_S, QUIET_S, STALL_S = 2, 4, 5
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CONFIG = """
[slack]
bot_token = "{slack.bot_token}"
signing_secret = "{slack.signing_secret}"
api_url = "{slack_url}/api/"
channel = "#ml"
[web]
port = {port}
[jira]
url = "{jira_url}"
email = "{jira.email}"
token = "{jira.token}"
jql = "project = ML"
[database]
url = "{database}"
[outbox]
timeout_s = {timeout}
quiet_s = {quiet}
[queue]
stall_s = {stall}
[sync]
every = "20s"
"""
REPORT = '[[reports]]\naudience = "a{number}"\nschedule = "{day} {at:%H:%M} UTC"\n'
SOURCE = '[[sources]]\nname = "files-{number}"\nkind = "csv"\nurl = "{folder}/readings.csv"\nevery = "5s"\n'


@dataclass
class Replica:
    """One process of the product, started again soon after it ends."""

    config: Path
    port: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    paused_until: float = 0.0
    starts: int = 0

    def start(self) -> None:
        """Begin, or begin again."""
        self.starts += 1
        command = [sys.executable, "-m", "bot.cli", "serve", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ.copy())

    def tend(self) -> None:
        """What a supervisor does: start it again, and let it go on after its pause."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        elif self.paused_until and time.monotonic() >= self.paused_until:
            self.paused_until = 0.0
            self.process.send_signal(signal.SIGCONT)

    def is_up(self) -> bool:
        """Whether it answers."""
        if self.paused_until or self.process is None or self.process.poll() is not None:
            return False
        try:
            return bool(httpx2.get(f"http://127.0.0.1:{self.port}/healthz", timeout=1).status_code == 200)
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        """No handler runs."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pause(self, seconds: float) -> None:
        """For longer than the others believe it alive."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.paused_until = time.monotonic() + seconds


@dataclass
class Place:
    """Stand-ins, replicas, and when which report is due."""

    slack: SlackSandbox
    jira: JiraSandbox
    slack_url: str
    database: str
    folder: Path
    due: dict[str, datetime] = field(default_factory=dict)  # by audience
    replicas: list[Replica] = field(default_factory=list)

    def edge(self, replica: Replica) -> SlackEdge:
        """A person's Slack, which reaches that process."""
        return SlackEdge(self.slack, self.slack_url, f"http://127.0.0.1:{replica.port}/slack/events", patience_s=10)

    def end(self) -> None:
        """Nobody runs any more."""
        for replica in self.replicas:
            if replica.process is not None:
                replica.kill()

    def calm(self) -> None:
        """The weather is good again, and everybody runs."""
        self.slack.faults, self.jira.faults = Weather(0), Weather(0)
        for replica in self.replicas:
            replica.paused_until = min(replica.paused_until, time.monotonic())
            replica.tend()


@contextmanager
def open_place(folder: Path, database: str, ports: list[int], first: datetime, minutes: int) -> Iterator[Place]:
    """Stand-ins that run, and a configuration for each port; `minutes` of reports are due from `first` on."""
    slack, jira = SlackSandbox(), JiraSandbox()
    slack.faults, jira.faults = Weather(0), Weather(0)
    with ExitStack() as running:
        urls = [running.enter_context(serving(app)) for app in (slack.app, jira.app)]
        place = Place(slack, jira, urls[0], database, folder)
        (folder / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n")
        told = "".join(_reports(place, first, minutes))
        told += "".join(SOURCE.format(number=number, folder=folder) for number in range(3))
        for port in ports:
            config = folder / f"{port}.toml"
            given = {"slack": slack, "jira": jira, "slack_url": urls[0], "jira_url": urls[1], "database": database}
            limits = {"timeout": TIMEOUT_S, "quiet": QUIET_S, "stall": STALL_S}
            config.write_text(CONFIG.format(port=port, **given, **limits) + told)
            place.replicas.append(Replica(config, port, folder / f"{port}.log"))
        running.callback(place.end)
        yield place


def _reports(place: Place, first: datetime, minutes: int) -> Iterator[str]:
    for number in range(minutes * REPORTS_A_MINUTE):
        at = first + timedelta(minutes=number // REPORTS_A_MINUTE)
        place.due[f"a{number}"] = at
        yield REPORT.format(number=number, day=DAYS[at.weekday()], at=at)


def next_minute(after_s: float) -> datetime:
    """The first whole minute at least that far ahead."""
    at = datetime.now(UTC) + timedelta(seconds=after_s)
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)
