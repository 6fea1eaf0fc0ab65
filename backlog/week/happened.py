"""What the period brought: decisions that wait, answers, and differences."""

from collections.abc import Iterable
from datetime import datetime

from backlog.experiment import Decision, Entry, Experiment, Outcome, Stage
from backlog.health import DECIDE_WITHIN
from backlog.risk import Situation
from backlog.snapshot import Change, DecisionNeeded, Health, Learned, Period
from backlog.week.known import Known, View


def decisions(s: Situation) -> Iterable[DecisionNeeded]:
    """What waits for a person: a decision, or an outcome that Jira knows and we do not."""
    for e in s.active:
        issue = s.issue(e)
        if e.stage is Stage.DECIDING:
            if e.outcome:
                found = f'Decide what to do about "{e.title}". The outcome is {e.outcome}: {e.learning}'
                yield _needed(e, found, ("adopt", "iterate", "pivot", "stop"), s.now)
            else:
                asked = f'Say what "{e.title}" found, and decide.'
                yield _needed(e, asked, ("name the outcome", f"bet again (/exp extend {e.key})"), s.now)
        elif issue and issue.done:
            asked = f'{issue.key} is "{issue.status}" in Jira. Name the outcome of "{e.title}" and decide.'
            yield _needed(e, asked, ("name the outcome", f"reopen {issue.key}"), s.now)


def _needed(e: Experiment, question: str, options: tuple[str, ...], now: datetime) -> DecisionNeeded:
    default = "it is asked again next week"
    since = e.stage_since if e.stage is Stage.DECIDING else None
    health = Health.OFF_TRACK if since and now - since > DECIDE_WITHIN else Health.AT_RISK
    return DecisionNeeded(e.key, e.title, question, options, e.owner, default, health, since)


def learned(view: View) -> Iterable[Learned]:
    """The experiments that were decided in the period."""
    s, period = view.situation, view.period
    for e in s.experiments:
        if not (e.decision and e.outcome and e.decided_at and period.start <= e.decided_at < period.end):
            continue
        runs = sum(len(view.runs_of(e, m)) for m in s.metrics if m.goal == e.goal and m.name == e.metric)
        yield Learned(e.key, e.title, e.goal, e.outcome, e.learning, e.decision, _so_what(e), runs)


def _so_what(e: Experiment) -> str:
    if e.decision is Decision.ADOPT:
        return f"adopted and watched in production: {e.decision_reason}"
    if e.outcome is Outcome.BAD:
        return f"a cost avoided: {e.decision_reason}"
    if e.next_key:
        return f"{e.next_key} follows from it: {e.decision_reason}"
    return f"{e.decision}: {e.decision_reason}"


SENTENCES = {
    "created": "new on the backlog",
    "started": "started",
    "went back": "went back to {stage}",
    "moved": "moved to {stage}",
    "blocked": "blocked: {text}",
    "unblocked": "unblocked",
    "outcome": "outcome {text}",
    "decided": "concluded, {text}",
    "parked": "parked: {text}",
    "extended": "extended, {text}",
    "appetite spent": "appetite spent, {text}: waits for a decision",
    "came back": "came back, {text}",
    "follows": "follows from {text}",
}
GOAL_SENTENCES = {"created": "new goal", "deployed": "{text} went to production"}
NUMBERS = ("baseline", "target")  # of a goal: what moves stays visible


def changes(known: Known, period: Period) -> Iterable[Change]:
    """The differences of the period, in order."""
    titles = {e.key: e.title for e in known.situation.experiments}
    titles |= {f"goal:{goal.key}": goal.statement for goal in known.situation.goals}
    for key, entry in known.entries:
        if not period.start <= entry.at < period.end:
            continue
        for what in _told(key, entry):
            yield Change(entry.at, key.removeprefix("goal:"), titles.get(key, key), what, entry.who)


def _told(key: str, entry: Entry) -> Iterable[str]:
    of_goal = key.startswith("goal:")
    sentence = (GOAL_SENTENCES if of_goal else SENTENCES).get(entry.act)
    if sentence:
        yield sentence.format(stage=entry.changes.get("stage", ""), text=entry.text)
    if of_goal and entry.act in ("edited", "undone"):
        before, after = entry.changes.get("before", {}), entry.changes.get("after", {})
        why = f": {entry.text}" if entry.text else ""
        for name in NUMBERS:
            if name in after:
                yield f"{name} moved {_plain(before.get(name))} → {_plain(after[name])}{why}"


def _plain(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"
