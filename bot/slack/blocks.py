"""An Answer as Block Kit. Text goes into rich_text or plain_text, where nothing from outside becomes markup or a
mention."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from bot.verbs import Answer, Table, find_verb, split_line
from reports.buttons import VALUE_MAX, line_buttons

Block = dict[str, Any]
BLOCKS_MAX = 50  # per message, Slack's limit
OFFERS_MAX = 24  # buttons of a row, one below Slack's limit
TEXT_MAX = 2_900  # characters of one element, below the 3,000 that Slack takes
WIDTH = 96  # characters of a line that a chat still shows unbroken
LISTED_MAX = 250  # characters of a row of a wider table, which is told by itself
TABLE_ROWS = 30  # rows a person still reads in a chat
FACTS_MAX, FACT_MAX = 8_000, 500  # characters of all facts and of one
MORE_MAX = 2_600  # characters of the lines below, so that where the rest is stands in the same element
POST_LINE, POST_SAID = "post:line", "post:said"  # what is shown to the channel: a line's answer, or what was said


def to_message(answer: Answer, line: str = "", command: str = "/exp", postable: bool = True) -> Block:
    """`{"text", "blocks"}` for a message, an acknowledgement or a response; empty for an empty answer.

    `line` is what was asked: a refusal repeats it, for Slack clears it once it is sent, and it can be mended and sent
    again; other answers get a button that shows them to the channel, unless they are not `postable`.
    """
    if answer.problem and line:
        answer = replace(answer, more=(*answer.more, f"You typed: {command} {line}"))
    blocks = _report(answer) if answer.message is not None else answer_blocks(answer, line)
    if not blocks:
        return {"text": "", "blocks": []}
    last = [*line_buttons(answer.offers)[:OFFERS_MAX], *(_post(answer, line) if postable and line else ())]
    below = [{"type": "actions", "elements": last}] if last else []
    return {"text": cut(answer.text, TEXT_MAX), "blocks": [*_fitting(blocks, BLOCKS_MAX - len(below), line), *below]}


def _fitting(blocks: Sequence[Block], most: int, line: str) -> list[Block]:
    return [*blocks] if len(blocks) <= most else [*blocks[: most - 1], paragraph(_elsewhere(line))]


def answer_blocks(answer: Answer, line: str = "") -> list[Block]:
    """The answer's words, without what can be done next; good for messages and views. What does not fit is left out,
    and where it can be read stands there instead."""
    table, whole = _table(answer.table) if answer.table else (None, True)
    elements = list(_elements(_fitted(answer, line, whole), table))
    return [{"type": "rich_text", "elements": elements}] if elements else []


def _fitted(answer: Answer, line: str, whole: bool) -> Answer:
    text, more = cut(answer.text, TEXT_MAX), tuple(cut(one, MORE_MAX) for one in answer.more)
    facts = tuple((name, cut(value, FACT_MAX)) for name, value in answer.facts)
    shown = replace(
        answer,
        text=text,
        facts=facts[: _count([name + value for name, value in facts], FACTS_MAX)],
        more=more[: _count(more, MORE_MAX)],
    )
    return answer if whole and shown == answer else replace(shown, more=(*shown.more, _elsewhere(line)))


def _count(lines: Sequence[str], most: int) -> int:
    """How many of those lines, from the first, have so many characters together; a single one is cut instead."""
    ends = accumulate(len(line) + 1 for line in lines)
    return max(1, sum(end <= most for end in ends))


def _elsewhere(line: str) -> str:
    return f"There is more than fits here. On the command line all of it: scrumbut exp {cut(line, 200) or '…'}"


def _post(answer: Answer, line: str) -> Iterator[Block]:
    """What only was read is read again when it is posted; what was done is posted as it was said."""
    found = find_verb(split_line(line))
    if answer.problem or found is None:
        return
    again = found[1].reads and len(line) <= VALUE_MAX
    how, value = (POST_LINE, line) if again else (POST_SAID, cut(answer.text, VALUE_MAX))
    yield {"type": "button", "action_id": how, "text": plain("Post to channel"), "value": value}


def _report(answer: Answer) -> list[Block]:
    message = answer.message or {}
    parts = [message, *message.get("thread", ())]
    blocks = [block for part in parts for block in part["blocks"]]
    return [{name: value for name, value in block.items() if name != "block_id"} for block in blocks]


def _elements(answer: Answer, table: Block | None) -> Iterator[Block]:
    if answer.text:
        yield _section([leaf(answer.text, bold=not answer.problem and "\n" not in answer.text)])
    if answer.facts:
        yield _section(list(_facts(answer.facts)))
    if table:
        yield table
    if answer.more:
        yield _section([leaf("\n".join(answer.more))])


def _table(table: Table) -> tuple[Block, bool]:
    """A table, and whether that is all of it."""
    aligned = table.aligned(TABLE_ROWS)
    if max(map(len, aligned.splitlines())) > WIDTH:
        return _listed(table)
    return {"type": "rich_text_preformatted", "elements": _leaves(aligned)}, len(table.rows) <= TABLE_ROWS


def _listed(table: Table) -> tuple[Block, bool]:
    """The same for one too wide for a chat, row by row: what names the row, and below it what the others say."""
    rows = [(" ".join(row[:2]), _below(table.headings[2:], row[2:])) for row in table.rows[:TABLE_ROWS]]
    told = [(f"\n{name}" if place else name, f"\n{cut(below, LISTED_MAX)}") for place, (name, below) in enumerate(rows)]
    elements = [part for name, below in told for part in (leaf(cut(name, LISTED_MAX), bold=True), leaf(below))]
    hidden = len(table.rows) - TABLE_ROWS
    whole = hidden <= 0 and all(max(map(len, row)) <= LISTED_MAX for row in rows)
    return _section([*elements, *([leaf(f"\n… and {hidden} more")] if hidden > 0 else [])]), whole


def _below(headings: Sequence[str], cells: Sequence[str]) -> str:
    return "\n".join(f"{name}: {cell}" for name, cell in zip(headings, cells, strict=True) if cell)


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[Block]:
    for index, (name, value) in enumerate(facts):
        yield leaf(("\n" if index else "") + name, bold=True)
        yield leaf("  " + (value or "-"))


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text_section", "elements": elements}


def paragraph(text: str, bold: bool = False) -> Block:
    """A block that says just this."""
    return {"type": "rich_text", "elements": [_section([leaf(text, bold)])]}


def _leaves(text: str) -> list[Block]:
    return [leaf(text[start : start + TEXT_MAX]) for start in range(0, len(text), TEXT_MAX)]


def leaf(text: str, bold: bool = False) -> Block:
    """A piece of rich text."""
    element: Block = {"type": "text", "text": cut(text, TEXT_MAX) or " "}
    return element | {"style": {"bold": True}} if bold else element


def plain(text: str, most: int = TEXT_MAX) -> Block:
    """A plain_text object; Slack refuses an empty one."""
    return {"type": "plain_text", "text": cut(text, most) or "-", "emoji": False}


def cut(text: str, most: int) -> str:
    """The text within its limit, an ellipsis where something is left out."""
    return text if len(text) <= most else text[: most - 1] + "…"
