"""The same flows once against a Slack that nobody here wrote: npm's `emulate`, run by the Node of npm's `node`.

It keeps messages, threads, views, users and conversations. It knows no commands, no interactivity and no response URLs,
and takes any blocks: the driver stands in front of it and fills that in.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.config import load_settings
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import open_web
from bot.wiring import open_services
from sandbox.faults import drop
from sandbox.jira import JiraSandbox
from sandbox.serving import free_port, serving
from sandbox.slack import Channel, SlackSandbox
from sandbox.slack_edge import SlackEdge
from store import outbox
from tests import blockkit
from tests.conftest import CONFIG, TestClock, World, _text

pytestmark = pytest.mark.contract
ROOT = Path(__file__).parent.parent
START_S = 60
SEED = """
slack:
  team: {name: Sandbox, domain: sandbox}
  users:
    - {name: ana, real_name: Ana}
    - {name: ben, real_name: Ben}
  channels:
    - {name: ml}
    - {name: ml-managers}
  bots:
    - {name: scrumbut}
"""


@dataclass
class Front:
    """What stands before emulate: judges each message as Slack would, and loses the next answers of a method.

    A view is shown on both sides: emulate has to take it, and the driver's person fills it in.
    """

    url: str
    sandbox: SlackSandbox
    called: list[str] = field(default_factory=list)
    lose: list[str] = field(default_factory=list)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        method = request.url.path.removeprefix("/api/")
        if method.startswith("/commands/"):
            await self.sandbox.app(scope, receive, send)
            return
        answer = await self._forward(method, request)
        if method in self.lose:
            self.lose.remove(method)
            drop(send)
            return
        await answer(scope, receive, send)

    async def _forward(self, method: str, request: Request) -> Response:
        body = await request.body()
        given = _arguments(request, body)
        self.called.append(method)
        if blocks := given.get("blocks"):
            assert blockkit.problems(json.loads(blocks) if isinstance(blocks, str) else blocks) == []
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        if method == "views.open":
            body, headers["content-type"] = self._with_its_trigger(given), "application/json"
        said = httpx2.post(f"{self.url}/api/{method}", content=body, headers=headers, timeout=10)
        if method == "views.open" and said.json()["ok"]:
            self.sandbox.views_open(given)
        return JSONResponse(said.json(), said.status_code)

    def _with_its_trigger(self, given: dict[str, Any]) -> bytes:
        """The driver's click is one that emulate knows of, too."""
        user, _ = self.sandbox.views._triggers[given["trigger_id"]]
        trigger = self.call("views.generateTriggerId", user_id=user)["trigger_id"]
        view = json.loads(given["view"]) if isinstance(given["view"], str) else given["view"]
        return json.dumps({"view": view, "trigger_id": trigger}).encode()

    def call(self, method: str, **arguments: Any) -> Any:
        """Ask emulate itself."""
        token = {"Authorization": f"Bearer {self.sandbox.bot_token}"}
        told = httpx2.post(f"{self.url}/api/{method}", json=arguments, headers=token, timeout=10).json()
        assert told["ok"], told
        return told


def _arguments(request: Request, body: bytes) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        return dict(json.loads(body or b"{}"))
    return dict(httpx2.QueryParams(body.decode()))


@pytest.fixture(scope="module")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running emulate, or a skip that says what is missing."""
    binaries = Path(os.environ.get("SCRUMBUT_EMULATE", ROOT / ".emulate")) / "node_modules/.bin"
    if not (binaries / "emulate").exists() or not (binaries / "node").exists():
        pytest.skip(f"no Node and emulate in {binaries}: npm install --prefix .emulate emulate@0.12.2 node@24")
    folder, port = tmp_path_factory.mktemp("emulate"), free_port()
    (folder / "seed.yaml").write_text(SEED)
    command = [str(binaries / "node"), str((binaries / "emulate").resolve()), "start", "--service", "slack"]
    with (folder / "emulate.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port), "--seed", str(folder / "seed.yaml")], stdout=log, stderr=log, cwd=folder
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, server, folder / "emulate.log")
        yield url
    finally:
        server.kill()
        server.wait()


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx2.post(f"{url}/api/auth.test", headers={"Authorization": "Bearer x"}).json()["ok"]:
                return
        except httpx2.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"emulate did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def front(emulate: str) -> Front:
    """The driver knows emulate's people and channels by their ids there."""
    front = Front(emulate, SlackSandbox(judge=blockkit.problems, judge_view=blockkit.view_problems))
    front.sandbox.team = front.call("auth.test")["team_id"]
    front.sandbox.users = {user["id"]: user["name"] for user in front.call("users.list")["members"]}
    channels = front.call("conversations.list", limit=200)["channels"]
    front.sandbox.channels = {c["id"]: Channel(c["id"], c["name"]) for c in channels}
    return front


@pytest.fixture
def world(front: Front, tmp_path: Path) -> Iterator[World]:
    """The product as a user configures it, with emulate behind `api_url`."""
    clock, jira = TestClock(datetime.now(UTC)), JiraSandbox()
    with ExitStack() as running:
        slack_url, jira_url = running.enter_context(serving(front.app)), running.enter_context(serving(jira.app))
        path = tmp_path / "config.toml"
        config = CONFIG.replace('"#ml"', f'"{of(front.sandbox.channels, "ml")}"')  # names it takes only without "#"
        path.write_text(config.format(slack=slack_url, jira=jira_url, deployment="cloud", folder=tmp_path))
        (tmp_path / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n")
        settings = load_settings(path)
        services = open_services(settings, clock)
        running.callback(services.database.close)
        endpoint = SlackEndpoint(open_app(settings.slack, services), settings.slack.signing_secret.get_secret_value())
        web_url = running.enter_context(serving(open_web(services, endpoint.receive)))
        edge = SlackEdge(front.sandbox, slack_url, f"{web_url}/slack/events")
        yield World(settings, services, clock, front.sandbox, jira, edge, web_url, tmp_path)


def of(names: dict[str, Any], wanted: str) -> str:
    """The id behind a name."""
    return next(id_ for id_, name in names.items() if getattr(name, "name", name) == wanted)


def fresh(front: Front, channel: str, before: int) -> list[dict[str, Any]]:
    """The messages that came to a channel since, oldest first."""
    return list(reversed(front.call("conversations.history", channel=channel, limit=200)["messages"]))[before:]


def count(front: Front, channel: str) -> int:
    return len(front.call("conversations.history", channel=channel, limit=200)["messages"])


def test_an_experiments_card_its_thread_and_its_edits_are_there(front: Front, world: World) -> None:
    ana, ml = of(front.sandbox.users, "ana"), of(front.sandbox.channels, "ml")
    before = count(front, ml)
    edge = world.edge
    assert "EXP-1 is on the backlog" in str(edge.command('new "Char-level tokens"', user=ana, channel=ml).body)
    world.settle()
    edge.command("block EXP-1 labels are late", user=ana, channel=ml)
    world.settle()
    (card,) = fresh(front, ml, before)
    assert "blocked: labels are late" in _text(card)
    thread = front.call("conversations.replies", channel=ml, ts=card["ts"])["messages"]
    assert [_text(message) for message in thread[1:]] == ["ana blocked: labels are late"]


def test_a_post_whose_answer_was_lost_is_found_there_and_not_posted_twice(front: Front, world: World) -> None:
    ana, ml = of(front.sandbox.users, "ana"), of(front.sandbox.channels, "ml")
    before = count(front, ml)
    front.lose.append("chat.postMessage")
    world.edge.command('new "Focal loss"', user=ana, channel=ml)
    world.settle()
    assert len(fresh(front, ml, before)) == 1
    assert "conversations.history" in front.called
    with world.services.database.read() as connection:
        assert outbox.count_by_state(connection) == {outbox.SENT: 1}


def test_the_weekly_report_is_posted_with_its_thread(front: Front, world: World) -> None:
    ana, ml = of(front.sandbox.users, "ana"), of(front.sandbox.channels, "ml")
    before = count(front, ml)
    world.edge.command("report post weekly", user=ana, channel=ml)
    world.settle()
    (report,) = fresh(front, ml, before)
    assert _text(report).startswith("Weekly report")
    assert len(front.call("conversations.replies", channel=ml, ts=report["ts"])["messages"]) > 1


def test_a_notice_reaches_a_person_and_its_button_ends_it(front: Front, world: World) -> None:
    ana, ben = of(front.sandbox.users, "ana"), of(front.sandbox.users, "ben")
    ml = of(front.sandbox.channels, "ml")
    world.edge.command("subscribe everything ideas", user=ben, channel=ml)
    world.edge.command('new "Seen by Ben"', user=ana, channel=ml)
    world.settle()
    world.clock.forward(minutes=2)
    world.settle()
    direct = front.call("conversations.open", users=ben)["channel"]["id"]
    (notice,) = front.call("conversations.history", channel=direct)["messages"]
    assert "Seen by Ben, ana created" in _text(notice)
    assert world.edge.click("Unsubscribe", notice, ben, channel=ml).status == 200
    world.settle()
    assert "No more of everything." in str(front.sandbox.ephemerals[-1].message)


def test_a_modal_opens_there_and_what_is_sent_becomes_an_experiment(front: Front, world: World) -> None:
    ana, ml = of(front.sandbox.users, "ana"), of(front.sandbox.channels, "ml")
    before = count(front, ml)
    assert world.edge.command("new", user=ana, channel=ml).status == 200
    assert "views.open" in front.called
    assert world.edge.submit(ana, title="From a modal").status == 200
    world.settle()
    assert ["From a modal" in _text(message) for message in fresh(front, ml, before)] == [True]


def test_the_home_of_a_person_is_published_there(front: Front, world: World) -> None:
    ana = of(front.sandbox.users, "ana")
    world.edge.event({"type": "app_home_opened", "user": ana, "tab": "home", "channel": "D1"})
    world.settle()
    assert "views.publish" in front.called


def test_the_doctor_finds_its_way_there(front: Front, world: World) -> None:
    lines = [str(finding) for finding in world.services.examine()]
    assert any(line.startswith("✓ Slack:") and '"Sandbox"' in line for line in lines), lines
    assert f"✓ channels: the bot is in {of(front.sandbox.channels, 'ml')}" in lines
