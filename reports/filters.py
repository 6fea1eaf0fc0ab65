"""How values read: numbers, weeks, counts, and text that must stay text. Pure; also Jinja's filters."""

import json
from datetime import datetime
from typing import Any

from markupsafe import Markup

from backlog.snapshot import Health, Period

UNKNOWN = "?"
SHAPES = {Health.ON_TRACK: "●", Health.AT_RISK: "▲", Health.OFF_TRACK: "■", Health.UNKNOWN: "○"}
MET_SHAPE, MET_WORD = "✓", "goal met"


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits with the unit; `?` for what is not known. A share stays a fraction."""
    if value is None:
        return UNKNOWN
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text if unit in ("", "share") else f"{text} {unit}"


def change(before: float | None, now: float | None) -> str:
    """How a best moved within the week, relative to where it was: `-47 %` with a true minus, "no change", "new"."""
    if now is None:
        return ""
    if before is None:
        return "new"
    if before == now:
        return "no change"
    if before == 0:
        return f"{now - before:+.3g}"
    percent = (now - before) / abs(before) * 100
    return (
        f"{percent:+.0f} %".replace("-", "\u2212") if abs(percent) >= 1 else f"{percent:+.1f} %".replace("-", "\u2212")
    )


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 run`, `3 runs`."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def week(period: Period) -> str:
    """`Week 47, 16 to 22 November 2026`."""
    last = period.end.fromordinal(period.end.toordinal() - 1)
    start = f"{period.start.day}{f' {period.start:%B}' if period.start.month != last.month else ''}"
    return f"Week {int(period.key[-2:])}, {start} to {last.day} {last:%B} {last.year}"


def moment(at: datetime | None) -> str:
    """`Sun 22 Nov, 18:00 UTC`; "never" for none."""
    return f"{at:%a} {at.day} {at:%b, %H:%M} {at.tzname() or ''}".strip() if at else "never"


def cut(text: str, most: int) -> str:
    """At most that many characters, with an ellipsis where something is left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def printable(text: str) -> str:
    """Text without control and bidi characters, its line breaks kept as spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def mrkdwn(text: str) -> str:
    """Text that Slack's mrkdwn shows as it is: no link, no mention. `*`, `_` and `~` have no escape; foreign text
    that must not become bold belongs into plain_text or rich_text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def js(value: Any) -> Markup:
    """A JSON value for a Slack template; whatever is in it stays inside its quotes."""
    return Markup(json.dumps(value, ensure_ascii=False))


def capital(text: str) -> str:
    """The text with its first letter large and all others as they are: a key stays a key."""
    return text[:1].upper() + text[1:]


FILTERS = {
    "capital": capital,
    "number": number,
    "plural": plural,
    "moment": moment,
    "cut": cut,
    "mrkdwn": mrkdwn,
    "js": js,
}
