"""Metrics: define one, and read one or all once to see what their source really answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from backlog.cadence import read_span
from backlog.errors import BacklogError, NotFound
from backlog.metric import Aggregation, Metric, Reading
from bot.flows.poll_metrics import due_groups
from bot.flows.services import Caller, Services, SourcePlan, acting
from integrations.http import IntegrationError
from store.goals import find_goal
from store.metrics import add_metric, load_metrics

SHOWN = 5  # latest readings that a trial shows


@dataclass(frozen=True, slots=True)
class Trial:
    """One read of a metric: how many readings came and the latest of them, newest first, or what is wrong with it.
    Nothing was stored."""

    metric: Metric
    count: int
    latest: tuple[Reading, ...]
    error: str = ""


def define_metric(services: Services, caller: Caller, metric: Metric) -> Metric:
    """Add a metric to a goal. Raises BacklogError for an unknown source or a direction the goal contradicts."""
    with acting(services, caller) as connection:
        return add_metric(connection, _checked(connection, services, metric))


def check_metric(services: Services, metric: Metric) -> Metric:
    """The metric as it would be added; raises as adding it would."""
    with services.database.read() as connection:
        return _checked(connection, services, metric)


def _checked(connection: Connection, services: Services, metric: Metric) -> Metric:
    if metric.source not in services.sources:
        known = ", ".join(services.sources) or "none yet"
        raise BacklogError(
            f'There is no source "{metric.source}". Sources: {known}.', "Add it as [[sources]] in config.toml."
        )
    _check_every(metric, services.sources[metric.source])
    _check_worth(metric)
    goal = find_goal(connection, metric.goal)
    if goal.metric == metric.name and goal.better and goal.better is not metric.better:
        way = f"{goal.key} goes from {goal.baseline:g} to {goal.target:g}"
        raise BacklogError(f"{way}, so {metric.name} is better {goal.better}.", f"--better {goal.better}")
    return replace(metric, goal=goal.key)


def try_metric(services: Services, name: str, goal: str, environment: str) -> Trial:
    """Read a metric once, all of it, without storing anything. Raises NotFound, or what is wrong."""
    with services.database.read() as connection:
        metrics = load_metrics(connection, goal=goal)
    named = [m for m in metrics if m.name == name and environment in ("", m.environment)]
    if not named:
        where = f"{f' on goal {goal}' if goal else ''}{f' in {environment}' if environment else ''}"
        known = ", ".join(sorted({f"{m.name} ({m.goal}, {m.environment})" for m in metrics})[:10]) or "none yet"
        raise NotFound(
            f'There is no metric "{name[:60]}"{where}. Metrics: {known}.',
            f"/exp metric add {name[:60]} --goal GOAL --source SOURCE --key KEY",
        )
    return read_once(services, named[0])


def read_once(services: Services, metric: Metric) -> Trial:
    """Read a metric that need not be stored. Raises what the source says is wrong."""
    plan = services.sources.get(metric.source)
    if plan is None:
        raise BacklogError(
            f'The source "{metric.source}" is not configured any more.', "Add it as [[sources]] in config.toml."
        )
    trial = _read_once(plan, [metric], None)[0]
    if trial.error:
        raise BacklogError(trial.error)
    return trial


def try_source(services: Services, plan: SourcePlan) -> list[Trial]:
    """Read once what a poll of the source would read now, without storing anything. Raises IntegrationError where the
    source can read nothing at all."""
    groups = due_groups(services, plan, all_due=True)
    return [trial for since, metrics in groups for trial in _read_once(plan, metrics, since)]


def _read_once(plan: SourcePlan, metrics: Sequence[Metric], since: datetime | None) -> list[Trial]:
    trials = {metric.id: Trial(metric, 0, ()) for metric in metrics}
    for metric, found in plan.source.fetch(metrics, since):
        known = trials[metric.id]
        if isinstance(found, IntegrationError):
            trials[metric.id] = replace(known, error=str(found))
            continue
        newest = sorted([*known.latest, *found], key=lambda reading: (reading.at, reading.step), reverse=True)
        trials[metric.id] = replace(known, count=known.count + len(found), latest=tuple(newest[:SHOWN]))
    return list(trials.values())


def _check_worth(metric: Metric) -> None:
    if (metric.aggregation is Aggregation.QUANTILE) is (metric.quantile is None):
        raise BacklogError("A quantile needs its share, and only a quantile.", "--agg quantile --quantile 0.95")
    if metric.window:
        read_span(metric.window)


def _check_every(metric: Metric, plan: SourcePlan) -> None:
    if metric.every and read_span(metric.every) < plan.every:
        raise BacklogError(
            f'"{plan.name}" is read every {plan.every}, so {metric.name} cannot be read more often.',
            f'Set every of the source "{plan.name}" in config.toml, or give --every a longer span.',
        )
