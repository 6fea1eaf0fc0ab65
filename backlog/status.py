"""Stages and Jira's statuses, as the team pairs them: what a change on one side asks of the other.

What is not paired is left alone. Nothing here passes a gate: a move that Jira asks for is tried like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backlog.experiment import Stage
from backlog.issue import Issue
from backlog.merge import FIELDS, Agreed, People

STATUS = "status"


@dataclass(frozen=True, slots=True)
class Target:
    """A status, and the resolution that goes with it where one is named."""

    status: str
    resolution: str = ""


@dataclass(frozen=True, slots=True)
class StatusMap:
    """`[jira.stages]`: a status for each stage that has one; several stages may share it."""

    by_stage: Mapping[Stage, Target] = field(default_factory=dict)

    def stages_of(self, status: str, resolution: str = "") -> list[Stage]:
        """The stages paired with a status, in any case of its letters, in the order of the lifecycle. Where some name
        the resolution too, those alone; a stage that names another resolution is none of them."""
        paired = [stage for stage in Stage if stage in self.by_stage and _same(self.by_stage[stage].status, status)]
        exact = [stage for stage in paired if _same(self.by_stage[stage].resolution, resolution)]
        return exact or [stage for stage in paired if not self.by_stage[stage].resolution or not resolution]


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@dataclass(frozen=True, slots=True)
class StatusVerdict:
    """What the status asks: a transition there, or a move here, or neither."""

    push: Target | None = None
    move_to: Stage | None = None


def read_target(text: str) -> Target:
    """`"Done"`, or `"Done / Won't Do"` with a resolution."""
    status, _, resolution = (part.strip() for part in text.partition(" / "))
    return Target(status, resolution)


def judge_status(stage: Stage, issue: Issue, base: Agreed | None, statuses: StatusMap) -> StatusVerdict:
    """What becomes of the status. Where both sides changed, the stage stands: it has passed its gates."""
    target, there = statuses.by_stage.get(stage), statuses.stages_of(issue.status, issue.resolution)
    if base is None or stage in there:
        return StatusVerdict()
    if base.ours == stage and base.theirs != issue.status:
        return StatusVerdict(move_to=there[0]) if there else StatusVerdict()
    return StatusVerdict(push=target) if base.ours != stage else StatusVerdict()


def differs(issue: Issue, agreed: Mapping[str, Agreed], people: People) -> bool:
    """Whether an issue is not what was agreed about it, and so must be brought in line."""
    read = {field.name: field.theirs(issue, people) for field in FIELDS} | {STATUS: issue.status}
    return any(name not in agreed or value not in (None, agreed[name].theirs) for name, value in read.items())
