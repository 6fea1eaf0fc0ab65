"""Buttons under messages. Each holds a line of the grammar: a click on it is as if that line had been typed."""

from collections.abc import Iterable
from typing import Any

from reports.filters import cut

LINE = "line"  # what the id of every such button begins with
LABEL_MAX, VALUE_MAX = 75, 2_000  # characters, Slack's limits

Offer = tuple[str, str]  # a label and the line


def line_buttons(offers: Iterable[Offer], primary: str = "") -> list[dict[str, Any]]:
    """A button for each offer, numbered, for no two of a message may have one id; the one of that label stands out. A
    line too long for a button is left out: one that is cut would be another line."""
    return [
        {
            "type": "button",
            "action_id": f"{LINE}:{number}",
            "text": {"type": "plain_text", "text": cut(label, LABEL_MAX), "emoji": False},
            "value": line,
            **({"style": "primary"} if label == primary else {}),
        }
        for number, (label, line) in enumerate(offers)
        if len(line) <= VALUE_MAX
    ]
