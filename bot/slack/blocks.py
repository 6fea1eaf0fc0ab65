"""An Answer as Block Kit. Text goes into rich_text, where nothing from outside becomes markup or a mention."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from bot.verbs import Answer

Block = dict[str, Any]
BLOCKS_MAX = 50  # per message, Slack's limit
TEXT_MAX = 2_900  # characters of one element, below the 3,000 that Slack takes
TABLE_ROWS = 30  # rows a person still reads in a chat


def to_message(answer: Answer, typed: str = "") -> dict[str, Any]:
    """`{"text", "blocks"}` for a message, an acknowledgement or a response; empty for an empty answer.

    A refusal repeats what was `typed`: Slack clears the line once it is sent, and it can be mended and sent again.
    """
    if answer.message is not None:
        return _report(answer)
    if answer.problem and typed:
        answer = replace(answer, more=(*answer.more, f"You typed: {typed}"))
    elements = list(_elements(answer))
    if not elements:
        return {"text": "", "blocks": []}
    return {"text": _cut(answer.text, TEXT_MAX), "blocks": [{"type": "rich_text", "elements": elements}]}


def _report(answer: Answer) -> dict[str, Any]:
    message = answer.message or {}
    parts = [message, *message.get("thread", ())]
    blocks = [block for part in parts for block in part["blocks"]]
    fresh = [{name: value for name, value in block.items() if name != "block_id"} for block in blocks]
    return {"text": message["text"], "blocks": fresh[:BLOCKS_MAX]}


def _elements(answer: Answer) -> Iterator[Block]:
    if answer.text:
        yield _section([_text(answer.text, bold=not answer.problem and "\n" not in answer.text)])
    if answer.facts:
        yield _section(list(_facts(answer.facts)))
    if answer.table:
        text = _cut(answer.table.aligned(TABLE_ROWS), TEXT_MAX)
        yield {"type": "rich_text_preformatted", "elements": [_text(text)]}
    if answer.more:
        yield _section([_text(_cut("\n".join(answer.more), TEXT_MAX))])


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[Block]:
    for index, (name, value) in enumerate(facts):
        yield _text(("\n" if index else "") + name, bold=True)
        yield _text("  " + (_cut(value, 500) or "-"))


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text_section", "elements": elements}


def _text(text: str, bold: bool = False) -> Block:
    element: Block = {"type": "text", "text": text or " "}
    return element | {"style": {"bold": True}} if bold else element


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
