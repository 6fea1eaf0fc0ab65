"""The row of three buttons under each message of a report: was it any use?"""

from collections.abc import Mapping
from typing import Any

from reports.filters import cut

VERDICTS: Mapping[str, str] = {"useful": "Useful", "not-useful": "Not useful", "unclear": "Unclear"}
ACTION = "report_feedback_"  # and the verdict
SECTION_MAX = 60  # characters


def feedback_row(report_id: str, section: str) -> dict[str, Any]:
    """A block of three buttons; a click hands `id section` back."""
    return {
        "type": "actions",
        "block_id": "report_feedback",
        "elements": [
            {
                "type": "button",
                "action_id": ACTION + verdict,
                "text": {"type": "plain_text", "text": label},
                "value": f"{report_id} {cut(section, SECTION_MAX)}",
            }
            for verdict, label in VERDICTS.items()
        ],
    }
