"""The weekly report of a team of years: 1,000 experiments, up to 1,000,000 readings, every surface but PDF.

Each measurement runs in a process of its own, so that its memory is its own: `python -m bench.weekly DATABASE`.
"""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.experiment import Entry, Kind, Stage
from backlog.goal import Goal
from backlog.metric import Better, Metric
from bench.measured import seconds
from bot.config import load_settings
from bot.flows.services import Services
from bot.flows.settle_worths import settle_worths
from bot.flows.show_report import draft
from bot.wiring import open_services
from reports.mail import render_email
from reports.rendering import Format, render_pdf, render_report
from store.database import Database
from store.experiments import add_experiment, save_entry
from store.goals import add_goal
from store.metrics import add_metric
from store.tables import reading, rollup, series

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
EXPERIMENTS, GOALS, RUNS = 1_000, 10, 20_000
SIZES = (10_000, 100_000, 1_000_000)  # readings
PAGE_MAX, EMAIL_MAX, SECONDS_MAX, MEMORY_MAX = 60_000, 100_000, 3.0, 400 << 20
SURFACES: tuple[Format, ...] = ("slack", "html", "text", "md", "json")
CONFIG = '[database]\nurl = "sqlite:///{path}"\n[web]\npublic_url = "https://scrumbut.example"\n'


def measure(folder: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """(readings, figures) for each size: seconds, megabytes of the process at its largest, bytes of page and mail."""
    for size in SIZES:
        path = folder / f"weekly-{size}.db"
        _open_filled(path, size).database.close()
        done = subprocess.run(
            [sys.executable, "-m", "bench.weekly", str(path), *(["--pdf"] if size == SIZES[-1] else [])],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        yield size, json.loads(done.stdout)


def fill(database: Database, readings: int) -> None:
    """A backlog in which one experiment in ten is in progress, with that many readings over a year."""
    rng = random.Random(3)
    with database.write() as connection:
        metrics = []
        for goal in range(GOALS):
            add_goal(connection, Goal(f"goal-{goal}", "keep active clients", NOW, "ana", (), "recall", 0.4, 0.8))
            for environment in ("dev", "prod"):
                metric = Metric(f"goal-{goal}", "recall", environment, "runs", "recall", Better.UP, unit="share")
                metrics.append(add_metric(connection, metric))
        for number in range(EXPERIMENTS):
            _add_experiment(connection, number)
        runs = min(RUNS, readings)
        rows = [_run(rng, metrics[run % len(metrics)], run) for run in range(runs)]
        connection.execute(series.insert(), rows)
        runs_of = readings // runs
        for run in range(runs):
            _save_run(connection, rng, run, runs, runs_of)


def _open_filled(path: Path, size: int) -> Services:
    """A backlog as polls leave it: what each run is worth is known."""
    services = _open(path)
    fill(services.database, size)
    settle_worths(services)
    return services


def _save_run(connection: Connection, rng: random.Random, run: int, runs: int, count: int) -> None:
    """One run within the year; older than 30 days it lies by the hour, as the job that thins readings leaves it."""
    at = (NOW - timedelta(days=365 * (1 - run / runs) + 1)).replace(minute=0)
    values = [None if step % 97 == 96 else 0.4 + 0.3 * run / runs * rng.random() for step in range(count)]
    if at > NOW - timedelta(days=30):
        rows = [{"series_id": run + 1, "at": at + timedelta(seconds=step), "step": step, "value": value}
                for step, value in enumerate(values)]  # fmt: skip
        connection.execute(reading.insert(), rows)
        return
    finite = [value for value in values if value is not None]
    spread = {"last": values[-1], "low": min(finite), "high": max(finite), "total": sum(finite)}
    counts = {"finite": len(finite), "failed": count - len(finite), "last_step": count - 1}
    when = {"series_id": run + 1, "span": 3600, "at": at, "last_at": at + timedelta(seconds=count - 1)}
    connection.execute(rollup.insert(), {**when, **spread, **counts})
    connection.execute(series.update().where(series.c.id == run + 1).values(hours_until=at + timedelta(hours=1)))


def _run(rng: random.Random, metric: Metric, run: int) -> dict[str, object]:
    """A run of one of the goal's own experiments."""
    number = 1 + run % GOALS + GOALS * rng.randrange(EXPERIMENTS // GOALS)
    tagged = {"tag": f"EXP-{number}", "experiment": number, "eval_set": ""}
    return {"id": run + 1, "metric_id": metric.id, "run": f"run-{run}", **tagged}


def _add_experiment(connection: Connection, number: int) -> None:
    created = lifecycle.create(f"Experiment {number} with a title of a usual length", "ana", NOW, kind=Kind.IMPROVEMENT,
                               goal=f"goal-{number % GOALS}", appetite="M")  # fmt: skip
    experiment = add_experiment(connection, created)
    framing = {"hypothesis": f"We believe that {number} helps", "metric": "recall", "serves": "which model?"}
    framed = save_entry(connection, experiment, lifecycle.frame(experiment, "ana", NOW, framing))
    if number % 10 == 0:
        since = NOW - timedelta(days=number % 30)
        running = {"stage": Stage.RUNNING, "stage_since": since, "running_since": since, "bet_since": since}
        save_entry(connection, framed, Entry(NOW - timedelta(days=3), "ana", "started", "", running))


def write_all(services: Services) -> dict[str, float]:
    """The report from the database to every surface; PDF timed apart."""
    began, worked = time.perf_counter(), time.process_time()
    snapshot, plan = draft(services, "weekly")
    bodies = {surface: render_report(snapshot, surface, plan.templates).body for surface in SURFACES}
    mail = render_email(snapshot, plan.templates)
    took, processor = time.perf_counter() - began, time.process_time() - worked
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pdf = seconds(lambda: render_pdf(snapshot, plan.templates)) if "--pdf" in sys.argv else 0.0
    return {
        "seconds": took,
        "processor_seconds": processor,
        "megabytes": memory / (1 << 20),
        "page": len(bodies["html"].encode()),
        "email": len(mail.html.encode()),
        "pdf_seconds": pdf,
    }


def _open(path: Path) -> Services:
    config = path.with_suffix(".toml")
    config.write_text(CONFIG.format(path=path))
    return open_services(load_settings(config), lambda: NOW)


if __name__ == "__main__":
    print(json.dumps(write_all(_open(Path(sys.argv[1])))))
