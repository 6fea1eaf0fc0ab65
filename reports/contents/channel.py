"""What of the weekly report stands in the channel itself: at most twelve lines of text beside chart and table.

Header, counts and sources take one line each, the bottom line what it needs; the rest is shared out, decisions first.
What does not fit is cut or left to the thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from reports.contents.context import Channel, Decision, Finding
from reports.contents.phrases import sentence
from reports.filters import capital, cut

LINES_MAX = 12  # of sections 0 to 4; chart and table are pictures beside them
WIDTH = 92  # characters of a line at a usual width of Slack's window
ALWAYS = 3  # header, counts, sources
EACH_MAX = 3  # lines of one decision, goal or answer
CUT_STEP = 4  # characters
NAME_MAX = 40  # characters of the name behind a bottom line


@dataclass(frozen=True, slots=True)
class Piece:
    """A decision, a goal or an answer: what stands before it, what it says, and the end that is kept where it is
    cut."""

    label: str
    text: str
    end: str = ""

    @property
    def lines(self) -> int:
        """How many it would like."""
        return min(EACH_MAX, lines_of(f"{self.label} {self.text} {self.end}"))

    def within(self, lines: int) -> str:
        """The text cut to that many lines."""
        room = lines * WIDTH
        while lines_of(f"{self.label} {self._cut(room)}") > lines:
            room -= CUT_STEP  # words that do not fit go to the next line and leave a gap
        return self._cut(room)

    def _cut(self, room: int) -> str:
        """At most that many characters. Where not all fit, an end of more than half of them is left out if the text
        alone fills the room."""
        whole = f"{self.text} {self.end}".strip()
        if len(whole) <= room or not self.end:
            return cut(whole, room)
        if len(self.end) > room // 2:
            return cut(self.text if 2 * len(self.text) > room else whole, room)
        return f"{cut(self.text, room - len(self.end) - 1)} {self.end}"


def channel(verdict: str, by: str, asked: Sequence[Piece], said: Sequence[Piece]) -> Channel:
    """The lines of the channel's message: `asked` are the decisions, `said` goals and answers in their order."""
    by = cut(by, NAME_MAX)
    left = LINES_MAX - ALWAYS - lines_of(f"{verdict} ({by})") - 1  # a heading, or "none this week"
    told = said[: left - len(asked)]
    pieces = [*asked, *told]
    texts = [piece.within(lines) for piece, lines in zip(pieces, _shares(pieces, left), strict=True)]
    return {
        "by": by,
        "decisions": texts[: len(asked)],
        "said": [{"label": p.label, "text": t} for p, t in zip(told, texts[len(asked) :], strict=True)],
        "more": len(said) - len(told),
    }


def lines_of(text: str) -> int:
    """How many lines a text takes."""
    return max(1, len(wrap(text, WIDTH)))


def _shares(pieces: Sequence[Piece], left: int) -> list[int]:
    """One line for each; of what is left over one more for each that needs it, in turn."""
    shares = [1] * len(pieces)
    for more in range(2, EACH_MAX + 1):
        for place, piece in enumerate(pieces):
            if piece.lines >= more and sum(shares) < left:
                shares[place] = more
    return shares


def asked_pieces(decisions: Sequence[Decision]) -> list[Piece]:
    """The decisions: the question, then whose it is, the options, and what happens without an answer."""
    return [
        Piece(
            "•",
            sentence(needed["title"]),
            f"{needed['key']}, {cut(needed['owner'] or 'no owner', NAME_MAX)}. "
            f"{capital(' or '.join(needed['options']))}; otherwise {needed['default']}.",
        )
        for needed in decisions
    ]


def said_pieces(goals: Sequence[tuple[str, str]], learned: Sequence[Finding]) -> list[Piece]:
    """A goal, an answer, a goal, an answer: so that both are there however little room is left. A goal is its shape and
    its sentence."""
    of_goals = [Piece(shape, told) for shape, told in goals]
    answers = [
        Piece(f"{capital(found['outcome'])}:", found["found"], f"So what: {found['so_what']} ({found['key']})")
        for found in learned
    ]
    return [piece for pair in zip_longest(of_goals, answers) for piece in pair if piece]
