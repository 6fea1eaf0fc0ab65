"""Judging a large backlog: 1,000 experiments with 1,000,000 readings; and a tick of the clock over few and many stored
ones.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from backlog import lifecycle
from backlog.experiment import Stage
from backlog.goal import Goal
from backlog.metric import PROD, Aggregation, Better, Metric, Reading
from backlog.risk import find_risks
from bot.flows.gather_situation import gather_situation
from bot.flows.poll_metrics import poll_source
from bot.flows.services import Services, SourcePlan
from bot.flows.settle_worths import settle_worths
from bot.flows.watch_risks import watch_risks
from integrations.sources.source import Found
from store.dialect import insert
from store.experiments import add_experiment, save_entry
from store.goals import add_goal
from store.metrics import add_metric
from store.tables import EPOCH, series

EXPERIMENTS, RUNS, STEPS = 1_000, 5, 100  # and runs of each, readings of each
GOALS, TICKS = 10, 7
IN_PROD = 500  # readings of a goal's production for each of a run's
NEW = 1_000  # readings that come with each tick
INSERT = "INSERT INTO reading (series_id, at, step, value) VALUES (?, ?, ?, ?)"


def fill_readings(services: Services, now: datetime, steps: int = STEPS) -> None:
    """Ten goals with a hundred experiments each, a tenth of them in progress, with five runs of so many readings each;
    and each goal's production with as many readings as all its runs together, one every 20 minutes."""
    rng = np.random.default_rng(3)
    with services.database.write() as connection:
        metrics = []
        for number in range(GOALS):
            key = f"goal-{number}"
            add_goal(connection, Goal(key, "keep clients", now, "ana", (), "recall", 0.71, 0.95))
            metrics.append(add_metric(connection, Metric(key, "recall", "dev", "runs", "recall", Better.UP)))
        for number in range(1, EXPERIMENTS + 1):
            goal = number % GOALS
            created = lifecycle.create(
                f"Experiment {number}", f"u{number % 30}", now, goal=f"goal-{goal}", appetite="L"
            )
            experiment = add_experiment(connection, created)
            save_entry(connection, experiment, replace(created, act="moved", changes=_state(number, now)))
            _runs(connection, metrics[goal].id, number, rng, now, steps)
        for number in range(GOALS):
            metric = Metric(f"goal-{number}", "recall", "prod", "runs", "recall", Better.UP, Aggregation.LAST)
            _production(connection, add_metric(connection, metric).id, rng, now, steps * IN_PROD)
    settle_worths(services)  # as every poll does


def _state(number: int, now: datetime) -> dict[str, object]:
    began = now - timedelta(days=400 - number * 0.3)
    state = {"running_since": began, "stage_since": began, "owner": f"u{number % 30}"}
    if number % 10:
        return {**state, "stage": Stage.CONCLUDED, "decided_at": began + timedelta(days=5)}
    return {**state, "stage": Stage.RUNNING}


def _runs(
    connection: Connection, metric_id: int, number: int, rng: np.random.Generator, now: datetime, steps: int
) -> None:
    names = [{"metric_id": metric_id, "run": f"e{number}-r{run}", "experiment": number} for run in range(RUNS)]
    ids = list(connection.scalars(insert(connection, series).values(names).returning(series.c.id)))
    began = now - timedelta(days=400 - number * 0.3)
    instants = [(began + timedelta(minutes=step) - EPOCH) // timedelta(microseconds=1) for step in range(steps)]
    rows = [
        (one, at, step, value)
        for one in ids
        for step, (at, value) in enumerate(zip(instants, np.sort(rng.normal(0.7, 0.05, steps)).tolist(), strict=True))
    ]
    connection.exec_driver_sql(INSERT, rows)


def _production(connection: Connection, metric_id: int, rng: np.random.Generator, now: datetime, count: int) -> None:
    query = insert(connection, series).values(metric_id=metric_id, run="prod").returning(series.c.id)
    one, values = connection.scalar(query), rng.normal(0.7, 0.01, count).tolist()
    ats = [(now - timedelta(minutes=20 * (count - n)) - EPOCH) // timedelta(microseconds=1) for n in range(count)]
    connection.exec_driver_sql(INSERT, [(one, at, 0, value) for at, value in zip(ats, values, strict=True)])


class _News:
    """A source with the same number of new readings at each poll, half of runs and half of production."""

    name = "runs"

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`."""
        each, at = NEW // len(metrics), self._now()
        for metric in metrics:
            named = "prod" if metric.environment == PROD else f"e{int(metric.goal[5:]) or GOALS}-r1"
            yield metric, [Reading(at - timedelta(seconds=n), 0.7, named, 0) for n in range(each)]


def tick_times(services: Services, now: datetime) -> list[float]:
    """Seconds of each tick: a poll that finds 1,000 new readings, then the hourly look with all its rules."""
    at, seconds = [now], list[float]()
    services = replace(services, now=lambda: at[0])
    plan = SourcePlan("runs", "csv", timedelta(minutes=15), _News(services.now))
    for _ in range(TICKS):
        at[0] += timedelta(hours=1)
        began = time.perf_counter()
        polled = poll_source(services, plan)
        watch_risks(services)
        seconds.append(time.perf_counter() - began)
        assert polled.readings == NEW, polled
    return seconds


def judge(services: Services) -> int:
    """Gather all there is and hold every rule against it; returns how many risks were found."""
    with services.database.read() as connection:
        return len(find_risks(gather_situation(connection, services)))
