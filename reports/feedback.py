"""The row of buttons under each message of a report: was it any use? Under the first also the page, and a schedule."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.buttons import LINE
from reports.filters import cut

VERDICTS: Mapping[str, str] = {"useful": "Useful", "not-useful": "Not useful", "unclear": "Unclear"}
ACTION = "report_feedback_"  # and the verdict
OPEN = "report_open"  # a link; Slack tells of the click all the same
SECTION_MAX = 60  # characters


def feedback_row(report_id: str, section: str, before: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """A block of three buttons after those of `before`; a click hands `id section` back."""
    return {
        "type": "actions",
        "block_id": "report_feedback",
        "elements": [
            *before,
            *(
                _button(label, ACTION + verdict, value=f"{report_id} {cut(section, SECTION_MAX)}")
                for verdict, label in VERDICTS.items()
            ),
        ],
    }


def reader_buttons(report: str, audience: str, url: str) -> list[dict[str, Any]]:
    """Opening the page, where it has an address, and scheduling the report for a place of one's own."""
    page = [_button("Open report", OPEN, url=url)] if url.startswith(("https://", "http://")) else []
    line = f'schedule add {report} --audience "{audience}"'
    return [*page, _button("Schedule…", f"{LINE}:schedule", value=line)]


def _button(label: str, action_id: str, **what: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": label}, **what}
