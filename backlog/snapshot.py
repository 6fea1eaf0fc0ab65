"""Everything a report may speak of, as of one moment.

A report renders a snapshot and nothing else, so an old report renders to the same bytes again and every surface
shows the same numbers. Times are aware; numbers are finite or None.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from backlog.aging import History
from backlog.experiment import Decision, Kind, Outcome, Stage
from backlog.metric import Better
from backlog.policy import PolicyItem


class Health(StrEnum):
    """Where a goal stands. Unknown is grey: we do not know."""

    ON_TRACK = "on track"
    AT_RISK = "at risk"
    OFF_TRACK = "off track"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Period:
    """The ISO week a report covers: `key` is `2026-W47`, `start` and `end` its Mondays at midnight in `zone`."""

    key: str
    start: datetime
    end: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class RunDot:
    """One run for a chart: NaN values travel as None with `failed` true."""

    at: datetime
    value: float | None
    failed: bool
    this_week: bool


@dataclass(frozen=True, slots=True)
class Track:
    """One metric in one environment. `best_before` is the best at the week's start; `runs_week` and `failed_week`
    count this week's runs; `by_week` is the best so far at the end of each of the last ten weeks, oldest first. Of a
    goal's track, `left_out` runs of those weeks were measured on `other_sets` and not on `compared_on`, and its mean
    changed at `changes`."""

    environment: str
    source: str
    best: float | None
    best_at: datetime | None
    best_before: float | None
    runs: int
    failed: int
    runs_week: int
    failed_week: int
    runs_week_before: int
    failed_week_before: int
    by_week: tuple[float | None, ...]
    dots: tuple[RunDot, ...]
    read_at: datetime | None
    eval_set: str = ""
    left_out: int = 0
    other_sets: tuple[str, ...] = ()
    compared_on: str = ""
    changes: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Dev against prod: see `parity.Parity`."""

    gap: float | None
    tolerance: float | None
    holds: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a goal's number (`what` is "baseline" or "target"): what moves stays visible."""

    at: datetime
    what: str
    before: float | None
    after: float | None
    why: str


@dataclass(frozen=True, slots=True)
class HealthCall:
    """What a person says of a goal's health, beside what the rules derive."""

    health: Health
    why: str
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GoalLine:
    """A goal with its metric's way from baseline over best to target, and its derived health with the reason. Of its
    `finished` experiments `good` had a good outcome; `moves` is the history of its numbers, oldest first; `call` is a
    person's health, shown beside the rules' where the two differ; `outlook` is what may come of it, or that its history
    is too short, empty while nobody works on it. `met` is the mark beside the health: the target is reached, in
    production where that is measured."""

    key: str
    statement: str
    anti_goals: tuple[str, ...]
    metric: str
    unit: str
    better: Better | None
    baseline: float | None
    target: float | None
    met: bool
    health: Health
    health_before: Health | None
    evidence: str
    tracks: tuple[Track, ...]
    parity: Comparison | None
    moves: tuple[Move, ...] = ()
    finished: int = 0
    good: int = 0
    call: HealthCall | None = None
    outlook: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of an experiment's timeline, in words."""

    at: datetime
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """An experiment as the report names it. `tracks` are its own runs only, none where it is neither in progress nor
    changed this week; `age_days` counts from running, `bet_days` from the last extension, if any; `health` is derived
    in progress, None elsewhere. `evidence` is what was known when it was decided; `story` is told only of a card's own
    experiment."""

    key: str
    title: str
    goal: str
    kind: Kind
    stage: Stage
    owner: str
    issue_key: str
    issue_url: str
    hypothesis: str
    metric: str
    unit: str
    better: Better | None
    target: float | None
    min_effect: float | None
    appetite: str
    appetite_days: int | None
    age_days: int | None
    blocked_reason: str
    outcome: Outcome | None
    learning: str
    decision: Decision | None
    decision_reason: str
    next_key: str
    went_back: int
    health: Health | None
    goal_met: bool
    changed_week: bool
    tracks: tuple[Track, ...]
    baseline: float | None = None
    eval_set: str = ""
    serves: str = ""
    reason_code: str = ""
    evidence: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    bet_days: int | None = None
    followers: tuple[str, ...] = ()
    story: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Risk:
    """A reason to look. `subject` is the goal's or experiment's key; `exposure` (0..1) orders risks; `trend` is
    "new" or "continuing". `number` is its place in the register, 0 before it has one; `answer` is "acknowledged" where
    a person said so, `answered` why."""

    rule: str
    subject: str
    cause: str
    effect: str
    evidence: str
    owner: str
    action: str
    review_on: date
    exposure: float
    trend: str
    number: int = 0
    answer: str = ""
    answered: str = ""


@dataclass(frozen=True, slots=True)
class DecisionNeeded:
    """A question that waits for a person. `default` is what happens when nobody answers."""

    subject: str
    title: str
    question: str
    options: tuple[str, ...]
    owner: str
    default: str
    health: Health
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference of the week; `what` leaves the subject out ("started", "moved to observing")."""

    at: datetime
    subject: str
    title: str
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class Learned:
    """One concluded experiment of the week and what it means for the goal."""

    key: str
    title: str
    goal: str
    outcome: Outcome
    learning: str
    decision: Decision
    so_what: str
    runs: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Work in progress against its limit, ages, and the rate of answers. `history` is None while fewer than
    `history_needed` experiments have finished; `good_ever` of `finished_ever` had a good outcome. `by_week` counts
    the answers of the last ten weeks, oldest first; `days_to_dev` and `days_to_prod` are the medians, over finished
    experiments, from running to observing and to the decision of those that were observed in production."""

    wip: int
    wip_limit: int
    oldest: tuple[tuple[str, int], ...]
    finished_week: int
    finished_ever: int
    good_ever: int
    history_needed: int
    history: History | None
    ideas: int
    ready: int
    by_week: tuple[int, ...] = ()
    days_to_dev: int | None = None
    days_to_prod: int | None = None


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A metric source: when it was last read, and the error if the last read failed."""

    name: str
    kind: str
    read_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a report says. `late` is true when it was due more than an hour before `made_at`; `people` maps user
    ids to names, for every id used anywhere here. `bottom_line` is a person's; where it is empty the rule's stands.
    `url` opens the page without a login. `resolved` are the risks of the report before that are gone; `team` is
    whose report it is, empty for everybody's; `subject` is the experiment's key where the report is one
    experiment's card; `hit_interval` holds the true share of good outcomes at 95 %, None where nothing has
    finished."""

    report: str
    audience: str
    id: str
    period: Period
    made_at: datetime
    late: bool
    schedule: str
    public_url: str
    goals: tuple[GoalLine, ...]
    experiments: tuple[ExperimentLine, ...]
    decisions: tuple[DecisionNeeded, ...]
    learned: tuple[Learned, ...]
    changes: tuple[Change, ...]
    risks: tuple[Risk, ...]
    flow: Flow
    sources: tuple[SourceLine, ...]
    policy: tuple[PolicyItem, ...]
    people: dict[str, str]
    bottom_line: str = ""
    bottom_line_by: str = ""
    url: str = ""
    resolved: tuple[Risk, ...] = ()
    subject: str = ""
    team: str = ""
    hit_interval: tuple[float, float] | None = None
