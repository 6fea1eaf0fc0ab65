"""What each report says: one function a report, from a snapshot to the context its templates render.

All sentences are made here, so that every surface says the same. A new report is one function, one entry in REPORTS,
and its templates; without templates of its own it uses the `sections` ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backlog.cadence import Every
from backlog.snapshot import Snapshot
from reports.contents.context import Sections, Weekly
from reports.contents.digest import digest
from reports.contents.experiment import experiment
from reports.contents.review import goal_review
from reports.contents.risk import risk
from reports.contents.weekly import weekly


@dataclass(frozen=True, slots=True)
class Report:
    """A kind of report: what it says, the type that documents its context, what it is for, and which periods it can
    speak of; one without any is written on request only."""

    contents: Callable[[Snapshot], Mapping[str, Any]]
    context: type
    about: str
    periods: frozenset[Every] = frozenset()


WEEKLY, ANY = frozenset({Every.WEEK}), frozenset(Every)
REPORTS: Mapping[str, Report] = {
    "weekly": Report(weekly, Weekly, "is it going well, what did we learn, what must be decided", WEEKLY),
    "risk": Report(risk, Sections, "the register: new, continuing and resolved risks", ANY),
    "experiment": Report(experiment, Sections, "one experiment on one page that a person can forward"),
    "goal-review": Report(
        goal_review, Sections, "a month: targets, hit rate, what the learnings add up to", frozenset({Every.MONTH})
    ),
    "digest": Report(digest, Sections, "differences only", ANY),
}
