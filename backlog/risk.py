"""Reasons to look, found by rule. A new rule is one function and one entry in RULES.

A rule never stops anything; it names cause, effect, evidence, an owner and an action.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from backlog.experiment import Experiment
from backlog.goal import Goal
from backlog.issue import Issue, waits_for_decision
from backlog.metric import Metric, RunValue
from backlog.policy import Rules
from backlog.snapshot import Risk

REVIEW = timedelta(days=7)  # a risk is looked at again with the next weekly report
GAPS_NEEDED = 8  # silences a metric must have shown before its longest one says anything
GAPS_KEPT = 50  # the most recent gaps that count
SILENT_START = timedelta(days=3)  # a started experiment without any reading, the small appetite


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at: everything known about the backlog at `now`. `runs` is by metric id, `issues` by
    Jira id."""

    now: datetime
    goals: Sequence[Goal]
    experiments: Sequence[Experiment]
    metrics: Sequence[Metric]
    runs: Mapping[int, Sequence[RunValue]]
    issues: Mapping[str, Issue]
    rules: Rules

    @property
    def active(self) -> list[Experiment]:
        """Experiments without a decision."""
        return [experiment for experiment in self.experiments if not experiment.stage.finished]

    def issue(self, experiment: Experiment) -> Issue | None:
        """The experiment's twin in Jira as last read."""
        return self.issues.get(experiment.issue_id)


Rule = Callable[[Situation], Iterator[Risk]]


def stale_after(times: Sequence[datetime]) -> timedelta | None:
    """The silence after which a metric is stale: longer than the longest of its last 50 gaps. None with fewer than
    eight gaps: too little history to call a silence unusual."""
    ordered = sorted(times)
    gaps = [later - earlier for earlier, later in pairwise(ordered)][-GAPS_KEPT:]
    return max(gaps) if len(gaps) >= GAPS_NEEDED else None


def no_baseline(s: Situation) -> Iterator[Risk]:
    """A goal is worked on without a number to compare with."""
    worked_on = {experiment.goal for experiment in s.active}
    for goal in s.goals:
        if goal.baseline is None and goal.key in worked_on:
            yield _risk(
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


def stale_metric(s: Situation) -> Iterator[Risk]:
    """A metric fell silent while somebody works on its goal."""
    for metric in s.metrics:
        worked_on = [e for e in s.active if e.goal == metric.goal and e.stage.in_progress]
        silence = _silence(s, metric, worked_on)
        if silence is None:
            continue
        yield _risk(
            s,
            "stale_metric",
            metric.goal,
            worked_on[0].owner,
            0.5,
            cause=f"{metric.name} ({metric.environment}) has been silent for {silence.days} days",
            effect="we do not know where the goal stands",
            evidence=f"source {metric.source}, key {metric.key}",
            action=f"/exp metric test {metric.name} --goal {metric.goal} --env {metric.environment}",
        )


def _silence(s: Situation, metric: Metric, worked_on: Sequence[Experiment]) -> timedelta | None:
    if not worked_on:
        return None
    times = [run.at for run in s.runs.get(metric.id, ())]
    if not times:
        started = min(e.running_since or s.now for e in worked_on)
        silence, allowed = s.now - started, SILENT_START
    else:
        silence, allowed = s.now - max(times), stale_after(times) or timedelta.max
    return silence if silence > allowed and silence.days >= 1 else None


def over_age(s: Situation) -> Iterator[Risk]:
    """An experiment is older than its appetite; the appetite serves while the team's own history is short."""
    for experiment in s.active:
        age, appetite = experiment.bet_days(s.now), s.rules.appetite_days.get(experiment.appetite)
        if age is None or appetite is None or age <= appetite or experiment.parked_since:
            continue
        yield _risk(
            s,
            "over_age",
            experiment.key,
            experiment.owner,
            min(0.9, 0.4 + 0.2 * (age / appetite - 1)),
            cause=f"{age} days into the bet, appetite {experiment.appetite} is {appetite}",
            effect="the bet is spent and nobody has looked again",
            evidence=f"running since {experiment.running_since:%d %b}",
            action=f'/exp outcome {experiment.key} good|bad|interesting "…"',
        )


def blocked(s: Situation) -> Iterator[Risk]:
    """An experiment waits for something."""
    for experiment in s.active:
        if experiment.blocked_reason and experiment.blocked_since:
            days = (s.now - experiment.blocked_since).days
            yield _risk(
                s,
                "blocked",
                experiment.key,
                experiment.owner,
                min(0.9, 0.5 + 0.02 * days),
                cause=f"blocked: {experiment.blocked_reason}",
                effect="its question stays open",
                evidence=f"since {experiment.blocked_since:%d %b}, {days} days",
                action=f"clear it, then /exp unblock {experiment.key}",
            )


def timeboxed(s: Situation) -> Iterator[Risk]:
    """The linked issue carries a sprint or a due date, which the policy replaced."""
    for experiment in s.active:
        issue = s.issue(experiment)
        if issue and issue.timeboxed:
            yield _risk(
                s,
                "timeboxed",
                experiment.key,
                experiment.owner,
                0.3,
                cause=f"timeboxed in Jira: {issue.timeboxed}",
                effect="an open question gets a date nobody can know",
                evidence=issue.key,
                action=f"clear both: /exp sync untimebox {issue.key}",
            )


def unreachable(s: Situation) -> Iterator[Risk]:
    """The linked issue can no longer be read: deleted, or out of our sight, and nobody can tell which."""
    for experiment in s.active:
        issue = s.issue(experiment)
        if issue and issue.unreachable_since:
            yield _risk(
                s,
                "unreachable",
                experiment.key,
                experiment.owner,
                0.25,
                cause=f"{issue.key} cannot be read in Jira",
                effect="what happens there is not seen here",
                evidence=f"since {issue.unreachable_since:%d %b %Y}",
                action=f"give the account the right to see it, or /exp unlink {experiment.key}",
            )


def decision_waiting(s: Situation) -> Iterator[Risk]:
    """Jira says done, the backlog has no decision."""
    for experiment in s.active:
        issue = s.issue(experiment)
        if issue and waits_for_decision(issue, experiment.stage):
            yield _risk(
                s,
                "decision_waiting",
                experiment.key,
                experiment.owner,
                0.8,
                cause=f'{issue.key} is "{issue.status}" in Jira, without a decision here',
                effect="what was learned is lost",
                evidence=f"stage {experiment.stage}",
                action=f"/exp outcome {experiment.key} …, then /exp decide {experiment.key} …",
            )


RULES: tuple[Rule, ...] = (decision_waiting, blocked, over_age, stale_metric, no_baseline, timeboxed, unreachable)


def find_risks(s: Situation, before: Sequence[Risk] = ()) -> list[Risk]:
    """All risks, the greatest exposure first; those also in `before` are continuing."""
    known = {(risk.rule, risk.subject) for risk in before}
    found = [risk for rule in RULES for risk in rule(s)]
    return sorted(
        (_with_trend(risk, (risk.rule, risk.subject) in known) for risk in found),
        key=lambda risk: (-risk.exposure, risk.subject, risk.rule),
    )


def _with_trend(risk: Risk, continuing: bool) -> Risk:
    return replace(risk, trend="continuing" if continuing else "new")


def _risk(
    s: Situation, rule: str, subject: str, owner: str, exposure: float, *, cause: str, effect: str,
    evidence: str, action: str,
) -> Risk:  # fmt: skip
    return Risk(
        rule=rule,
        subject=subject,
        cause=cause,
        effect=effect,
        evidence=evidence,
        owner=owner,
        action=action,
        review_on=(s.now + REVIEW).date(),
        exposure=exposure,
        trend="new",
    )
