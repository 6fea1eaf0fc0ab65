"""Gathers what the gates ask about one experiment; decides nothing."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from backlog.errors import NotFound
from backlog.evaluation import why_not_comparable
from backlog.experiment import Experiment, Kind
from backlog.gates import Evidence
from backlog.goal import Goal
from backlog.metric import DEV, PROD, Metric, RunValue
from backlog.parity import Parity, compare
from backlog.progress import Standing, standing
from store import outbox
from store.experiments import count_in_progress, kinds_on_goal
from store.goals import find_goal
from store.metrics import load_metrics, run_values

Runs = Mapping[str, tuple[Metric, Sequence[RunValue]]]  # by environment


def gather_evidence(
    connection: Connection, experiment: Experiment, jira_configured: bool, slots: bool = True
) -> Evidence:
    """What is known about the experiment, its goal and its runs, as of this transaction. `slots` counts what is in
    progress, which only somebody who wants to start it asks about."""
    goal = _goal_of(connection, experiment)
    metrics = load_metrics(connection, goal=experiment.goal) if goal else []
    named = [metric for metric in metrics if metric.name == (experiment.metric or (goal.metric if goal else ""))]
    runs = {metric.environment: (metric, run_values(connection, metric, experiment.number)) for metric in named}
    siblings = kinds_on_goal(connection, experiment.goal, experiment.number) if goal else []
    return Evidence(
        goal=goal,
        metrics=tuple(metrics),
        dev_runs=_dev_runs(experiment, runs.get(DEV)),
        runs_since_bet=_runs_since_bet(experiment, runs),
        parity=_parity(runs, experiment.min_effect),
        baseline_experiment=next((f"EXP-{number}" for number, kind, _ in siblings if kind is Kind.BASELINE), ""),
        prod_beats_baseline=experiment.kind is Kind.RESEARCH and _prod_beats_baseline(connection, goal, metrics),
        open_kinds=frozenset(kind for _, kind, stage in siblings if not stage.finished),
        jira_configured=jira_configured,
        issue_ordered=outbox.is_waiting(connection, outbox.create_target(experiment.key)),
        wip_person=count_in_progress(connection, experiment.number, owner=experiment.owner) if slots else 0,
        wip_goal=count_in_progress(connection, experiment.number, goal=experiment.goal) if goal and slots else 0,
    )


def _runs_since_bet(experiment: Experiment, runs: Runs) -> int:
    began = experiment.bet_since or experiment.running_since
    return sum(began is not None and run.at > began for _, values in runs.values() for run in values)


def _parity(runs: Runs, min_effect: float | None) -> Parity:
    """Dev against prod over the experiment's own runs."""
    known: dict[str, tuple[Metric, Standing]] = {}
    for environment, (metric, values) in runs.items():
        stands = standing(values, metric.better)
        if stands:
            known[environment] = (metric, stands)
    return compare(known.get(DEV), known.get(PROD), min_effect)


def _goal_of(connection: Connection, experiment: Experiment) -> Goal | None:
    try:
        return find_goal(connection, experiment.goal) if experiment.goal else None
    except NotFound:
        return None


def _dev_runs(experiment: Experiment, dev: tuple[Metric, Sequence[RunValue]] | None) -> int:
    if dev is None:
        return 0
    metric, values = dev
    named = metric.eval_set or next((run.eval_set for run in values if run.eval_set), "")
    if why_not_comparable(experiment.eval_set, named):
        return 0  # measured on another evaluation set: no evidence for this question
    return sum(not run.failed for run in values)


def _prod_beats_baseline(connection: Connection, goal: Goal | None, metrics: Sequence[Metric]) -> bool:
    if goal is None or goal.baseline is None:
        return False
    in_prod = [metric for metric in metrics if metric.name == goal.metric and metric.environment == PROD]
    return any(m.better.beats(run.value, goal.baseline) for m in in_prod for run in run_values(connection, m))
