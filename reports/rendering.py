"""One snapshot on every surface. All of them say the same numbers, because all of them say the same context."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from backlog.metric import Better
from backlog.snapshot import ExperimentLine, GoalLine, Snapshot
from reports import charts, pictures, templating
from reports.card import Card, card
from reports.contents import REPORTS
from reports.contents.phrases import best_track, status, titled
from reports.contents.weekly import shown_experiments
from reports.mail import chart_of

Format = Literal["slack", "html", "text", "md", "json"]
SURFACES: tuple[Format, ...] = ("slack", "html", "text")  # what is stored with a report
CHARTS = (6, 4, 2, 0)  # small multiples on a page, fewer where it would grow too large
PAGE_MAX = 60_000  # bytes
GOAL_CHARTS_MAX = 4  # goals that are drawn; the others are told
SNAPSHOT = TypeAdapter(Snapshot)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered surface; `note` tells of a user's template that failed, empty otherwise."""

    body: str
    note: str = ""


def render_report(snapshot: Snapshot, surface: Format, templates: Path | None = None) -> Rendered:
    """One surface of a report; the same snapshot and template give the same bytes.

    "slack" is JSON: `{"text", "blocks", "thread": [{"text", "blocks"}, …], "picture": {"svg", "alt"}}`.
    "json" is `{"said", "data"}`: the texts, and the numbers they were made from.
    """
    context = dict(REPORTS[snapshot.report].contents(snapshot))
    if surface == "json":
        return Rendered(_data(snapshot, context))
    if surface == "html":
        return _page(snapshot, context, templates)
    body, note = templating.render(snapshot.report, surface, context, templates)
    return Rendered(_with_picture(body, snapshot) if surface == "slack" else body, note)


def render_pdf(snapshot: Snapshot, templates: Path | None = None) -> bytes:
    """The page as PDF. Raises NotInstalled without the extra "pdf"."""
    return pictures.to_pdf(render_report(snapshot, "html", templates).body)


def render_card(shown: Card) -> dict[str, Any]:
    """`{"text", "blocks"}` of an experiment's one message."""
    message: dict[str, Any] = json.loads(templating.render("card", "slack", card(shown))[0])
    return message


def _page(snapshot: Snapshot, context: Mapping[str, Any], templates: Path | None) -> Rendered:
    """The page with as many charts of runs as keep it small."""
    rendered = Rendered("")
    for most in CHARTS:
        filled = {**context, "pictures": _pictures(snapshot, most)}
        rendered = Rendered(*templating.render(snapshot.report, "html", filled, templates))
        if len(rendered.body.encode()) <= PAGE_MAX or not filled["pictures"]["runs"]:
            break
    return rendered


def _data(snapshot: Snapshot, context: Mapping[str, Any]) -> str:
    said = json.dumps(context, ensure_ascii=False)
    return f'{{"said": {said}, "data": {SNAPSHOT.dump_json(snapshot).decode()}}}'


def _with_picture(body: str, snapshot: Snapshot) -> str:
    """The message with the chart's other form, for a Slack that refuses the native one."""
    message = json.loads(body)
    svg = chart_of(snapshot)
    if svg and any(block.get("type") == "data_visualization" for block in message["blocks"]):
        message["picture"] = {"svg": svg, "alt": charts.alternative(svg)}
    return json.dumps(message, ensure_ascii=False)


def _pictures(snapshot: Snapshot, most: int) -> dict[str, Any]:
    """What the page draws, by key: all of it the weekly report, its own runs a card, the goals a review of them."""
    goals = snapshot.goals[:GOAL_CHARTS_MAX] if snapshot.report in ("weekly", "goal-review") else ()
    ways = {g.key: charts.inline(charts.goal_way(g, snapshot.period, _tone(g))) for g in goals}
    shown = _drawn(snapshot)
    first = [e for e in shown if (t := best_track(e)) and t.dots][:most]
    return {
        "goals": {key: way for key, way in ways.items() if way},
        "sparks": {
            e.key: charts.inline(charts.sparkline(t, e.target, _tone(e))) for e in shown if (t := best_track(e))
        },
        "runs": [
            {"title": titled(e.title), "key": e.key, "svg": charts.inline(_every_run(e, snapshot))} for e in first
        ],
    }


def _drawn(snapshot: Snapshot) -> list[ExperimentLine]:
    if snapshot.subject:
        return [e for e in snapshot.experiments if e.key == snapshot.subject]
    return shown_experiments(snapshot) if snapshot.report == "weekly" else []


def _every_run(e: ExperimentLine, snapshot: Snapshot) -> str:
    track = best_track(e)
    if track is None:
        return ""
    name = f"{e.key}, {e.metric}"
    return charts.every_run(name, track, e.better or Better.UP, e.target, snapshot.period, _tone(e), e.unit)


def _tone(of: GoalLine | ExperimentLine) -> str:
    return status(of.health, of.met if isinstance(of, GoalLine) else of.goal_met)["tone"]
