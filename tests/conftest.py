"""The stand-ins on loopback, and the product wired to them as a user's configuration would."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
import stamina

from bot.config import Settings, load_settings
from bot.flows.run_due import Schedule
from bot.flows.services import Services
from bot.schedule import schedules_of
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import open_web
from bot.wiring import open_services
from bot.work import run_until_settled
from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge
from store.database import Database, open_database
from tests import blockkit
from tests.canary import pytest_runtest_makereport as pytest_runtest_makereport  # a hook: pytest finds it here
from tests.openapi import jira_judge
from tests.shared import shared_folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The schemas and data of others; the test skips where a user has none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("the folder of schemas and data is not beside the project (SCRUMBUT_SHARED)")
    return folder


ROOM = 2 << 30  # bytes that must be free


def _memory() -> str | None:
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM
    return str(folder) if roomy else None


MEMORY = _memory()  # a folder in which a commit waits for no disk: tests kill processes, and never the machine


def pytest_configure(config: pytest.Config) -> None:
    """What tests write lies in memory where the machine has it."""
    if MEMORY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--postgresql` runs the product of every test on a real PostgreSQL instead of SQLite."""
    parser.addoption("--postgresql", action="store_true", help="run worlds on PostgreSQL")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a server of one's own; the test skips where PostgreSQL is not installed."""
    from tests import postgres

    found = postgres.binaries()
    if found is None:
        pytest.skip(postgres.MISSING)
    with postgres.running(found) as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgresql: str) -> str:
    """A database with our tables, to be copied."""
    from tests import postgres

    url = postgres.fresh_database(postgresql)
    open_database(url).close()
    return url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of this test's own database."""
    if not request.config.getoption("--postgresql"):
        place_database(tmp_path / "scrumbut.db")
        return f"sqlite:///{tmp_path}/scrumbut.db"
    from tests import postgres

    template = request.getfixturevalue("migrated").rsplit("/", 1)[1]
    return postgres.fresh_database(request.getfixturevalue("postgresql"), template)


@cache
def migrated_file() -> bytes:
    """The same in SQLite: what the migrations do has tests of its own."""
    with TemporaryDirectory() as folder:
        open_database(f"sqlite:///{folder}/s.db").close()
        return Path(folder, "s.db").read_bytes()


def place_database(path: Path) -> None:
    """Put a copy of it there, unless there is one."""
    if not path.exists():
        path.write_bytes(migrated_file())


def open_empty(path: Path) -> Database:
    """A backlog of one's own with nothing in it."""
    place_database(path)
    return open_database(f"sqlite:///{path}")


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    if not request.config.getoption("--postgresql"):
        return f"sqlite:///{tmp_path}/empty.db"
    from tests import postgres

    return postgres.fresh_database(request.getfixturevalue("postgresql"))


@dataclass
class TestClock:
    """A clock that stands until it is moved."""

    __test__ = False
    at: datetime = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday, after the weekly report

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        """Move on."""
        self.at += timedelta(**span)


@dataclass
class World:
    """The product between its stand-ins. People in it: Ana owns, Ben is on the team, Chi is a stranger."""

    settings: Settings
    services: Services
    clock: TestClock
    slack: SlackSandbox
    jira: JiraSandbox
    edge: SlackEdge
    web_url: str
    folder: Path

    def type(self, line: str, user: str = "U0ANA") -> str:
        """Type `/exp line`, let the work behind it finish, and return what the person reads."""
        before = len(self.slack.ephemerals)
        ack = self.edge.command(line, user=user)
        assert ack.status == 200, ack
        self.settle()
        return "\n".join(_text(e.message) for e in self.slack.ephemerals[before:])

    @property
    def schedules(self) -> list[Schedule]:
        """What recurs, as of now."""
        return schedules_of(self.services, timedelta(minutes=10))

    def settle(self) -> None:
        """Let everything that is due happen."""
        run_until_settled(self.services, self.schedules, wait=lambda seconds: self.clock.forward(seconds=seconds))

    def channel(self, name: str = "ml") -> list[str]:
        """What the channel shows, threads included, as text."""
        return [_text(message) for message in self.slack.messages(name)]


def _text(message: dict[str, Any]) -> str:
    from sandbox.transcript import block_text

    return "\n".join(line for block in message["blocks"] for line in block_text(block)) or message["text"]


CONFIG = """
[slack]
bot_token = "xoxb-sandbox"
signing_secret = "0123456789abcdef0123456789abcdef"
api_url = "{slack}/api/"
channel = "#ml"
[jira]
url = "{jira}"
email = "bot@example.com"
token = "jira-sandbox-token"
pat = "jira-sandbox-token"
deployment = "{deployment}"
jql = "project = ML"
fields = {{ sprint = "customfield_10020" }}
[database]
url = "sqlite:///{folder}/scrumbut.db"
[[sources]]
name = "files"
kind = "csv"
url = "{folder}/readings.csv"
[[reports]]
schedule = "mon 09:00 UTC"
[[policy]]
but = "sprints"
because = "nobody can know how long an experiment takes"
instead = "WIP 2, appetite, weekly report"
[outbox]
timeout_s = 2
quiet_s = 0.2
[testing]
allow = true
"""


@pytest.fixture
def make_world(tmp_path: Path, database_url: str) -> Iterator[Callable[..., World]]:
    """Builds worlds; every payload to Slack is held against Block Kit's schema, every exchange with Jira against
    Atlassian's document, where these are at hand. No test ever sees a sprint or due date set."""
    wrong: list[str] = []
    judge = blockkit.Judge(wrong)
    jiras: list[JiraSandbox] = []
    with ExitStack() as running:

        def make(deployment: str = "cloud", config: str = CONFIG) -> World:
            clock = TestClock()
            slack = SlackSandbox(
                now=lambda: clock().timestamp(), judge=judge.blocks, judge_view=judge.view, judge_options=judge.options
            )
            jira = JiraSandbox(deployment, now=clock)
            jiras.append(jira)
            if atlassian := jira_judge(deployment):
                jira.record = lambda *exchange: wrong.extend(atlassian.exchange(*exchange))
            slack_url = running.enter_context(serving(slack.app))
            jira_url = running.enter_context(serving(jira.app))
            path = tmp_path / "config.toml"
            filled = config.format(slack=slack_url, jira=jira_url, deployment=deployment, folder=tmp_path)
            path.write_text(filled.replace(f"sqlite:///{tmp_path}/scrumbut.db", database_url), encoding="utf-8")
            (tmp_path / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n")
            settings = load_settings(path)
            if settings.database.url.startswith("sqlite:///"):
                place_database(Path(settings.database.url.removeprefix("sqlite:///")))
            services = open_services(settings, clock)
            running.callback(services.database.close)
            app = open_app(settings.slack, services)
            web_url = running.enter_context(
                serving(
                    open_web(services, SlackEndpoint(app, settings.slack.signing_secret.get_secret_value()).receive)
                )
            )
            edge = SlackEdge(slack, slack_url, f"{web_url}/slack/events")
            return World(settings, services, clock, slack, jira, edge, web_url, tmp_path)

        yield make
        boxes = [call["body"] for jira in jiras for call in jira.calls if sets_timebox(call["body"])]
        assert boxes == [], "a sprint or a due date was set"
    assert wrong == [], "Slack's or Atlassian's document says otherwise"


def sets_timebox(body: Any) -> bool:
    """Whether a request sets a sprint or a due date; clearing one sets nothing."""
    fields = body.get("fields") if isinstance(body, dict) else None
    return isinstance(fields, dict) and any(fields.get(name) is not None for name in ("duedate", "customfield_10020"))


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The product between stand-ins of Slack and Jira Cloud."""
    return make_world()


# What is tried again is tried as often as ever, and at once. 4 is the most that anything in this process is tried.
stamina.set_testing(True, attempts=4, cap=True)

# Machines are shared and noisy: no example is judged by its time.
hypothesis.settings.register_profile("unhurried", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("unhurried")

# `--hypothesis-profile=mutants` wants a failure soon and no smallest example.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=120,
    stateful_step_count=30,
    deadline=None,
    database=None,
    phases=[hypothesis.Phase.generate],
)
