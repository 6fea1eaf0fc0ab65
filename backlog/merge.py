"""The three-way merge of one experiment and its twin in Jira: ours, theirs, and what both were when they last agreed.

It compares current states and relays no events, so a doubled, late or lost event changes nothing. A new field is one
entry in FIELDS. What is agreed is kept as a pair, ours and theirs: two titles that differed when they were linked stay
as they are until somebody changes one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from backlog.errors import BacklogError
from backlog.experiment import TITLE_MAX, Experiment, clean_title
from backlog.issue import Issue

Value = Any  # a text, or a sorted tuple of texts; None where a side has nothing that the other could hold


class Side(StrEnum):
    """Whose value stands."""

    BOTH = "both"
    OURS = "ours"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a field was on each side when both were last in line."""

    ours: Value
    theirs: Value


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one field. `value` is what both sides shall hold; `lost` is the value that did not stand, where
    both had changed; `moved` are the sides that changed since they agreed."""

    field: str
    ours: Value
    theirs: Value
    base: Agreed | None
    stands: Side
    value: Value
    lost: Value = None

    @property
    def conflict(self) -> bool:
        """Whether a value of a person did not stand."""
        return self.lost is not None


@dataclass(frozen=True, slots=True)
class People:
    """Owners here and accounts in Jira, as `[jira.users]` pairs them."""

    by_owner: Mapping[str, str]

    def account(self, owner: str) -> str | None:
        """The account of an owner; empty for nobody, None for one who is not paired."""
        return "" if not owner else self.by_owner.get(owner)

    def owner(self, account: str) -> str | None:
        """The owner behind an account; empty for nobody, None for one who is not paired."""
        return "" if not account else next((o for o, a in self.by_owner.items() if a == account), None)


@dataclass(frozen=True, slots=True)
class Field:
    """How a field is read on each side, in one common form; None says "not to be compared"."""

    name: str
    ours: Callable[[Experiment, People], Value]
    theirs: Callable[[Issue, People], Value]


def merge(
    experiment: Experiment,
    issue: Issue,
    agreed: Mapping[str, Agreed],
    people: People,
    changed_at: Callable[[str], tuple[datetime | None, datetime | None]],
) -> list[Verdict]:
    """The verdict on every field. `changed_at` tells when a field last changed (here, in Jira), and is asked only
    where both sides did: the later change stands, and a tie goes to Jira."""
    return [_judge(field, experiment, issue, agreed.get(field.name), people, changed_at) for field in FIELDS]


def _judge(
    field: Field,
    experiment: Experiment,
    issue: Issue,
    base: Agreed | None,
    people: People,
    changed_at: Callable[[str], tuple[datetime | None, datetime | None]],
) -> Verdict:
    ours, theirs = field.ours(experiment, people), field.theirs(issue, people)
    same = Verdict(field.name, ours, theirs, base, Side.BOTH, ours)
    if ours is None or theirs is None or ours == theirs or base is None:
        return same
    if theirs == base.theirs and ours == base.ours:
        return same
    if theirs == base.theirs:
        return replace(same, stands=Side.OURS)
    if ours == base.ours:
        return replace(same, stands=Side.THEIRS, value=theirs)
    if isinstance(ours, tuple):
        return _join(same, base)
    return _later(same, *changed_at(field.name))


def _join(verdict: Verdict, base: Agreed) -> Verdict:
    """Sets lose nothing: what either side added is in, what either side took out is out."""
    ours, theirs = set(verdict.ours), set(verdict.theirs)
    was_ours, was_theirs = set(base.ours), set(base.theirs)
    gone = (was_ours - ours) | (was_theirs - theirs)
    value = tuple(sorted((ours | theirs) - gone))
    stands = Side.OURS if value != verdict.theirs else Side.THEIRS
    return replace(verdict, stands=stands, value=value)


def _later(verdict: Verdict, here: datetime | None, there: datetime | None) -> Verdict:
    if here is not None and there is not None and here > there:
        return replace(verdict, stands=Side.OURS, lost=verdict.theirs)
    return replace(verdict, stands=Side.THEIRS, value=verdict.theirs, lost=verdict.ours)


def after(verdict: Verdict) -> Agreed:
    """What both sides are once a verdict is carried out; as they are where there is nothing to carry out."""
    if verdict.stands is Side.BOTH:
        return Agreed(verdict.ours, verdict.theirs)
    return Agreed(verdict.value, verdict.value)


def our_changes(verdicts: Iterable[Verdict], people: People) -> dict[str, Any]:
    """The experiment's fields that must change here, by name."""
    changes = {v.field: v.value for v in verdicts if v.stands is not Side.BOTH and v.value != v.ours}
    return {name: people.owner(value) if name == OWNER else value for name, value in changes.items()}


def their_changes(verdicts: Iterable[Verdict]) -> dict[str, Value]:
    """The fields that must change in Jira, in the common form, by our name."""
    return {v.field: v.value for v in verdicts if v.stands is not Side.BOTH and v.value != v.theirs}


def conflict_in_words(verdict: Verdict) -> str:
    """What stands, and what did not."""
    where = {Side.OURS: "ours is later", Side.THEIRS: "Jira's is later"}[verdict.stands]
    return f"{verdict.field}: {in_words(verdict.value)} stands ({where}); {in_words(verdict.lost)} did not"


def in_words(value: Value) -> str:
    """A value of either side for a person."""
    if value is None:
        return "not mapped"
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return f'"{text}"' if text else "nothing"


def summary_of(experiment: Experiment) -> dict[str, str]:
    """What the issue tells of its experiment, each in one line; what is not known yet is left out."""
    e = experiment
    appetite = f"{e.appetite}{f', extended {e.extensions} times' if e.extensions else ''}"
    told = {
        "Stage": e.stage,
        "Hypothesis": e.hypothesis,
        "Metric": f"{e.metric} on {e.eval_set}" if e.eval_set else e.metric,
        "Appetite": appetite,
        "Outcome": f"{e.outcome}: {e.learning}" if e.outcome else "",
        "Decision": f"{e.decision}: {e.decision_reason}" if e.decision else "",
    }
    return {name: " ".join(str(value).split()) for name, value in told.items() if value}


def lines_of(told: Mapping[str, str]) -> list[str]:
    """The same as lines, for the block in the description."""
    return [f"{name}: {value}" for name, value in told.items()]


TITLE, OWNER, LABELS, JIRA_PRIORITY = "title", "owner", "labels", "jira_priority"


def _their_title(issue: Issue, people: People) -> str | None:
    """The summary as a title here; None where it could be none, so that it is left alone."""
    summary = issue.summary if len(issue.summary) <= TITLE_MAX else issue.summary[: TITLE_MAX - 1] + "…"
    try:
        return clean_title(summary)
    except BacklogError:
        return None


FIELDS: Sequence[Field] = (
    Field(TITLE, lambda e, _: e.title, _their_title),
    Field(OWNER, lambda e, people: people.account(e.owner), lambda i, people: _paired(i.assignee_id, people)),
    Field(LABELS, lambda e, _: tuple(sorted(e.labels)), lambda i, _: tuple(sorted(i.labels))),
    Field(JIRA_PRIORITY, lambda e, _: e.jira_priority, lambda i, _: i.priority),
)


def _paired(account: str, people: People) -> str | None:
    return account if people.owner(account) is not None else None
