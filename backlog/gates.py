"""The gates between the stages: what must hold to leave one, and the command that supplies what is missing.

A new gate is one function and one entry in GATES. Nothing here changes an experiment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from backlog.errors import GateClosed
from backlog.experiment import Experiment, Kind, Stage
from backlog.goal import DATA_MARKS, Answer3, Goal
from backlog.metric import DEV, Metric
from backlog.parity import Parity


@dataclass(frozen=True)  # no slots: a flow may have each looked up when it is asked for
class Evidence:
    """What the gates may ask about.

    `dev_runs` counts the experiment's finished runs on development data with its evaluation set, `runs_since_bet`
    its runs anywhere since the current bet began; `wip_person` and `wip_goal` count the *other* experiments in
    progress; `issue_ordered` tells that its issue is being made; `open_kinds` are the kinds with an unfinished
    experiment on the goal.
    """

    goal: Goal | None = None
    metrics: tuple[Metric, ...] = ()
    dev_runs: int = 0
    runs_since_bet: int = 0
    parity: Parity = field(default_factory=lambda: Parity(None, None, None, "no readings yet"))
    baseline_experiment: str = ""
    prod_beats_baseline: bool = False
    open_kinds: frozenset[Kind] = frozenset()
    jira_configured: bool = False
    issue_ordered: bool = False
    wip_person: int = 0
    wip_goal: int = 0

    def metric(self, experiment: Experiment) -> Metric | None:
        """The experiment's primary metric in dev, else in any environment; None where the goal has none."""
        named = [metric for metric in self.metrics if metric.name == experiment.metric]
        return next((metric for metric in named if metric.environment == DEV), next(iter(named), None))


Lack = tuple[str, str]  # what is missing, and the command that supplies it
Gate = Callable[[Experiment, Evidence], Lack | None]


def _owner(experiment: Experiment, evidence: Evidence) -> Lack | None:
    return None if experiment.owner else ("an owner", f"/exp edit {experiment.key} --owner @name")


def _goal(experiment: Experiment, evidence: Evidence) -> Lack | None:
    return None if evidence.goal else ("a goal", f"/exp frame {experiment.key} --goal GOAL")


def _hypothesis(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.hypothesis:
        return None
    form = "we believe … will result in … we will know when …"
    return ("a hypothesis", f'/exp frame {experiment.key} --hypothesis "{form}"')


def _serves(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.serves:
        return None
    return ("the decision it serves", f'/exp frame {experiment.key} --decision "replace the model?"')


def _metric(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if not experiment.kind.measured or evidence.metric(experiment):
        return None
    if not experiment.metric:
        return ("a primary metric", f"/exp frame {experiment.key} --metric recall")
    add = f"/exp metric add {experiment.metric} --goal {experiment.goal or 'GOAL'} --source SOURCE --key KEY"
    return (f'the metric "{experiment.metric}" with its source', add)


def _eval_set(experiment: Experiment, evidence: Evidence) -> Lack | None:
    metric = evidence.metric(experiment)
    if not experiment.kind.measured or experiment.eval_set or (metric and metric.eval_set):
        return None
    return ("the evaluation set", f"/exp frame {experiment.key} --eval-set holdout-v3")


def _min_effect(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if not experiment.kind.measured or experiment.min_effect is not None:
        return None
    return ("the smallest effect worth acting on", f"/exp frame {experiment.key} --min-effect 0.01")


def _baseline(experiment: Experiment, evidence: Evidence) -> Lack | None:
    known = evidence.goal is not None and evidence.goal.baseline is not None
    if not experiment.kind.measured or experiment.kind is Kind.BASELINE or known or evidence.baseline_experiment:
        return None
    goal = experiment.goal or "GOAL"
    return ("a baseline value, or an experiment of kind baseline", f"/exp goal edit {goal} --baseline 0.71")


def _data(experiment: Experiment, evidence: Evidence) -> Lack | None:
    goal = evidence.goal
    open_marks = [name for name in DATA_MARKS if not goal or goal.mark(name).answer is not Answer3.YES]
    if not open_marks:
        return None
    options = " ".join(f"--{name} yes" for name in open_marks)
    return (f"data confirmed ({', '.join(open_marks)})", f"/exp goal ready {experiment.goal or 'GOAL'} {options}")


def _pipeline(experiment: Experiment, evidence: Evidence) -> Lack | None:
    goal = evidence.goal
    if not experiment.kind.measured or (goal and goal.mark("pipeline").answer is Answer3.YES):
        return None
    goal_key = experiment.goal or "GOAL"
    return ("the evaluation pipeline run on the baseline", f"/exp goal ready {goal_key} --pipeline yes")


def _appetite(experiment: Experiment, evidence: Evidence) -> Lack | None:
    return None if experiment.appetite else ("an appetite", f"/exp frame {experiment.key} --appetite M")


def _issue(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.issue_id or evidence.issue_ordered or not evidence.jira_configured:
        return None
    return ("a linked Jira issue", f"/exp link {experiment.key} ML-345, or --create ML for a new one")


def _research_last(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.kind is not Kind.RESEARCH or evidence.prod_beats_baseline:
        return None
    return (
        "a model that beats the baseline in production, before research",
        f"conclude an improvement first, or /exp frame {experiment.key} --kind improvement",
    )


def _dev_evidence(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if not experiment.kind.measured or evidence.dev_runs >= experiment.min_runs:
        return None
    return (
        f"evidence on development data: {evidence.dev_runs} of {experiment.min_runs} runs",
        f"tag runs with scrumbut.experiment={experiment.key}, then /exp sync",
    )


def _parity(experiment: Experiment, evidence: Evidence) -> Lack | None:
    ungated = not experiment.kind.measured or experiment.kind is Kind.BASELINE
    if ungated or experiment.parity_reason or evidence.parity.holds:
        return None
    found = evidence.parity.why or f"gap {evidence.parity.gap:.4g}, tolerance {evidence.parity.tolerance:.4g}"
    remedy = f'wait for production readings, or /exp move {experiment.key} deciding --reason "labels are late"'
    return (f"parity between dev and prod ({found})", remedy)


def _outcome(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.outcome and experiment.learning:
        return None
    return ("an outcome and a learning", f'/exp outcome {experiment.key} good|bad|interesting "what we learned"')


# What must hold to *leave* a stage, in the order in which a person would supply it.
GATES: Mapping[Stage, tuple[Gate, ...]] = {
    Stage.IDEA: (_owner,),
    Stage.FRAMED: (_goal, _hypothesis, _metric, _eval_set, _baseline, _serves, _min_effect),
    Stage.READY: (_data, _pipeline, _appetite, _issue, _research_last),
    Stage.RUNNING: (_dev_evidence,),
    Stage.OBSERVING: (_parity,),
    Stage.DECIDING: (_outcome,),
}


def check_gates(experiment: Experiment, to: Stage, evidence: Evidence) -> None:
    """Raise GateClosed unless every hard gate between the experiment's stage and `to` holds; skipping a stage
    skips none of its gates."""
    passed = [stage for stage in Stage if experiment.stage.rank <= stage.rank < to.rank]
    found = (gate(experiment, evidence) for stage in passed for gate in GATES.get(stage, ()))
    missing = tuple(lack for lack in found if lack)
    if missing:
        raise GateClosed(f"{experiment.key} cannot go from {experiment.stage} to {to} yet. Missing:", missing)


def warnings(experiment: Experiment, to: Stage, evidence: Evidence) -> list[str]:
    """What a person should know before the move, none of it blocking."""
    if to is not Stage.RUNNING:
        return []
    kinds = list(Kind)
    earlier = [kind for kind in kinds[: kinds.index(experiment.kind)] if kind in evidence.open_kinds]
    return [f'An experiment of kind "{kind}" on this goal has not concluded yet.' for kind in earlier]
