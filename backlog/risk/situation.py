"""What the rules look at, and how a rule names what it found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backlog.experiment import Experiment
from backlog.goal import Goal
from backlog.issue import Issue
from backlog.metric import Metric, RunValue
from backlog.policy import Rules
from backlog.snapshot import Risk, SourceLine

REVIEW = timedelta(days=7)  # a risk is looked at again with the next weekly report
Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything known about the backlog at `now`. `runs` is by metric id, `issues` by Jira id; `watched` are the
    single finite readings in production, oldest first and only those since the last deployment, by metric id;
    `left_out` are the runs that were measured on another evaluation set, and are compared with none."""

    now: datetime
    goals: Sequence[Goal]
    experiments: Sequence[Experiment]
    metrics: Sequence[Metric]
    runs: Mapping[int, Sequence[RunValue]]
    issues: Mapping[str, Issue]
    rules: Rules
    watched: Mapping[int, Sequence[Point]] = field(default_factory=dict)
    sources: Sequence[SourceLine] = ()
    left_out: Mapping[int, Sequence[RunValue]] = field(default_factory=dict)

    @property
    def active(self) -> list[Experiment]:
        """Experiments without a decision."""
        return [experiment for experiment in self.experiments if not experiment.stage.finished]

    def in_progress(self, goal: str) -> list[Experiment]:
        """The goal's experiments that are worked on now, parked ones left out."""
        return [e for e in self.experiments if e.goal == goal and e.stage.in_progress and not e.parked_since]

    def issue(self, experiment: Experiment) -> Issue | None:
        """The experiment's twin in Jira as last read."""
        return self.issues.get(experiment.issue_id)

    def metrics_of(self, goal: Goal) -> list[Metric]:
        """The goal's own metric, in each environment it is read in."""
        return [metric for metric in self.metrics if metric.goal == goal.key and metric.name == goal.metric]


Rule = Callable[[Situation], Iterator[Risk]]


def name_risk(
    s: Situation, rule: str, subject: str, owner: str, exposure: float, *, cause: str, effect: str,
    evidence: str, action: str,
) -> Risk:  # fmt: skip
    """A risk as a rule found it; whether it is new is for `find_risks` to say."""
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
