"""How values read: numbers, weeks, counts, and text that must stay text. Pure; also Jinja's filters."""

import json
import re
from datetime import datetime
from typing import Any

from markupsafe import Markup

from backlog.snapshot import Health, Period

UNKNOWN = "?"
MINUS = "\u2212"
SHAPES = {Health.ON_TRACK: "●", Health.AT_RISK: "▲", Health.OFF_TRACK: "■", Health.UNKNOWN: "○"}
MET_SHAPE, MET_WORD = "✓", "goal met"


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits with the unit; `?` for what is not known. A share stays a fraction."""
    if value is None:
        return UNKNOWN
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    text = text.replace("-", MINUS)
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
        return f"{now - before:+.3g}".replace("-", MINUS)
    percent = (now - before) / abs(before) * 100
    return f"{percent:+.{0 if abs(percent) >= 1 else 1}f} %".replace("-", MINUS)


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 run`, `3 runs`."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def period(of: Period) -> str:
    """`Week 47, 16 to 22 November 2026`, `November 2026` or `Mon 23 November 2026`."""
    last = of.end.fromordinal(of.end.toordinal() - 1)
    if last.toordinal() == of.start.toordinal():
        return f"{last:%a} {last.day} {last:%B} {last.year}"
    if "W" not in of.key:
        return f"{last:%B} {last.year}"
    start = f"{of.start.day}{f' {of.start:%B}' if of.start.month != last.month else ''}"
    return f"Week {int(of.key[-2:])}, {start} to {last.day} {last:%B} {last.year}"


def day(at: datetime | None) -> str:
    """`22 November`; empty for none."""
    return f"{at.day} {at:%B}" if at else ""


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


def md(text: str) -> str:
    """Text that Markdown and the HTML in it show as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~@])", r"\\\1", mrkdwn(printable(text)))


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
    "md": md,
    "js": js,
}
