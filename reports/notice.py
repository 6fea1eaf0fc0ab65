"""A message to one who follows something: what happened, and how to hear no more of it."""

from collections.abc import Sequence
from typing import Any

from reports.buttons import Offer, line_buttons
from reports.filters import cut, mrkdwn

TEXT_MAX = 2_900  # characters of one element, below the 3,000 that Slack takes
LINE_MAX = 250  # characters; ten lines fit into one element


def notice(headline: str, lines: Sequence[str], hint: str, offers: Sequence[Offer]) -> dict[str, Any]:
    """`{"text", "blocks"}`. Text goes into rich_text, where nothing from outside becomes markup or a mention; `hint`
    names the command that does the same as the buttons of `offers`."""
    said = cut("\n".join(cut(" ".join(line.split()), LINE_MAX) for line in lines), TEXT_MAX)
    section = {"type": "rich_text_section", "elements": [_text(headline, bold=True), _text(f"\n{said}")]}
    blocks: list[dict[str, Any]] = [{"type": "rich_text", "elements": [section]}]
    if offers:
        blocks.append({"type": "actions", "elements": line_buttons(offers)})
    blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": hint}]})
    return {"text": mrkdwn(f"{headline}\n{said}"), "blocks": blocks}


def _text(text: str, bold: bool = False) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "text", "text": text}
    return element | {"style": {"bold": True}} if bold else element
