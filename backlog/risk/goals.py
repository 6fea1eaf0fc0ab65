"""Risks of a goal: what must be there before work on it makes sense, and whether it can be reached at all."""

from collections.abc import Iterator, Sequence

from backlog.chance import BANDS
from backlog.experiment import Stage
from backlog.forecast import Climb, climb_of, target_chance, told_target
from backlog.goal import DATA_MARKS, TEST_MARKS, Answer3, Goal
from backlog.guardrail import Guardrail, latest_value, read_guardrail
from backlog.history import concluded_values, judged_metric
from backlog.metric import PROD
from backlog.risk.situation import Situation, name_risk
from backlog.snapshot import Risk

AHEAD = 10  # concluded experiments within which a target should be in reach
UNLIKELY = BANDS[0][0]
ALONE_FROM = 3  # experiments without a decision


def _denied(goal: Goal, names: Sequence[str]) -> list[str]:
    """The marks that were answered with no, or with a plan instead of a yes."""
    marks = [(name, goal.mark(name)) for name in names]
    return [
        f"{name} {mark.answer}{f' ({mark.note})' if mark.note else ''}"
        for name, mark in marks
        if mark.answer is Answer3.NO or (mark.answer is Answer3.UNKNOWN and mark.note)
    ]


def no_usable_data(s: Situation) -> Iterator[Risk]:
    """Somebody works on a goal whose data is not there to be used: a big database is not usable data."""
    for goal in s.goals:
        lacking = _denied(goal, ("exists", *DATA_MARKS))
        if lacking and any(e.goal == goal.key for e in s.active):
            yield name_risk(
                s,
                "no_usable_data",
                goal.key,
                goal.created_by,
                0.7,
                cause="its data cannot be used yet",
                effect="experiments wait or learn from the wrong data",
                evidence="; ".join(lacking),
                action=f"find who can change that, then /exp goal ready {goal.key} --labels yes --access yes",
            )


def no_metric(s: Situation) -> Iterator[Risk]:
    """Somebody works on a goal that no number stands for."""
    for goal in s.goals:
        if s.in_progress(goal.key) and not s.metrics_of(goal):
            yield name_risk(
                s,
                "no_metric",
                goal.key,
                goal.created_by,
                0.5,
                cause="no metric stands for the goal" if not goal.metric else f"{goal.metric} is read from nowhere",
                effect="experiments cannot be compared",
                evidence="no source is read for it",
                action=f"/exp metric add {goal.metric or 'NAME'} --goal {goal.key} --source SOURCE --key KEY",
            )


def no_baseline(s: Situation) -> Iterator[Risk]:
    """A goal is worked on without a number to compare with."""
    worked_on = {experiment.goal for experiment in s.active}
    for goal in s.goals:
        if goal.baseline is None and goal.key in worked_on:
            yield name_risk(
                s,
                "no_baseline",
                goal.key,
                goal.created_by,
                0.5,
                cause="the goal has no baseline",
                effect="nobody can say whether an experiment helped",
                evidence="no value set and no concluded baseline",
                action=f"/exp goal edit {goal.key} --baseline VALUE",
            )


def infrastructure_not_ready(s: Situation) -> Iterator[Risk]:
    """Measured experiments run before training and evaluation are ready: iterations are slow."""
    for goal in s.goals:
        lacking = _denied(goal, ("infrastructure", "pipeline"))
        measured = [e for e in s.in_progress(goal.key) if e.kind.measured]
        if lacking and measured:
            yield name_risk(
                s,
                "infrastructure_not_ready",
                goal.key,
                measured[0].owner,
                0.5,
                cause="experiments run before the infrastructure is ready",
                effect="each iteration is slow, and results may not be comparable",
                evidence="; ".join(lacking),
                action='/exp new "Training and evaluation in one command" --kind infrastructure',
            )


def untested(s: Situation) -> Iterator[Risk]:
    """A model is in production, or observed there, and something below it is not tested."""
    for goal in s.goals:
        there = [e for e in s.experiments if e.goal == goal.key and e.stage in (Stage.OBSERVING, Stage.MONITORED)]
        lacking = [name for name in TEST_MARKS if goal.mark(name).answer is not Answer3.YES]
        if there and lacking:
            yield name_risk(
                s,
                "untested",
                goal.key,
                there[-1].owner or goal.created_by,
                0.4,
                cause=f"in production with {len(lacking)} of {len(TEST_MARKS)} kinds of tests not confirmed",
                effect="a fault shows first to customers",
                evidence=f"{', '.join(lacking)}; {there[-1].key} is {there[-1].stage}",
                action=f"test it, then /exp goal ready {goal.key} --{lacking[0]} yes",
            )


def single_owner(s: Situation) -> Iterator[Risk]:
    """All open experiments of a goal rest on one person."""
    for goal in s.goals:
        owners = [e.owner for e in s.active if e.goal == goal.key and e.owner]
        if len(owners) >= ALONE_FROM and len(set(owners)) == 1 and s.in_progress(goal.key):
            yield name_risk(
                s,
                "single_owner",
                goal.key,
                owners[0],
                0.2,
                cause=f"all {len(owners)} open experiments belong to one person",
                effect="it stands still while they are away",
                evidence=f"{len(s.in_progress(goal.key))} in progress",
                action="share one: /exp edit EXP-… --owner @…",
            )


def target_out_of_reach(s: Situation) -> Iterator[Risk]:
    """At the pace of its concluded experiments the goal's target is unlikely within the next ten."""
    for goal in s.goals:
        climb = goal_climb(s, goal)
        if climb is None or goal.target is None or not s.in_progress(goal.key):
            continue
        if target_chance(climb, goal.target, AHEAD) < UNLIKELY:
            yield name_risk(
                s,
                "target_out_of_reach",
                goal.key,
                goal.created_by,
                0.6,
                cause=f"its target {goal.target:g} is unlikely within the next {AHEAD} experiments",
                effect="more of the same will not be enough",
                evidence=told_target(climb, goal.target, AHEAD, f"{climb.trials} concluded experiments"),
                action=f'a different approach, or another target: /exp goal edit {goal.key} --target VALUE "why"',
            )


def goal_climb(s: Situation, goal: Goal) -> Climb | None:
    """The climb of a goal's concluded experiments; None under five."""
    metric = judged_metric(goal.metric, goal, s.metrics)
    if metric is None:
        return None
    return climb_of([value for _, value in concluded_values(goal, s.experiments, metric, s.runs)], metric.better)


def guardrail_breached(s: Situation) -> Iterator[Risk]:
    """What must not get worse got worse. A guardrail that names no metric and bound is left to people."""
    for goal in s.goals:
        for guardrail in filter(None, map(read_guardrail, goal.guardrails)):
            found = _latest(s, goal, guardrail)
            if found is not None and not guardrail.holds(found[0]):
                yield name_risk(
                    s,
                    "guardrail_breached",
                    goal.key,
                    goal.created_by,
                    0.8,
                    cause=f"guardrail breached: {guardrail.metric} is {found[0]:g}, agreed was {guardrail}",
                    effect="we win the goal and lose what it must not cost",
                    evidence=f"latest reading in {found[1]}",
                    action="roll back, or agree on another bound: /exp goal edit "
                    f'{goal.key} --guardrail "{guardrail}" "why"',
                )


def _latest(s: Situation, goal: Goal, guardrail: Guardrail) -> tuple[float, str] | None:
    """The latest value of the guarded metric and its environment, production first."""
    named = [m for m in s.metrics if m.goal == goal.key and m.name == guardrail.metric]
    for metric in sorted(named, key=lambda metric: metric.environment != PROD):
        value = latest_value(s.watched.get(metric.id, ()), s.runs.get(metric.id, ()))
        if value is not None:
            return value, metric.environment
    return None
