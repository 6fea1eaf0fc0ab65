"""Metrics: define one, and read it once to see what its source really answers."""

from dataclasses import dataclass, replace

from backlog.errors import BacklogError, NotFound
from backlog.metric import Metric, Reading
from bot.flows.services import Caller, Services, acting
from store.goals import find_goal
from store.metrics import add_metric, load_metrics

SHOWN = 5  # latest readings that a trial shows


@dataclass(frozen=True, slots=True)
class Trial:
    """One read of a metric: how many readings came and the latest of them, newest first. Nothing was stored."""

    metric: Metric
    count: int
    latest: tuple[Reading, ...]


def define_metric(services: Services, caller: Caller, metric: Metric) -> Metric:
    """Add a metric to a goal. Raises BacklogError for an unknown source or a direction the goal contradicts."""
    if metric.source not in services.sources:
        known = ", ".join(services.sources) or "none yet"
        raise BacklogError(
            f'There is no source "{metric.source}". Sources: {known}.', "Add it as [[sources]] in config.toml."
        )
    with acting(services, caller) as connection:
        goal = find_goal(connection, metric.goal)
        if goal.metric == metric.name and goal.better and goal.better is not metric.better:
            way = f"{goal.key} goes from {goal.baseline:g} to {goal.target:g}"
            raise BacklogError(f"{way}, so {metric.name} is better {goal.better}.", f"--better {goal.better}")
        return add_metric(connection, replace(metric, goal=goal.key))


def try_metric(services: Services, name: str, goal: str, environment: str) -> Trial:
    """Read a metric once without storing anything. Raises NotFound, or what the source says is wrong."""
    with services.database.read() as connection:
        metrics = load_metrics(connection, name=name, goal=goal)
    metric = next((m for m in metrics if not environment or m.environment == environment), None)
    if metric is None:
        raise NotFound(
            f'There is no metric "{name}"{f" on goal {goal}" if goal else ""}.',
            f"/exp metric add {name} --goal GOAL --source SOURCE --key KEY",
        )
    plan = services.sources.get(metric.source)
    if plan is None:
        raise BacklogError(
            f'The source "{metric.source}" is not configured any more.', "Add it as [[sources]] in config.toml."
        )
    found = plan.source.fetch([metric], None).get(metric.id, [])
    newest = sorted(found, key=lambda reading: (reading.at, reading.step), reverse=True)
    return Trial(metric, len(found), tuple(newest[:SHOWN]))
