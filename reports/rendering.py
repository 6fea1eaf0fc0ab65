"""Renders contexts through templates; the only importer of Jinja.

A user's template overrides the built-in one of its name, in a sandbox; when it fails, the built-in one is used and
the note says where and why. A broken template never means a missing report.
"""

import json
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import BaseLoader, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from backlog.metric import Better
from backlog.snapshot import Snapshot
from reports import charts, contents, filters
from reports.card import Card, card

Format = Literal["slack", "html", "text"]
SURFACES: tuple[Format, ...] = ("slack", "html", "text")
TEXT_WIDTH = 100  # columns of the terminal version
BODY_MAX = 2 << 20  # characters; a template that writes more is broken


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered surface; `note` tells of a user's template that failed, empty otherwise."""

    body: str
    note: str = ""


def render_weekly(snapshot: Snapshot, surface: Format, templates: Path | None = None) -> Rendered:
    """The weekly report; the same snapshot and template give the same bytes.

    "slack" is JSON: `{"text", "blocks", "thread": [{"text", "blocks"}, …]}`.
    """
    context = contents.weekly(snapshot)
    if surface == "html":
        context |= _pictures(snapshot)
    name = f"weekly.{surface}.j2"
    note = ""
    if templates is not None and (templates / name).exists():
        try:
            return Rendered(_render(FileSystemLoader(templates), name, context, surface))
        except Exception as error:  # whatever a template does, the report goes out
            note = _explain(error, templates / name)
    return Rendered(_render(BUILT_IN, name, {**context, "template_note": note}, surface), note)


def render_card(shown: Card) -> dict[str, Any]:
    """`{"text", "blocks"}` of an experiment's one message."""
    message: dict[str, Any] = json.loads(_render(BUILT_IN, "card.slack.j2", card(shown), "slack"))
    return message


BUILT_IN = PackageLoader("reports", "templates")


def _render(loader: BaseLoader, name: str, context: Mapping[str, Any], surface: Format) -> str:
    environment = ImmutableSandboxedEnvironment(
        loader=loader, autoescape=surface == "html", undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(filters.FILTERS)
    body = environment.get_template(name).render({"template_note": "", **context})
    if len(body) > BODY_MAX:
        raise ValueError(f"it writes {len(body)} characters, {BODY_MAX} at most")
    if surface == "slack":
        return json.dumps(json.loads(body), ensure_ascii=False)
    return body if surface == "html" else "\n".join(map(_wrapped, body.splitlines())) + "\n"


def _wrapped(line: str) -> str:
    """A line of the terminal version, its continuation indented like itself."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, TEXT_WIDTH, subsequent_indent=indent, break_long_words=False) if line.strip() else ""


def _explain(error: Exception, path: Path) -> str:
    line = error.lineno if isinstance(error, TemplateSyntaxError) else _line_of(error, path)
    place = f"{path}, line {line}" if line else str(path)
    kind = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
    return f"Template {place}: {kind}{error}. The built-in template was used; mend yours and preview the report."


def _line_of(error: Exception, path: Path) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _pictures(snapshot: Snapshot) -> dict[str, Any]:
    tones = {line["key"]: line["tone"] for line in contents.weekly(snapshot)["experiments"]}
    sparks = {
        e.key: charts.sparkline(e.tracks[0], e.target, tones[e.key])
        for e in snapshot.experiments
        if e.key in tones and e.tracks
    }
    multiples = [
        (f"{goal.metric} in {track.environment}", goal.key,
         charts.small_multiple(f"{goal.metric} of {goal.key}", track, goal.better or Better.UP, goal.target,
                               snapshot.period, _tone(goal), goal.unit))
        for goal in snapshot.goals for track in goal.tracks if track.runs
    ]  # fmt: skip
    return {"sparks": sparks, "multiples": multiples[:8]}


def _tone(goal: Any) -> str:
    return "met" if goal.met else contents.TONES[goal.health]


def fallbacks(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Plainer forms of a message for a Slack that refuses its blocks: the chart as a sentence, then the table as
    text too, then words alone. A form equal to the one before is left out."""
    blocks = list(message["blocks"])
    for kind, plain in PLAINER:
        if any(block["type"] == kind for block in blocks):
            blocks = [plain(block) if block["type"] == kind else block for block in blocks]
            yield {**message, "blocks": blocks}
    yield {**message, "blocks": []}


def _chart_in_words(block: Mapping[str, Any]) -> dict[str, Any]:
    lines = []
    for series in block["chart"].get("series", ()):
        values = [point["value"] for point in series["data"] if math.isfinite(point["value"])]
        lines.append(f"{series['name']}: from {values[0]:.3g} to {values[-1]:.3g}")
    return _plain_section(f"{block['title']}. {'; '.join(lines)}.")


def _table_in_words(block: Mapping[str, Any]) -> dict[str, Any]:
    rows = [[str(cell.get("text", "")) for cell in row] for row in block["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    leaf = {"type": "text", "text": filters.cut(text, 2_900)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [leaf]}]}


def _plain_section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": filters.cut(text, 2_900)}}


PLAINER: tuple[tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]], ...] = (
    ("data_visualization", _chart_in_words),
    ("data_table", _table_in_words),
)
