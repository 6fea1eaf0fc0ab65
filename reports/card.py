"""What an experiment's one message in its channel says, and what can be done there at a click."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backlog.experiment import Experiment, Stage
from reports.buttons import Offer, line_buttons
from reports.filters import UNKNOWN, cut, printable

DETAILS = "Details"  # the button that shows all that is known


@dataclass(frozen=True, slots=True)
class Card:
    """An experiment as its one message in the channel shows it; every field is ready text, empty for nothing. `offers`
    are the next sensible acts; the first stands out."""

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
    offers: Sequence[Offer] = ()
    waits: str = ""


def next_acts(e: Experiment) -> list[Offer]:
    """What is sensible to do next with an experiment: a label and the line that does it."""
    key = e.key
    details = (DETAILS, f"show {key}")
    if e.stage.finished:
        return [("Follow-up", f"new --follows={key}"), details]
    if e.parked_since or e.stage is Stage.READY:
        return [("Start", f"start {key}"), ("Edit", f"edit {key}"), details]
    if e.stage in (Stage.IDEA, Stage.FRAMED):
        acts = [("Frame", f"frame {key}"), ("Start", f"start {key}")]
        return [*(reversed(acts) if e.stage is Stage.FRAMED else acts), details]
    if e.stage is Stage.DECIDING:
        acts = [("Decide", f"decide {key}"), ("Outcome", f"outcome {key}")]
        return [*(acts if e.outcome else reversed(acts)), ("Snooze", f"snooze {key} 1d"), details]
    first = ("Decide", f"decide {key}") if e.outcome else ("Checkpoint", f"checkpoint {key}")
    acts = [first, ("Outcome", f"outcome {key}"), ("Snooze", f"snooze {key} 1d"), details]
    return [("Unblock", f"unblock {key}"), *acts] if e.blocked_reason else acts


def card(shown: Card) -> dict[str, Any]:
    """The context of a card; always the same lines, so that the message keeps its height."""
    status = f"blocked: {shown.blocked}" if shown.blocked else shown.age
    return {
        "key": shown.key,
        "headline": cut(printable(f"{shown.key} {shown.title}"), 150),
        "stage": " · ".join(part for part in (shown.stage, cut(printable(status), 120), shown.waits) if part),
        "who": " · ".join(part for part in (shown.owner, shown.goal) if part) or UNKNOWN,
        "issue_key": shown.issue_key,
        "issue_url": shown.issue_url,
        "lines": [
            ("Question", cut(printable(shown.question), 180) or "not framed yet"),
            ("Progress", cut(printable(shown.progress), 180) or "no runs yet"),
            ("Result", cut(printable(shown.result), 180) or "open"),
        ],
        "buttons": line_buttons(shown.offers, primary=shown.offers[0][0] if shown.offers else ""),
    }
