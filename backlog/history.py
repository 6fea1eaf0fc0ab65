"""The histories that judgement looks at: an experiment's finished runs, a goal's concluded experiments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from backlog.experiment import Experiment
from backlog.goal import Goal
from backlog.metric import DEV, Metric, RunValue

Runs = Mapping[int, Sequence[RunValue]]  # by metric id


def judged_metric(name: str, goal: Goal, metrics: Iterable[Metric]) -> Metric | None:
    """The goal's metric of that name, in dev where it is defined there: that is where runs are compared."""
    named = [metric for metric in metrics if metric.goal == goal.key and metric.name == name]
    return next((metric for metric in named if metric.environment == DEV), named[0] if named else None)


def by_experiment(runs: Iterable[RunValue]) -> dict[str, list[RunValue]]:
    """Finished runs with a value by their experiment's key, oldest first; runs of none are under ''."""
    sorted_out: dict[str, list[RunValue]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.at, run.run)):
        if not run.failed:
            sorted_out[run.experiment].append(run)
    return sorted_out


def concluded_values(
    goal: Goal, experiments: Iterable[Experiment], metric: Metric, runs: Runs
) -> list[tuple[datetime, float]]:
    """(when, its best value) of each concluded experiment of the goal that has one, in the order of the decisions."""
    own = by_experiment(runs.get(metric.id, ()))
    values = [
        (e.decided_at, best)
        for e in experiments
        if e.goal == goal.key and e.stage.finished and e.decided_at
        if (best := metric.better.best(run.value for run in own.get(e.key, ()))) is not None
    ]
    return sorted(values)
