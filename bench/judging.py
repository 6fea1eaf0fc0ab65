"""Judging a large backlog: 1,000 experiments with 1,000,000 readings."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from backlog import lifecycle
from backlog.experiment import Stage
from backlog.goal import Goal
from backlog.metric import Better, Metric
from backlog.risk import find_risks
from bot.flows.gather_situation import gather_situation
from bot.flows.services import Services
from store.dialect import insert
from store.experiments import add_experiment, save_entry
from store.goals import add_goal
from store.metrics import add_metric
from store.tables import EPOCH, series

EXPERIMENTS, RUNS, STEPS = 1_000, 10, 100  # and runs of each, readings of each
GOALS = 10


def fill_readings(services: Services, now: datetime) -> None:
    """Ten goals with a hundred experiments each, a tenth of them in progress; every run has a hundred readings."""
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
            _runs(connection, metrics[goal].id, number, rng, now)


def _state(number: int, now: datetime) -> dict[str, object]:
    began = now - timedelta(days=400 - number * 0.3)
    state = {"running_since": began, "stage_since": began, "owner": f"u{number % 30}"}
    if number % 10:
        return {**state, "stage": Stage.CONCLUDED, "decided_at": began + timedelta(days=5)}
    return {**state, "stage": Stage.RUNNING}


def _runs(connection: Connection, metric_id: int, number: int, rng: np.random.Generator, now: datetime) -> None:
    names = [{"metric_id": metric_id, "run": f"e{number}-r{run}", "experiment": number} for run in range(RUNS)]
    ids = list(connection.scalars(insert(connection, series).values(names).returning(series.c.id)))
    began = now - timedelta(days=400 - number * 0.3)
    instants = [(began + timedelta(minutes=step) - EPOCH) // timedelta(microseconds=1) for step in range(STEPS)]
    rows = [
        (one, at, step, value)
        for one in ids
        for step, (at, value) in enumerate(zip(instants, np.sort(rng.normal(0.7, 0.05, STEPS)).tolist(), strict=True))
    ]
    connection.exec_driver_sql("INSERT INTO reading (series_id, at, step, value) VALUES (?, ?, ?, ?)", rows)


def judge(services: Services) -> int:
    """Gather all there is and hold every rule against it; returns how many risks were found."""
    with services.database.read() as connection:
        return len(find_risks(gather_situation(connection, services)))
