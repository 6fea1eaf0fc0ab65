"""A report as an e-mail: subject, text, HTML with its styles inline, and one picture by `cid:`. It sends nothing."""

from dataclasses import dataclass
from pathlib import Path

from backlog.snapshot import Snapshot
from reports import charts, filters, pictures, templating
from reports.contents import REPORTS
from reports.contents.phrases import status
from reports.contents.weekly import charted_goal

PICTURE = "chart@scrumbut"  # the Content-ID that the HTML refers to
PREHEADER_MAX = 90  # characters that a mailbox shows beside the subject
SUBJECT_MAX = 200


@dataclass(frozen=True, slots=True)
class Email:
    """A rendered e-mail. `png` is empty where there is nothing to draw; else the HTML shows `cid:` PICTURE, and
    `alt` says the same in words. `note` tells of a user's template that failed."""

    subject: str
    text: str
    html: str
    png: bytes
    alt: str
    note: str = ""


def render_email(snapshot: Snapshot, templates: Path | None = None) -> Email:
    """The report as an e-mail; the same snapshot and templates give the same bytes."""
    import css_inline

    said = REPORTS[snapshot.report].contents(snapshot)
    svg = chart_of(snapshot)
    alt = charts.alternative(svg)
    context = {
        **said,
        "preheader": _preheader(said["deck"], said["week"]),
        "picture": PICTURE if svg else "",
        "alt": alt,
    }
    html, note = templating.render(snapshot.report, "email", context, templates)
    text, text_note = templating.render(snapshot.report, "email-text", context, templates)
    inlined = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True).inline(html)
    subject = filters.cut(filters.printable(said["verdict"]), SUBJECT_MAX)
    return Email(subject, text, inlined, pictures.to_png(svg) if svg else b"", alt, note or text_note)


def _preheader(deck: list[str], week: str) -> str:
    return filters.cut(filters.printable(deck[0] if deck else week), PREHEADER_MAX)


def chart_of(snapshot: Snapshot) -> str:
    """The one chart of a message, as SVG; empty where nothing is measured yet."""
    goal = charted_goal(snapshot)
    return charts.goal_way(goal, snapshot.period, status(goal.health, goal.met)["tone"]) if goal else ""
