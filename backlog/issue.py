"""A Jira issue, reduced to what the backlog may speak of."""

from dataclasses import dataclass
from datetime import date, datetime

from backlog.experiment import Stage


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as last read. `id` is immutable, `key` is not. `category` is Jira's status category key ("new",
    "indeterminate", "done"); `sprint` is the name of an active or future sprint, empty where there is none."""

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

    @property
    def done(self) -> bool:
        """Whether Jira counts the issue as finished."""
        return self.category == "done"

    @property
    def timeboxed(self) -> str:
        """What boxes it in time, in words; empty where nothing does."""
        boxes = [f'sprint "{self.sprint}"' if self.sprint else "", f"due {self.due}" if self.due else ""]
        return " and ".join(box for box in boxes if box)


def waits_for_decision(issue: Issue, stage: Stage) -> bool:
    """Whether Jira says done while the experiment has no decision: a pull never passes a hard gate."""
    return issue.done and not stage.finished
