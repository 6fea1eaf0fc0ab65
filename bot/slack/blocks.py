"""An Answer as Block Kit. Text goes into rich_text or plain_text, where nothing from outside becomes markup or a
mention."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from bot.verbs import Answer, Table, find_verb, split_line
from reports.buttons import VALUE_MAX, line_buttons

Block = dict[str, Any]
BLOCKS_MAX = 50  # per message, Slack's limit
TEXT_MAX = 2_900  # characters of one element, below the 3,000 that Slack takes
WIDTH = 96  # characters of a line that a chat still shows unbroken
LISTED_ROWS, LISTED_MAX = 10, 250  # rows of a wider table that are told one by one, and characters of each
TABLE_ROWS = 30  # rows a person still reads in a chat
POST_LINE, POST_SAID = "post:line", "post:said"  # what is shown to the channel: a line's answer, or what was said


def to_message(answer: Answer, line: str = "", command: str = "/exp", postable: bool = True) -> Block:
    """`{"text", "blocks"}` for a message, an acknowledgement or a response; empty for an empty answer.

    `line` is what was asked: a refusal repeats it, for Slack clears it once it is sent, and it can be mended and sent
    again; other answers get a button that shows them to the channel, unless they are not `postable`.
    """
    if answer.problem and line:
        answer = replace(answer, more=(*answer.more, f"You typed: {command} {line}"))
    blocks = _report(answer) if answer.message is not None else answer_blocks(answer)
    if not blocks:
        return {"text": "", "blocks": []}
    last = [*line_buttons(answer.offers), *(_post(answer, line) if postable and line else ())]
    below = [{"type": "actions", "elements": last}] if last else []
    return {"text": cut(answer.text, TEXT_MAX), "blocks": [*blocks[: BLOCKS_MAX - len(below)], *below]}


def answer_blocks(answer: Answer) -> list[Block]:
    """The answer's words, without what can be done next; good for messages and views."""
    elements = list(_elements(answer))
    return [{"type": "rich_text", "elements": elements}] if elements else []


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


def _elements(answer: Answer) -> Iterator[Block]:
    if answer.text:
        yield _section([leaf(answer.text, bold=not answer.problem and "\n" not in answer.text)])
    if answer.facts:
        yield _section(list(_facts(answer.facts)))
    if answer.table:
        aligned = answer.table.aligned(TABLE_ROWS)
        wide = max(map(len, aligned.splitlines())) > WIDTH
        yield _listed(answer.table) if wide else {"type": "rich_text_preformatted", "elements": [leaf(aligned)]}
    if answer.more:
        yield _section([leaf("\n".join(answer.more))])


def _listed(table: Table) -> Block:
    """A table that is too wide for a chat, row by row: what names the row, and below it what the others say."""
    elements: list[Block] = []
    for row in table.rows[:LISTED_ROWS]:
        told = [f"{name}: {cell}" for name, cell in zip(table.headings[2:], row[2:], strict=True) if cell]
        named = ("\n" if elements else "") + " ".join(row[:2])
        elements += [leaf(named, bold=True), leaf("\n" + cut("\n".join(told), LISTED_MAX))]
    hidden = len(table.rows) - LISTED_ROWS
    return _section([*elements, *([leaf(f"\n… and {hidden} more")] if hidden > 0 else [])])


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[Block]:
    for index, (name, value) in enumerate(facts):
        yield leaf(("\n" if index else "") + name, bold=True)
        yield leaf("  " + (cut(value, 500) or "-"))


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text_section", "elements": elements}


def paragraph(text: str, bold: bool = False) -> Block:
    """A block that says just this."""
    return {"type": "rich_text", "elements": [_section([leaf(text, bold)])]}


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
