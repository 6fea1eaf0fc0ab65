"""Gathers all that judgement looks at, as of one transaction; decides nothing."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backlog.evaluation import comparable_runs
from backlog.goal import Goal
from backlog.metric import PROD, Metric
from backlog.risk import Point, Situation
from backlog.snapshot import SourceLine
from bot.flows.services import Services
from bot.flows.sync_backlog import JIRA
from store.experiments import load_experiments
from store.goals import load_deployments, load_goals
from store.issues import load_linked_issues
from store.metrics import all_run_values, load_metrics, load_points, source_states

WATCHED = 1_000  # latest readings in production that a guard looks at


def gather_situation(connection: Connection, services: Services) -> Situation:
    """Everything the rules look at."""
    goals, metrics = load_goals(connection), load_metrics(connection)
    runs = {metric.id: comparable_runs(metric, all_run_values(connection, metric)) for metric in metrics}
    return Situation(
        now=services.now(),
        goals=goals,
        experiments=load_experiments(connection),
        metrics=metrics,
        runs={metric_id: kept for metric_id, (kept, _) in runs.items()},
        left_out={metric_id: others for metric_id, (_, others) in runs.items()},
        issues=load_linked_issues(connection),
        rules=services.rules,
        watched=_watched(connection, goals, metrics),
        sources=source_lines(connection, services),
    )


def _watched(connection: Connection, goals: Sequence[Goal], metrics: Sequence[Metric]) -> dict[int, list[Point]]:
    """Production's readings since the last deployment: there detectors start afresh."""
    deployed = {goal.key: at for goal in goals for at, _ in load_deployments(connection, goal.key)}  # the last wins
    in_prod = [metric for metric in metrics if metric.environment == PROD]
    return {metric.id: load_points(connection, metric, deployed.get(metric.goal), WATCHED) for metric in in_prod}


def source_lines(connection: Connection, services: Services) -> list[SourceLine]:
    """Each source with its last read and its error."""
    states = source_states(connection)
    kinds = {plan.name: plan.kind for plan in services.sources.values()}
    if services.tracker is not None:
        kinds[JIRA] = "jira"
    return [SourceLine(name, kind, *states.get(name, (None, ""))) for name, kind in kinds.items()]
