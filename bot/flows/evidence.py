"""Gathers what the gates ask about one experiment; decides nothing."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from sqlalchemy import Connection

from backlog.errors import NotFound
from backlog.evaluation import why_not_comparable
from backlog.experiment import Experiment, Kind, Stage
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


class _Gathered(Evidence):
    """Evidence that is looked up when a gate asks for it: most acts, and every look, ask only for some."""

    _connection: Connection
    _experiment: Experiment

    def __init__(self, connection: Connection, experiment: Experiment, jira_configured: bool) -> None:
        # Evidence is frozen, and its own way would fill in all that is to be looked up.
        self.__dict__.update(_connection=connection, _experiment=experiment, jira_configured=jira_configured)

    @cached_property
    def goal(self) -> Goal | None:
        return _goal_of(self._connection, self._experiment)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(load_metrics(self._connection, goal=self._experiment.goal)) if self.goal else ()

    @cached_property
    def dev_runs(self) -> int:
        return _dev_runs(self._experiment, self._runs.get(DEV))

    @cached_property
    def runs_since_bet(self) -> int:
        return _runs_since_bet(self._experiment, self._runs)

    @cached_property
    def parity(self) -> Parity:
        return _parity(self._runs, self._experiment.min_effect)

    @cached_property
    def baseline_experiment(self) -> str:
        return next((f"EXP-{number}" for number, kind, _ in self._siblings if kind is Kind.BASELINE), "")

    @cached_property
    def prod_beats_baseline(self) -> bool:
        return _prod_beats_baseline(self._connection, self.goal, self.metrics)

    @cached_property
    def open_kinds(self) -> frozenset[Kind]:
        return frozenset(kind for _, kind, stage in self._siblings if not stage.finished)

    @cached_property
    def issue_ordered(self) -> bool:
        return outbox.is_waiting(self._connection, outbox.create_target(self._experiment.key))

    @cached_property
    def wip_person(self) -> int:
        return count_in_progress(self._connection, self._experiment.number, owner=self._experiment.owner)

    @cached_property
    def wip_goal(self) -> int:
        goal = self._experiment.goal if self.goal else ""
        return count_in_progress(self._connection, self._experiment.number, goal=goal) if goal else 0

    @cached_property
    def _runs(self) -> Runs:
        wanted = self._experiment.metric or (self.goal.metric if self.goal else "")
        named = [metric for metric in self.metrics if metric.name == wanted]
        number = self._experiment.number
        return {metric.environment: (metric, run_values(self._connection, metric, number)) for metric in named}

    @cached_property
    def _siblings(self) -> list[tuple[int, Kind, Stage]]:
        return kinds_on_goal(self._connection, self._experiment.goal, self._experiment.number) if self.goal else []


def gather_evidence(connection: Connection, experiment: Experiment, jira_configured: bool) -> Evidence:
    """What is known about the experiment, its goal and its runs, as of this transaction, in which it must be used."""
    return _Gathered(connection, experiment, jira_configured)


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
