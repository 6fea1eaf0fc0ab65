"""A poll tick of 10,080 metrics over three MLflow servers, each in a process of its own.

Each server has 40 MLflow experiments of 84 metrics; in a tick 5 runs of each have changed, with 5 points a metric.
"""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from backlog.metric import Aggregation, Better, Metric
from bench.floors.histories import read_one_by_one
from bot.flows.poll_metrics import poll_source
from bot.flows.services import Services, SourcePlan
from integrations.sources.mlflow import MLflow
from integrations.sources.source import SourceConfig
from sandbox.mlflow import MLflowSandbox
from store.database import open_database
from store.metrics import add_metric

SERVERS, PLACES, KEYS, RUNS, POINTS = 3, 40, 84, 5, 5
METRICS = SERVERS * PLACES * KEYS
READINGS = METRICS * RUNS * POINTS
TICKS = 3
NAIVE = 20  # the naive way is timed on every 20th run and multiplied
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Tick:
    """What one tick took: seconds, the process' peak in MB, requests, and readings that were new."""

    seconds: float
    peak_mb: float
    requests: int
    readings: int


@contextmanager
def servers() -> Iterator[list[str]]:
    """Three servers, each in its own process."""
    with ExitStack() as running:
        yield [running.enter_context(_server(number)) for number in range(SERVERS)]


@contextmanager
def _server(number: int) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = Process(target=_serve, args=(port, number), daemon=True)
    process.start()
    try:
        _await(f"http://127.0.0.1:{port}/asked")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()


def _await(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx2.get(url, timeout=5)
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RuntimeError("a server of the bench did not start")


def _serve(port: int, number: int) -> None:
    told, at = MLflowSandbox(), int(NOW.timestamp() * 1000)
    for run in range(PLACES * RUNS):
        points = {
            f"m{key}": [(at + step * 1000, step, (run * 31 + key * 7 + step) % 100 / 100) for step in range(POINTS)]
            for key in range(KEYS)
        }
        told.add_run(_run_id(number, run), f"place {run % PLACES}", points, end_time=at)

    def asked(_: Request) -> JSONResponse:
        count = sum(told.requests.values())
        told.requests.clear()
        return JSONResponse(count)

    told.app.routes.append(Route("/asked", asked))
    uvicorn.run(told.app, port=port, log_level="error")


def _run_id(server: int, run: int) -> str:
    return f"{server}{run:031x}"


def poll_once(urls: list[str], database: Path) -> tuple[Tick, Tick]:
    """In a process of its own, so that its memory is its own: a tick in which everything is new, and one in which
    nothing is. The tick between them reads the overlap again."""
    for url in urls:
        httpx2.get(f"{url}/asked")
    ours, theirs = Pipe()
    process = Process(target=_poll, args=(urls, database, theirs))
    process.start()
    ticks: list[Tick] = [ours.recv() for _ in range(TICKS)]
    process.join()
    return ticks[0], ticks[-1]


def _poll(urls: list[str], database: Path, told: Connection) -> None:
    at = [NOW]
    plans = {f"s{number}": _plan(f"s{number}", url) for number, url in enumerate(urls)}
    services = Services(open_database(f"sqlite:///{database}"), lambda: at[0], sources=plans)
    with services.database.write() as connection:
        for name in plans:
            for place in range(PLACES):
                for key in range(KEYS):
                    add_metric(connection, _metric(name, place, key))
    for _ in range(TICKS):
        began = time.perf_counter()
        done = [poll_source(services, plan) for plan in plans.values()]
        seconds = time.perf_counter() - began
        assert not any(polled.error for polled in done), done
        requests = sum(httpx2.get(f"{url}/asked").json() for url in urls)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told.send(Tick(seconds, peak, requests, sum(polled.readings for polled in done)))
        at[0] += timedelta(minutes=15)


def _plan(name: str, url: str) -> SourcePlan:
    allow = frozenset({url.removeprefix("http://")})
    config = SourceConfig(name, url, rate=1_000, allow=allow)
    return SourcePlan(name, "mlflow", timedelta(minutes=15), MLflow(config))


def _metric(source: str, place: int, key: int) -> Metric:
    name = f"{source} {place} {key}"
    return Metric("churn", name, "dev", source, f"m{key}", Better.UP, Aggregation.BEST, scope=f"place {place}")


def naive_once(urls: list[str]) -> float:
    """Seconds that one request for each run and metric takes, from every 20th run."""
    began = time.perf_counter()
    for number, url in enumerate(urls):
        runs = [_run_id(number, run) for run in range(0, PLACES * RUNS, NAIVE)]
        read_one_by_one(url, runs, [f"m{key}" for key in range(KEYS)])
    return (time.perf_counter() - began) * NAIVE


if __name__ == "__main__":
    import tempfile

    with servers() as urls, tempfile.TemporaryDirectory() as folder:
        print(*poll_once(urls, Path(folder) / "s.db"), naive_once(urls), sep="\n")
