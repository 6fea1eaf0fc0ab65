"""An experiment's line, and its story where the report is about it."""

from collections.abc import Iterable, Sequence

from backlog.experiment import Entry, Experiment
from backlog.health import experiment_health
from backlog.snapshot import ExperimentLine, Step
from backlog.week.happened import SENTENCES
from backlog.week.known import View
from backlog.week.tracks import met, track


def experiment_line(e: Experiment, view: View, changed: bool) -> ExperimentLine:
    """The experiment as the report names it; `changed` is whether anything happened to it in the period."""
    known, s = view.known, view.situation
    goal = next((g for g in s.goals if g.key == e.goal), None)
    metrics = [m for m in s.metrics if m.goal == e.goal and m.name == (e.metric or (goal.metric if goal else ""))]
    # Old runs of experiments that nobody touches would make every report dearer than the one before.
    told = metrics if changed or e.stage.in_progress or e.key == view.subject else ()
    tracks = tuple(track(m, view.runs_of(e, m), view, dots=True) for m in told)
    better = next((m.better for m in metrics), None)
    target = goal.target if goal and goal.metric == e.metric else None
    issue = s.issue(e)
    return ExperimentLine(
        key=e.key,
        title=e.title,
        goal=e.goal,
        kind=e.kind,
        stage=e.stage,
        owner=e.owner,
        issue_key=issue.key if issue else e.issue_key,
        issue_url=issue.url if issue else e.issue_url,
        hypothesis=e.hypothesis,
        metric=e.metric,
        unit=next((m.unit for m in metrics), ""),
        better=better,
        target=target,
        min_effect=e.min_effect,
        appetite=e.appetite,
        appetite_days=s.rules.appetite_days.get(e.appetite),
        age_days=e.age_days(s.now),
        bet_days=e.bet_days(s.now),
        blocked_reason=e.blocked_reason,
        outcome=e.outcome,
        learning=e.learning,
        decision=e.decision,
        decision_reason=e.decision_reason,
        next_key=e.next_key,
        went_back=e.went_back,
        health=experiment_health(e, view.risks_of.get(e.key, ()), sum(t.runs - t.failed for t in tracks), s.now),
        goal_met=met(tracks, target, better),
        changed_week=changed,
        tracks=tracks,
        baseline=goal.baseline if goal and goal.metric == e.metric else None,
        eval_set=e.eval_set,
        serves=e.serves,
        reason_code=str(e.reason_code or ""),
        evidence=e.decision_evidence,
        decided_by=e.decided_by,
        decided_at=e.decided_at,
        followers=tuple(other.key for other in s.experiments if other.parent == e.key) if e.key == view.subject else (),
        story=tuple(_steps(known.story)) if e.key == view.subject else (),
    )


def _steps(entries: Sequence[Entry]) -> Iterable[Step]:
    for entry in entries:
        sentence = {**SENTENCES, "noted": "note: {text}", "checkpoint": "checkpoint: {text}"}.get(entry.act)
        if sentence:
            what = sentence.format(stage=entry.changes.get("stage", ""), text=entry.text)
            yield Step(entry.at, what, entry.who)
