"""The team's own histories in the files that the backtest reads: so a team is scored as the methods were."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from backlog.experiment import Experiment
from backlog.history import by_experiment, concluded_values, judged_metric
from backlog.metric import Better, Metric
from bot.flows.services import Services
from store.experiments import load_experiments
from store.goals import load_goals
from store.metrics import load_metrics, run_values

ROWS = ("series_id", "t", "date", "value")
META = ("series_id", "direction", "dated", "n", "kind")
Timed = Sequence[tuple[datetime, float]]


def write_histories(services: Services, folder: Path) -> None:
    """Write experiments.csv and its meta (each experiment's runs, each goal's concluded ones) and pr_cycle.csv (from
    *running* to the decision) into the folder."""
    with services.database.read() as connection:
        goals, experiments = load_goals(connection), load_experiments(connection)
        metrics = load_metrics(connection)
        series: list[tuple[str, Better, Timed]] = []
        for goal in goals:
            metric = judged_metric(goal.metric, goal, metrics)
            if metric is None:
                continue
            runs = run_values(connection, metric)
            concluded = concluded_values(goal, experiments, metric, {metric.id: runs})
            series.append((f"goal-{goal.key}", metric.better, concluded))
            series += _run_series(metric, by_experiment(runs))
    _write_series(folder, series)
    _write_flow(folder, experiments)


def _run_series(metric: Metric, runs: dict[str, list[Any]]) -> Iterable[tuple[str, Better, Timed]]:
    for key, own in runs.items():
        if key:
            yield key, metric.better, [(run.at, run.value) for run in own]


def _write_series(folder: Path, series: Sequence[tuple[str, Better, Timed]]) -> None:
    directions = {Better.UP: "max", Better.DOWN: "min"}
    meta = [(name, directions[better], 1, len(timed), "human") for name, better, timed in series]
    rows = [
        (name, place, at.date().isoformat(), value)
        for name, _, timed in series
        for place, (at, value) in enumerate(timed, 1)
    ]
    _write(folder / "experiments_meta.csv", META, meta)
    _write(folder / "experiments.csv", ROWS, rows)


def _write_flow(folder: Path, experiments: Sequence[Experiment]) -> None:
    begun = [e for e in experiments if e.running_since]
    cycles = [("own", e.key, _plain(e.running_since), _plain(e.decided_at)) for e in begun]
    _write(folder / "pr_cycle.csv", ("project", "item", "started", "finished"), cycles)


def _plain(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M") if at else ""


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
