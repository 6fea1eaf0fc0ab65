"""How long Slack waits: signed commands against one `scrumbut serve` with 10,000 experiments, beside a bare Bolt app.

The bars are absolute (p50 at most 3 ms over the bare one, p99 under 50 ms at 50 requests a second, each of 20 syncs
under 500 ms), so people judge them.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from multiprocessing import Process
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import httpx2
import uvicorn

from bench.backlog import EXPERIMENTS, PEOPLE, fill_years
from bench.floors.bolt import bare_bolt
from bench.measured import Measured, compare
from bot.config import Settings, load_settings
from bot.serve import serve
from bot.wiring import open_services
from sandbox.jira import JiraSandbox
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import sign

LINES = ("show EXP-5000", "list", "list running --goal goal-3")
RATE, SPAN_S = 50, 6  # requests a second, and for how long
ASKING = cycle(range(PEOPLE))
SYNCS, JIRA_S = 20, 2.0  # at once, and how long Jira thinks about each request
CONFIG = """
[slack]
bot_token = "{slack.bot_token}"
signing_secret = "{slack.signing_secret}"
api_url = "{slack_url}/api/"
[web]
port = {port}
[jira]
url = "{jira_url}"
email = "{jira.email}"
token = "{jira.token}"
jql = "project = ML"
[database]
url = "sqlite:///{folder}/acks.db"
"""


def acks(folder: Path, running: ExitStack) -> Iterator[Measured]:
    """Medians one after the other, the 99th percentile at a steady rate, and the slowest of 20 slow verbs at once."""
    slack = SlackSandbox()
    settings = _settings(folder, running, slack)
    ours = _process(running, settings.web.port, _serve_ours, settings)
    bare = _process(running, free := free_port(), _serve_bare, free, slack.signing_secret)
    for line in LINES:
        mine, floor = partial(_p50, ours, slack, line), partial(_p50, bare, slack, "ping")
        yield compare(f"ack of /exp {line}, p50 of {EXPERIMENTS:,}", mine, floor, "ms", None)
    for line in LINES[:2]:
        mine, floor = partial(_p99, ours, slack, line), partial(_p99, bare, slack, "ping")
        yield compare(f"ack of /exp {line}, p99 at {RATE}/s", mine, floor, "ms", None)
    mine, floor = partial(_slowest, ours, slack, "sync"), partial(_slowest, bare, slack, "ping")
    yield compare(f"{SYNCS} /exp sync at once, the slowest", mine, floor, "ms", None)


def _settings(folder: Path, running: ExitStack, slack: SlackSandbox) -> Settings:
    jira = JiraSandbox()
    urls = {
        "slack_url": running.enter_context(serving(slack.app)),
        "jira_url": running.enter_context(serving(_thinking(jira.app))),
    }
    path = folder / "acks.toml"
    path.write_text(CONFIG.format(slack=slack, jira=jira, port=free_port(), folder=folder, **urls))
    settings = load_settings(path)
    services = open_services(settings, _now)
    fill_years(services.database, _now())
    services.database.close()
    return settings


def _thinking(app: Any) -> Any:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(JIRA_S)
        await app(scope, receive, send)

    return answer


def _ask(client: httpx2.Client, url: str, slack: SlackSandbox, line: str) -> float:
    """Milliseconds from a signed command to its acknowledgement."""
    person = next(ASKING)  # one alone would ask more often than [limits] lets anybody
    who = {"user_id": f"U{person}", "user_name": f"person {person}", "team_id": slack.team}
    fields = {"command": "/exp", "text": line, **who}
    place = {"channel_id": "C0ML", "trigger_id": f"{time.time_ns()}", "response_url": "http://127.0.0.1:9/commands/0"}
    body = urlencode(fields | place).encode()
    headers = sign(slack.signing_secret, body, time.time())
    began = time.perf_counter()
    answer = client.post(f"{url}/slack/events", content=body, headers=headers)
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text
    assert "requests a minute" not in answer.text
    return took


def _p50(url: str, slack: SlackSandbox, line: str, count: int = 100) -> float:
    with httpx2.Client() as client:
        return median(_ask(client, url, slack, line) for _ in range(count))


def _p99(url: str, slack: SlackSandbox, line: str) -> float:
    """Asked at fixed times whether or not earlier ones were answered, and counted from those times."""
    with httpx2.Client() as client, ThreadPoolExecutor(16) as pool:
        start = time.perf_counter() + 0.1

        def ask(number: int) -> float:
            due = start + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            _ask(client, url, slack, line)
            return (time.perf_counter() - due) * 1000

        took = sorted(pool.map(ask, range(RATE * SPAN_S)))
    return took[math.ceil(0.99 * len(took)) - 1]


def _slowest(url: str, slack: SlackSandbox, line: str) -> float:
    with httpx2.Client() as client, ThreadPoolExecutor(SYNCS) as pool:
        return max(pool.map(lambda _: _ask(client, url, slack, line), range(SYNCS)))


def _process(running: ExitStack, port: int, target: Callable[..., None], *args: object) -> str:
    """Run a server in a process of its own, as a user does; returns its address when it answers."""
    process = Process(target=target, args=args, daemon=True)
    process.start()
    running.callback(process.kill)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{url}/healthz", timeout=1)
            return url
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RuntimeError("a server of the bench did not start")


def _now() -> datetime:
    return datetime.now(UTC)


def _serve_ours(settings: Settings) -> None:
    serve(settings, open_services(settings, _now))


def _serve_bare(port: int, secret: str) -> None:
    uvicorn.run(bare_bolt(secret), port=port, log_level="error")
