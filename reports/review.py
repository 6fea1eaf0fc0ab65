"""What a reviewer gets before a report goes out: the report, its bottom line to edit, and three buttons."""

import json
from typing import Any

from reports.contents.phrases import BOTTOM_LINE_MAX
from reports.filters import cut, printable

APPROVE, EDIT, SKIP, LINE = "report_approve", "report_edit", "report_skip", "report_line"
HEAD_BLOCKS = 40  # of Slack's 50 a message


def review_message(slack: str, report_id: str, when: str, place: str, line: str) -> dict[str, Any]:
    """`{"text", "blocks"}`: the report's head as `slack` (its rendered JSON) has it, then what the reviewer may do."""
    head = json.loads(slack)["blocks"][:HEAD_BLOCKS]
    said = (
        f"A preview of {report_id}. It goes out {when}{f' to {place}' if place else ''}; without an answer, as it is."
    )
    buttons = (("Approve", APPROVE, "primary"), ("Edit the bottom line", EDIT, ""), ("Skip", SKIP, "danger"))
    return {
        "text": said,
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": said, "emoji": False}},
            *head,
            {
                "type": "input",
                "block_id": LINE,
                "optional": True,
                "label": {"type": "plain_text", "text": "Bottom line, in a person's words"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": LINE,
                    "max_length": BOTTOM_LINE_MAX,
                    "initial_value": cut(printable(line), BOTTOM_LINE_MAX),
                },
            },
            {
                "type": "actions",
                "block_id": "report_review",
                "elements": [_button(*each, report_id) for each in buttons],
            },
        ],
    }


def _button(label: str, action: str, style: str, value: str) -> dict[str, Any]:
    button = {"type": "button", "action_id": action, "value": value, "text": {"type": "plain_text", "text": label}}
    return button | ({"style": style} if style else {})
