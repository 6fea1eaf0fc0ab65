"""A Jira issue, reduced to what the backlog may speak of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from backlog.experiment import Stage
from backlog.screen import Asked

ISSUE_TYPE = "Task"  # what an issue is made as where nothing else is configured


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as last read. `id` is immutable, `key` is not. `category` is Jira's status category key ("new",
    "indeterminate", "done"); `sprint` is the name of an active or future sprint, empty where there is none;
    `assignee_id` is the account (Cloud) or the user's name (Data Center). `unreachable_since` is when it could no
    longer be read: deleted, or out of our sight; nobody can tell which. `parent_key` names its epic, or the issue it is
    a part of."""

    id: str
    key: str
    url: str
    summary: str
    status: str
    category: str
    resolution: str
    assignee: str
    updated: datetime
    due: date | None = None
    sprint: str = ""
    labels: tuple[str, ...] = ()
    priority: str = ""
    assignee_id: str = ""
    unreachable_since: datetime | None = None
    parent_key: str = ""

    @property
    def done(self) -> bool:
        """Whether Jira counts the issue as finished."""
        return self.category == "done"

    @property
    def timeboxed(self) -> str:
        """What boxes it in time, in words; empty where nothing does."""
        boxes = [f'sprint "{self.sprint}"' if self.sprint else "", f"due {self.due}" if self.due else ""]
        return " and ".join(box for box in boxes if box)


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said on an issue in Jira; `text` is Markdown."""

    id: str
    at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """What Jira says of an issue it has just made; the rest is not read yet."""

    id: str
    key: str
    url: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One line of an issue's changelog, in the form in which fields are compared. `number` orders them; lines of one
    number were changed in one write, by the account `author`."""

    number: int
    at: datetime
    field: str
    before: Any
    after: Any
    author: str = ""


@dataclass(frozen=True, slots=True)
class Twin:
    """An issue as it is at this moment in Jira, how its fields came to be, what Jira's clock said, and its
    description in Jira's own form. `duplicate_of` is the key of the issue that stands for it, where it was closed as a
    duplicate."""

    issue: Issue
    edits: tuple[Edit, ...]
    at: datetime | None = None
    description: Any = None
    duplicate_of: str = ""

    def changed_at(self, field: str) -> datetime | None:
        """When the field last changed, by Jira's clock."""
        return max((edit.at for edit in self.edits if edit.field == field), default=None)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where Jira tells of changes, until it expires."""

    id: int
    url: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Transition:
    """A way to another status, and the fields that its screen requires, by id."""

    id: str
    to: str
    required: Mapping[str, Asked]


def waits_for_decision(issue: Issue, stage: Stage) -> bool:
    """Whether Jira says done while the experiment has no decision: a pull never passes a hard gate."""
    return issue.done and not stage.finished
