"""What a verb answers, before any surface has dressed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; every cell is plain text."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def aligned(self, rows_max: int | None = None) -> str:
        """The table as columns of text, for a terminal or a monospace block; rows beyond the most are counted."""
        shown = (self.headings, *self.rows[:rows_max])
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]
        hidden = len(self.rows) + 1 - len(shown)
        return "\n".join([*lines, f"… and {hidden} more"] if hidden else lines)


Problem = Literal["", "refused", "wrong use", "incomplete", "unsure"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a first line, facts under it, a table, more lines, and `data` for scripts (`--json`).

    `problem` marks a refusal, "incomplete" one that only lacks words, "unsure" one that asks first: the first of the
    `offers` is then the line that does it. `about` is the parameter it is about, where
    that is known; `offers` are lines that could be typed next, each with its label; `message` is a report ready for
    Slack as {"text", "blocks"}, where one was asked for. All text is plain: a surface must not read markup into it.
    """

    text: str
    facts: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    more: tuple[str, ...] = ()
    problem: Problem = ""
    about: str = ""
    offers: tuple[tuple[str, str], ...] = ()
    message: Mapping[str, Any] | None = None
    data: Any = field(default=None, compare=False)


def refusal(what: str, remedy: str = "", problem: Problem = "refused", about: str = "") -> Answer:
    """A refusal in plain words, with its remedy."""
    return Answer(what, more=tuple(remedy.splitlines()), problem=problem, about=about)


def table_of(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table of anything printable; None shows as nothing."""
    cells = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows)
    return Table(tuple(headings), cells)
