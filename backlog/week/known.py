"""What a report is about, what is known for it, and what every line of its snapshot looks at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from backlog.cadence import Every
from backlog.experiment import Entry, Experiment
from backlog.metric import Metric, RunValue
from backlog.register import Registered
from backlog.reliability import Reliability
from backlog.risk import Situation
from backlog.snapshot import HealthCall, Move, Period, Risk, Snapshot, SourceLine
from backlog.team import Team


@dataclass(frozen=True, slots=True)
class Occasion:
    """Which report this is: name, audience, the time it was due, how it is scheduled, and whose goals it speaks of,
    everybody's without a team."""

    report: str
    audience: str
    due_at: datetime
    zone: str
    schedule: str = ""
    public_url: str = ""
    every: Every = Every.WEEK
    subject: str = ""
    team: Team | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the backlog. `entries` are the week's timeline lines with their experiment's key;
    `read_at` is by metric id; `updated_at` is the last human act by goal; `people` maps user ids to names. `moves` is
    the history of each goal's numbers, `observed_at` when an experiment first met production data, `story` the whole
    timeline of the occasion's subject; `register` are the risks there have been, `settled` those that resolved in the
    period, `calls` what people last said of a goal's health, `own` how the team's own forecasts did."""

    situation: Situation
    entries: Sequence[tuple[str, Entry]]
    read_at: Mapping[int, datetime]
    updated_at: Mapping[str, datetime]
    sources: Sequence[SourceLine]
    people: Mapping[str, str]
    previous: Snapshot | None = None
    moves: Mapping[str, Sequence[Move]] = field(default_factory=dict)
    observed_at: Mapping[str, datetime] = field(default_factory=dict)
    story: Sequence[Entry] = ()
    register: Sequence[Registered] = ()
    settled: Sequence[Registered] = ()
    calls: Mapping[str, HealthCall] = field(default_factory=dict)
    own: Reliability | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What every line of one snapshot looks at; `risks_of` is by subject, `own_runs` by metric id and experiment's
    key."""

    known: Known
    period: Period
    subject: str
    risks: Sequence[Risk]
    risks_of: Mapping[str, Sequence[Risk]]
    own_runs: Mapping[tuple[int, str], list[RunValue]]

    @property
    def situation(self) -> Situation:
        return self.known.situation

    def runs_of(self, e: Experiment, metric: Metric) -> list[RunValue]:
        return self.own_runs.get((metric.id, e.key), [])


def of_team(known: Known, team: Team | None) -> Known:
    """What is known of the team's own goals; their experiments alone are its history."""
    if team is None or not team.goals:
        return known
    s = known.situation
    experiments = [e for e in s.experiments if e.goal in team.goals]
    metrics = [metric for metric in s.metrics if metric.goal in team.goals]
    foreign = {e.key for e in s.experiments} | {goal.key for goal in s.goals}
    foreign -= {e.key for e in experiments} | set(team.goals)
    read = {metric.source for metric in metrics}
    return replace(
        known,
        situation=replace(
            s,
            goals=[goal for goal in s.goals if goal.key in team.goals],
            experiments=experiments,
            metrics=metrics,
            sources=[line for line in s.sources if line.name in read],
        ),
        entries=[(key, entry) for key, entry in known.entries if key.removeprefix("goal:") not in foreign],
        sources=[line for line in known.sources if line.name in read or line.kind == "jira"],
        register=[entry for entry in known.register if entry.risk.subject not in foreign],
        settled=[entry for entry in known.settled if entry.risk.subject not in foreign],
    )


def by_subject(risks: Iterable[Risk]) -> dict[str, list[Risk]]:
    """The risks of each subject."""
    found: dict[str, list[Risk]] = {}
    for risk in risks:
        found.setdefault(risk.subject, []).append(risk)
    return found


def by_experiment(runs: Mapping[int, Sequence[RunValue]]) -> dict[tuple[int, str], list[RunValue]]:
    """The runs that belong to an experiment, by metric id and its key."""
    own: dict[tuple[int, str], list[RunValue]] = {}
    for metric_id, values in runs.items():
        for run in values:
            if run.experiment:
                own.setdefault((metric_id, run.experiment), []).append(run)
    return own
