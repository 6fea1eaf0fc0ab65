"""What an experiment's one message in its channel says."""

from dataclasses import dataclass
from typing import Any

from reports.filters import UNKNOWN, cut, printable


@dataclass(frozen=True, slots=True)
class Card:
    """An experiment as its one message in the channel shows it; every field is ready text, empty for nothing."""

    key: str
    title: str
    stage: str
    goal: str
    owner: str
    issue_key: str
    issue_url: str
    question: str
    progress: str
    age: str
    blocked: str
    result: str


def card(shown: Card) -> dict[str, Any]:
    """The context of a card; always the same lines, so that the message keeps its height."""
    status = f"blocked: {shown.blocked}" if shown.blocked else shown.age
    return {
        "key": shown.key,
        "headline": cut(printable(f"{shown.key} {shown.title}"), 150),
        "stage": " · ".join(part for part in (shown.stage, cut(printable(status), 120)) if part),
        "who": " · ".join(part for part in (shown.owner, shown.goal) if part) or UNKNOWN,
        "issue_key": shown.issue_key,
        "issue_url": shown.issue_url,
        "lines": [
            ("Question", cut(printable(shown.question), 180) or "not framed yet"),
            ("Progress", cut(printable(shown.progress), 180) or "no runs yet"),
            ("Result", cut(printable(shown.result), 180) or "open"),
        ],
    }
