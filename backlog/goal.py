"""Goals: what the business wants, the number that stands for it, and whether the data is ready.

A goal never judges itself; health is derived in `health.py` from what a report's snapshot holds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from backlog.errors import BacklogError
from backlog.metric import Better

KEY = re.compile(r"[a-z][a-z0-9-]{0,39}")

# What must be confirmed before an experiment may become ready; the words are the `goal ready` options.
DATA_MARKS = ("labels", "access", "expert")
TEST_MARKS = ("tests-infrastructure", "tests-data", "tests-code", "tests-deployment")
READINESS = ("exists", *DATA_MARKS, "pipeline", "infrastructure", *TEST_MARKS)


class Answer3(StrEnum):
    """A readiness mark: the third answer is the honest start."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mark:
    """A readiness answer with the note that came with it ("from 1 May")."""

    answer: Answer3 = Answer3.UNKNOWN
    note: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the business wants. `baseline` and `target` are in the primary metric's unit; `guardrails` are what must
    not get worse, `stakeholders` who waits for the answer. `epic_id` is the immutable id of its epic in Jira,
    `epic_key` only for display."""

    key: str
    statement: str
    created_at: datetime
    created_by: str
    anti_goals: tuple[str, ...] = ()
    metric: str = ""
    baseline: float | None = None
    target: float | None = None
    guardrails: tuple[str, ...] = ()
    stakeholders: tuple[str, ...] = ()
    readiness: Mapping[str, Mark] = field(default_factory=dict)
    epic_id: str = ""
    epic_key: str = ""

    @property
    def better(self) -> Better | None:
        """The direction that baseline and target imply; None while either is missing or both are equal."""
        if self.baseline is None or self.target is None or self.baseline == self.target:
            return None
        return Better.UP if self.target > self.baseline else Better.DOWN

    def mark(self, name: str) -> Mark:
        """The readiness mark of that name, *unknown* where nobody has answered."""
        return self.readiness.get(name, Mark())


def check_goal_key(key: str) -> str:
    """The key in lower case. Raises BacklogError for anything but letters, digits and hyphens."""
    folded = key.strip().lower()
    if not KEY.fullmatch(folded):
        raise BacklogError(
            f'"{key[:60]}" is no goal key.',
            "Use up to 40 letters, digits and hyphens, beginning with a letter: /exp goal add churn …",
        )
    return folded


def read_mark(text: str) -> Mark:
    """A mark from what a person typed: yes, no, unknown, or a sentence.

    A sentence such as "from 1 May" keeps its words and leaves the answer at *unknown*: it is a plan, not a yes.
    """
    word, _, note = text.strip().partition(" ")
    if word.lower().rstrip(",:;") in set(Answer3):
        return Mark(Answer3(word.lower().rstrip(",:;")), note.strip())
    return Mark(Answer3.UNKNOWN, text.strip())
