"""An experiment and the entries of its timeline; the state is the fold of the entries.

Nothing here decides what is allowed: that is `lifecycle.py`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from backlog.errors import BacklogError

EXPERIMENT_KEY = re.compile(r"EXP-([1-9]\d{0,8})", re.IGNORECASE)
ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]+-[1-9]\d*", re.IGNORECASE)
TITLE_MAX = 200  # characters; a Jira summary holds 255 and the card one line


class Stage(StrEnum):
    """Where an experiment stands, in order."""

    IDEA = "idea"
    FRAMED = "framed"
    READY = "ready"
    RUNNING = "running"
    OBSERVING = "observing"
    DECIDING = "deciding"
    CONCLUDED = "concluded"
    MONITORED = "monitored"

    @property
    def rank(self) -> int:
        """The position in the lifecycle, from 0."""
        return STAGES.index(self)

    @property
    def in_progress(self) -> bool:
        """Whether it counts as work in progress, as Jira's category of that name does."""
        return self in (Stage.RUNNING, Stage.OBSERVING, Stage.DECIDING)

    @property
    def finished(self) -> bool:
        """Whether its question is answered and decided."""
        return self in (Stage.CONCLUDED, Stage.MONITORED)


STAGES = tuple(Stage)


class Kind(StrEnum):
    """What the experiment is for, in the order of a sound ML project."""

    DATA_UNDERSTANDING = "data-understanding"
    METRIC_DEVELOPMENT = "metric-development"
    INFRASTRUCTURE = "infrastructure"
    BASELINE = "baseline"
    IMPROVEMENT = "improvement"
    RESEARCH = "research"
    PRODUCTION_CHECK = "production-check"

    @property
    def measured(self) -> bool:
        """Whether metric, pipeline and parity gates apply; the other kinds answer a stated question."""
        return self not in (Kind.DATA_UNDERSTANDING, Kind.METRIC_DEVELOPMENT, Kind.INFRASTRUCTURE)


class Outcome(StrEnum):
    """What we found."""

    GOOD = "good"
    BAD = "bad"
    INTERESTING = "interesting"


class Decision(StrEnum):
    """What we do about it."""

    ADOPT = "adopt"
    ITERATE = "iterate"
    PIVOT = "pivot"
    STOP = "stop"
    PARK = "park"
    EXTEND = "extend"
    ROLL_BACK = "roll-back"
    COLLECT_DATA = "collect-data"

    @property
    def concludes(self) -> bool:
        """Whether it ends the experiment; *park* rests it and *extend* bets again."""
        return self not in (Decision.PARK, Decision.EXTEND)

    @property
    def continues(self) -> bool:
        """Whether another experiment follows from it."""
        return self in (Decision.ITERATE, Decision.PIVOT)


class ReasonCode(StrEnum):
    """Why an outcome is what it is, below good, bad and interesting."""

    INCONCLUSIVE = "inconclusive"
    NEUTRAL = "neutral"
    PARITY_FAILED = "parity-failed"
    INVALID = "invalid"
    DID_NOT_FINISH = "did-not-finish"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One hypothesis in the backlog, as its timeline left it.

    `owner` and every other person is a user id of the surface the act came from. `issue_id` is Jira's immutable
    id; `issue_key` is only for display. `min_effect` is in the metric's unit; `serves` is the decision it serves.
    `parent` is the key of the experiment it follows from. `bet_since` is when the current bet of one appetite began,
    `checkpoint_at` its last look, `nudged` the highest percentile of the team's own ages it was held against;
    `blocked_until` and `parked_until` are ISO dates or empty. `learning_value`, `impact`, `confidence` and `effort`
    are scores from 1 to 5, see `priority.py`; `jira_priority` is Jira's own word,
    shared with the issue as the labels are. `decision_evidence` is what was known when it was decided.
    """

    number: int
    title: str
    created_at: datetime
    created_by: str
    stage: Stage = Stage.IDEA
    kind: Kind = Kind.IMPROVEMENT
    goal: str = ""
    owner: str = ""
    parent: str = ""
    hypothesis: str = ""
    metric: str = ""
    eval_set: str = ""
    min_effect: float | None = None
    serves: str = ""
    min_runs: int = 3
    appetite: str = ""
    learning_value: int | None = None
    impact: int | None = None
    confidence: int | None = None
    effort: int | None = None
    labels: tuple[str, ...] = ()
    jira_priority: str = ""
    issue_id: str = ""
    issue_key: str = ""
    issue_url: str = ""
    running_since: datetime | None = None
    stage_since: datetime | None = None
    went_back: int = 0
    parity_reason: str = ""
    blocked_reason: str = ""
    blocked_since: datetime | None = None
    blocked_until: str = ""
    parked_reason: str = ""
    parked_since: datetime | None = None
    parked_until: str = ""
    hill: str = ""
    bet_since: datetime | None = None
    checkpoint_at: datetime | None = None
    extensions: int = 0
    nudged: int = 0
    outcome: Outcome | None = None
    reason_code: ReasonCode | None = None
    learning: str = ""
    next_key: str = ""
    outcome_by: str = ""
    decision: Decision | None = None
    decision_reason: str = ""
    decision_evidence: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def key(self) -> str:
        """`EXP-12`."""
        return f"EXP-{self.number}"

    def age_days(self, now: datetime) -> int | None:
        """Whole calendar days since *running*, the commitment point, up to the decision; None before it."""
        if self.running_since is None:
            return None
        return ((self.decided_at or now) - self.running_since).days

    def bet_days(self, now: datetime) -> int | None:
        """Whole calendar days since the current bet began: at *running*, or at the last extension."""
        began = self.bet_since or self.running_since
        return None if began is None else ((self.decided_at or now) - began).days


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline: who did what when, and what it changed.

    `changes` maps field names of Experiment to their new values; an entry without changes is a note or a warning
    that was overridden. Replaying the entries of an experiment in order gives its state.
    """

    at: datetime
    who: str
    act: str
    text: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which experiments are asked for; the filters combine, an empty one is none. `older_than` is in whole calendar
    days since *running*, held against `now`."""

    stage: str = ""
    goal: str = ""
    owner: str = ""
    unfinished: bool = False
    older_than: int | None = None
    kind: str = ""


def apply(experiment: Experiment, entry: Entry) -> Experiment:
    """The experiment after that entry."""
    return replace(experiment, **entry.changes, updated_at=entry.at)


def replay(number: int, entries: Iterable[Entry]) -> Experiment:
    """The state that a whole timeline leaves; the first entry must be the creation. Raises ValueError if empty."""
    experiment: Experiment | None = None
    for entry in entries:
        if experiment is None:
            experiment = Experiment(number, entry.text, entry.at, entry.who)
        experiment = apply(experiment, entry)
    if experiment is None:
        raise ValueError("an experiment's timeline begins with its creation")
    return experiment


def clean_title(title: str) -> str:
    """One printable line. Raises BacklogError where it is empty, without a letter or digit, or too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in title).split())
    if not any(char.isalnum() for char in line):
        raise BacklogError("A title needs words.", '/exp new "Char-level tokens raise recall"')
    if len(line) > TITLE_MAX:
        raise BacklogError(
            f"That title has {len(line)} characters; {TITLE_MAX} fit.",
            "Keep one sentence as the title and put the rest into a note: /exp note EXP-12 …",
        )
    return line
