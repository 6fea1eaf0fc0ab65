"""A goal's line: its number's way, its health with the reason, and what may come of it."""

from collections.abc import Sequence
from dataclasses import replace

from backlog.experiment import Experiment, Outcome
from backlog.goal import Goal
from backlog.health import QUIET, goal_health
from backlog.outlook import goal_outlook
from backlog.parity import goal_parity
from backlog.snapshot import Comparison, GoalLine, HealthCall
from backlog.week.known import Known, View
from backlog.week.tracks import goal_track, met


def goal_line(goal: Goal, view: View) -> GoalLine:
    """The goal as the report names it."""
    known, s = view.known, view.situation
    own = [e for e in s.experiments if e.goal == goal.key]
    subjects = {goal.key, *(e.key for e in own)}
    metrics = [m for m in s.metrics if m.goal == goal.key and m.name == goal.metric]
    tracks = tuple(goal_track(m, view) for m in metrics)
    better = goal.better or next((m.better for m in metrics), None)
    parity = goal_parity(metrics, s.runs)
    health, evidence = goal_health(
        own,
        [risk for risk in view.risks if risk.subject in subjects],
        parity,
        any(track.best is not None for track in tracks),
        known.updated_at.get(goal.key),
        s.now,
    )
    before = known.previous and next((g.health for g in known.previous.goals if g.key == goal.key), None)
    return GoalLine(
        key=goal.key,
        statement=goal.statement,
        anti_goals=goal.anti_goals,
        metric=goal.metric,
        unit=next((m.unit for m in metrics), ""),
        better=better,
        baseline=goal.baseline,
        target=goal.target,
        met=met(tracks, goal.target, better),
        health=health,
        health_before=before or None,
        evidence=evidence,
        tracks=tracks,
        parity=Comparison(parity.gap, parity.tolerance, parity.holds, parity.why) if parity else None,
        moves=tuple(known.moves.get(goal.key, ())),
        finished=sum(e.stage.finished for e in own),
        good=sum(e.stage.finished and e.outcome is Outcome.GOOD for e in own),
        call=_call(known, goal.key),
        outlook=_outlook(goal, own, view),
    )


def _outlook(goal: Goal, own: Sequence[Experiment], view: View) -> tuple[str, ...]:
    """What may come of a goal that is worked on, or why nothing is said of it."""
    if not any(e.stage.in_progress for e in own):
        return ()
    told = goal_outlook(view.situation, goal, view.known.own)
    return (*((told.why,) if told.why else ()), *told.lines)


def _call(known: Known, goal: str) -> HealthCall | None:
    """What a person last said of the goal's health, by name, while it is fresh enough to count as an update."""
    call = known.calls.get(goal)
    if call is None or known.situation.now - call.at > QUIET:
        return None
    return replace(call, who=known.people.get(call.who, call.who))
