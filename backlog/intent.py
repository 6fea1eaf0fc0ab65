"""A write to Jira that is under way, and what became of it, read from the issue's changelog.

Jira takes no condition with a write. So what a write expects is remembered before it is made: after it, or after a
crash in its middle, the changelog tells whether it arrived and which edits of people it fell upon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backlog.issue import Edit, Twin
from backlog.merge import Agreed, Value, in_words

DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Intent:
    """One write of fields. `mark` is the number of the newest change that was known; `sent` are the values in the
    form in which they are compared; `block` tells that the description goes along; `told` is what a person must hear
    of values that do not stand, once the write has arrived."""

    mark: int
    sent: Mapping[str, Value] = field(default_factory=dict)
    block: bool = False
    told: Sequence[str] = ()

    @property
    def written(self) -> set[str]:
        """The names of the fields that the write touches."""
        return {*self.sent, *([DESCRIPTION] if self.block else [])}


@dataclass(frozen=True, slots=True)
class Settled:
    """What a write became: the fields on which both sides agree now, and what a person must hear of it."""

    agreed: Mapping[str, Agreed]
    told: Sequence[str]


def mark_of(twin: Twin) -> int:
    """The newest change that is known of an issue; -1 where there is none."""
    return max((edit.number for edit in twin.edits), default=-1)


def settle(intent: Intent, twin: Twin, account: str, sure: bool) -> Settled:
    """What became of a write, with the issue as it is now. `account` is ours; `sure` tells that Jira confirmed the
    write, otherwise only the changelog can say so. What both agree on is what was *sent*: a re-read may hold what a
    person wrote since."""
    own = _own_number(intent, twin, account)
    if own is None and not sure:
        return Settled({}, ())
    agreed = {name: Agreed(value, value) for name, value in intent.sent.items()}
    return Settled(agreed, [*intent.told, *map(_fell_upon, _buried(intent, twin.edits, own))])


def _own_number(intent: Intent, twin: Twin, account: str) -> int | None:
    """The number of our own change among those after the mark; a write makes one, with all its fields in it."""
    ours = (
        edit.number
        for edit in twin.edits
        if edit.number > intent.mark and edit.field in intent.written and edit.author == account
        if edit.field == DESCRIPTION or edit.after == intent.sent[edit.field]
    )
    return max(ours, default=None)


def _buried(intent: Intent, edits: Sequence[Edit], own: int | None) -> list[Edit]:
    """What people wrote between our reading and our writing; an edit after ours stands, and buries ours."""
    if own is None:
        return []
    return [edit for edit in edits if intent.mark < edit.number < own and edit.field in intent.written]


def _fell_upon(edit: Edit) -> str:
    return f"{edit.field}: ours went over {in_words(edit.after)}, written in Jira at the same moment"
