"""The clock and the outbox under load: schedules by the thousand, on one process and on two replicas, and posts a
second beside bare calls. The bars of the clock are absolute, so people judge them.
"""

import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from bench.measured import Measured
from bot.clock import machine_clock
from bot.config import load_settings
from bot.flows.deliver_outbox import deliver_all
from bot.flows.run_due import Agenda, Schedule
from bot.flows.services import Services
from bot.schedule import jitter_of, start_clock
from bot.wiring import open_services
from bot.workspaces import Workspaces
from integrations.slack import SlackClient
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from store import outbox, tables
from store.database import Database, WorkspaceDatabases, open_database
from store.installations import Installation, Tokens, save_installation
from tests import postgres
from tests.test_bot_serve import healthy

MINUTE, EPOCH = timedelta(minutes=1), datetime(1970, 1, 1, tzinfo=UTC)
ALONE, TOGETHER = 5_000, 10_000  # schedules, each due once a minute
SPAN_S, WARM_S = 70, 10
POSTS = 200
WORKSPACES, EACH = 1_000, 10  # and the schedules of each
MANY = """
[slack]
signing_secret = "0123456789abcdef0123456789abcdef"
client_id = "1.2"
client_secret = "shh"
distributed = true
[web]
public_url = "http://scrumbut.example"
[security]
encryption_keys = ["nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"]
[database]
url = "{url}"
"""
IDLE = """
[web]
port = {port}
[database]
url = "sqlite:///{folder}/idle.db"
"""


def clockwork(folder: Path, running: ExitStack) -> Iterator[Measured]:
    """Schedules, posts and an idle process."""
    yield from _alone(folder)
    found = postgres.binaries()
    if found:
        server = running.enter_context(postgres.running(found))
        yield from _together(postgres.fresh_database(server))
        yield from _many_workspaces(folder, postgres.fresh_database(server))
    yield from _posts(folder, running)
    yield _idle(folder)


def _schedules(count: int) -> list[Schedule]:
    """Spread over the minute."""
    return [_schedule(f"bench:{n}", MINUTE * n / count) for n in range(count)]


def _schedule(name: str, shift: timedelta) -> Schedule:
    def times(after: datetime, until: datetime) -> list[datetime]:
        first, last = (after - EPOCH - shift) // MINUTE + 1, (until - EPOCH - shift) // MINUTE
        return [EPOCH + shift + n * MINUTE for n in range(first, last + 1)]

    return Schedule(name, "poll_source", {"source": "none"}, times, datetime.isoformat, MINUTE, latest=True)


def _tick(url: str, count: int, span_s: float) -> float:
    """Tick for that long; returns the share of a core it took."""
    with closing(open_database(url)) as database:
        services, known = Services(database, lambda: datetime.now(UTC)), _schedules(count)
        agenda = Agenda(services, lambda: known, lambda: 0)
        agenda.tick()
        clock = start_clock(lambda: (agenda.tick(), None)[1])
        time.sleep(WARM_S)
        before, began = time.process_time(), time.monotonic()
        time.sleep(span_s)
        share = (time.process_time() - before) / (time.monotonic() - began)
        clock.shutdown()
    return share


def _late(url: str) -> tuple[float, int]:
    """The 99th percentile of how late an occurrence was written down, in seconds, and how many there are."""
    with closing(open_database(url)) as database:
        late = _lateness(database)
    return _p99(late), len(late)


def _lateness(database: Database) -> list[float]:
    with database.read() as connection:
        rows = connection.execute(select(tables.occurrence.c.due_at, tables.occurrence.c.made_at)).all()
    return [(made_at - due_at).total_seconds() for due_at, made_at in rows]


def _p99(late: list[float]) -> float:
    return sorted(late)[math.ceil(0.99 * len(late)) - 1]


def _alone(folder: Path) -> Iterator[Measured]:
    url = f"sqlite:///{folder}/alone.db"
    share = _tick(url, ALONE, SPAN_S)
    late, count = _late(url)
    yield _absolute(f"{ALONE:,} schedules a minute, % of a core", 100 * share, 5)
    yield _absolute(f"their lateness p99, s ({count:,} ticks)", late, 0.5)


def _together(url: str) -> Iterator[Measured]:
    open_database(url).close()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        shares = pool.starmap(_tick, [(url, TOGETHER, SPAN_S)] * 2)
    late, count = _late(url)
    yield _absolute(f"{TOGETHER:,} schedules a minute on two replicas, lateness p99, s ({count:,} ticks)", late, 2)
    yield _absolute("the share of a core each took, %", 100 * max(shares), 100)


def _many_workspaces(folder: Path, url: str) -> Iterator[Measured]:
    """Two replicas' clocks over a thousand workspaces, each in a schema of its own."""
    config = folder / "many.toml"
    config.write_text(MANY.format(url=url))
    home = open_services(load_settings(config), machine_clock)
    assert home.installer is not None
    ids = [f"T{n:04}BENCH" for n in range(WORKSPACES)]
    with closing(home.database) as database, database.write() as connection:
        for id_ in ids:
            installed = Installation(id_, id_, "", id_, "U0BOT", "", "U0ANA", EPOCH)
            save_installation(connection, home.installer.vault, installed, Tokens(f"xoxb-{id_}"))
    with closing(WorkspaceDatabases(url)) as databases:
        with ThreadPoolExecutor(2) as pool:
            opened = list(pool.map(databases.open, ids))  # their tables are made before anything is measured
        with multiprocessing.get_context("spawn").Pool(2) as replicas:
            told = replicas.starmap(_tick_all, [(config, SPAN_S)] * 2)
        late = [one for database in opened for one in _lateness(database)]
    name = f"{WORKSPACES:,} workspaces x {EACH} schedules a minute on two replicas"
    yield _absolute(f"{name}, lateness p99, s ({len(late):,} ticks)", _p99(late), 2)
    yield _absolute("the share of a core each took, %", 100 * max(share for share, _ in told), 100)
    yield _absolute("the memory of each, MB", max(megabytes for _, megabytes in told), 1_000)


def _tick_all(config: Path, span_s: float) -> tuple[float, float]:
    """Tick for all workspaces that long; returns the share of a core it took, and the memory in megabytes."""
    settings = load_settings(config)
    home = open_services(settings, machine_clock)
    with closing(home.database), closing(Workspaces(settings, home, schedules=_few)) as workspaces:
        clock = start_clock(workspaces.tick)
        while len(workspaces.all_services()) < WORKSPACES:
            time.sleep(0.5)
        time.sleep(WARM_S)
        before, began = time.process_time(), time.monotonic()
        time.sleep(span_s)
        share = (time.process_time() - before) / (time.monotonic() - began)
        clock.shutdown()
        return share, _megabytes("self")


def _few(services: Services, _: timedelta) -> list[Schedule]:
    names = [f"{services.database.workspace}:{n}" for n in range(EACH)]
    return [_schedule(name, jitter_of(name, MINUTE)) for name in names]


def _posts(folder: Path, running: ExitStack) -> Iterator[Measured]:
    slack = SlackSandbox()
    url = running.enter_context(serving(slack.app))
    client = SlackClient(slack.bot_token, f"{url}/api/", 10)
    with closing(open_database(f"sqlite:///{folder}/posts.db")) as database:
        services = Services(database, lambda: datetime.now(UTC), messenger=client)
        with database.write() as connection:
            for n in range(POSTS):
                message = {"channel": "#ml", "text": f"Message {n}", "blocks": []}
                outbox.put(connection, f"slack:post:{n}", "slack.post", message, services.now())
        began = time.perf_counter()
        deliver_all(services)
        ours = (time.perf_counter() - began) / POSTS
    began = time.perf_counter()
    for n in range(POSTS):
        client.post("#ml", f"Message {n}", [], str(n))
    bare = (time.perf_counter() - began) / POSTS
    assert len(slack.messages("ml")) == 2 * POSTS
    name = f"a post through the outbox, {1 / ours:.0f} a second"
    yield Measured(name, 1e3 * ours, 1e3 * bare, ours / bare, "ms", None, POSTS, True)


def _idle(folder: Path) -> Measured:
    config, port = folder / "idle.toml", free_port()
    config.write_text(IDLE.format(port=port, folder=folder))
    command: Sequence[str] = (sys.executable, "-m", "bot.cli", "serve", "--config", str(config))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ.copy()) as idle:
        while not healthy(f"http://127.0.0.1:{port}"):
            time.sleep(0.2)
        time.sleep(WARM_S)
        megabytes = _megabytes(str(idle.pid))
        idle.terminate()
    return Measured("memory of an idle replica, MB", megabytes, megabytes, 1.0, "MB", None, 1, True)


def _megabytes(process: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def _absolute(name: str, ours: float, most: float) -> Measured:
    return Measured(name, ours, most, ours / most, "", None, 1, True)
