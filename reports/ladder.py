"""Plainer forms of a message for a Slack that refuses its newest blocks: it rejects, it never truncates.

A chart becomes a picture, then a sentence; a data table becomes a table, then monospace text; at last words alone.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from reports import filters
from reports.filters import UNKNOWN

Block = dict[str, Any]
POINTER = re.compile(r"/blocks/(\d+)")
RUNGS = {"chart": ("native", "picture", "sentence"), "table": ("native", "table", "text")}
KINDS = {"data_visualization": "chart", "image": "chart", "data_table": "table", "table": "table"}
Upload = Callable[[], str]


class Ladder:
    """One message on its way down. `rungs` tells where each part stands, for the log."""

    def __init__(self, message: Mapping[str, Any], upload: Upload | None = None) -> None:
        self._message, self._upload = message, upload
        self.rungs = {KINDS[b["type"]]: "native" for b in message["blocks"] if b["type"].startswith("data_")}
        self.form: Mapping[str, Any] = message

    def step_down(self, why: str) -> bool:
        """Take the next plainer form of the part that Slack names in `why`, else of the chart, else of the table;
        False when there is none below."""
        part = self._culprit(why) or next((p for p in RUNGS if self._below(p)), None)
        if part is None:
            if self.rungs.get("all") == "words" or not self._message["text"]:
                return False
            self.rungs = {"all": "words"}
            self.form = {**self._message, "blocks": []}
            return True
        self.rungs[part] = self._below(part) or ""
        self.form = {**self._message, "blocks": self._blocks(part)}
        return True

    def _below(self, part: str) -> str | None:
        rungs = RUNGS[part]
        index = rungs.index(self.rungs[part]) + 1 if part in self.rungs else len(rungs)
        return rungs[index] if index < len(rungs) else None

    def _culprit(self, why: str) -> str | None:
        found = POINTER.search(why)
        blocks = self.form["blocks"]
        if not found or int(found[1]) >= len(blocks):
            return None
        part = KINDS.get(blocks[int(found[1])].get("type", ""))
        return part if part and self._below(part) else None

    def _blocks(self, part: str) -> list[Block]:
        """The form's blocks with that part at its new rung, made from the native one each time."""
        native = {KINDS[b["type"]]: b for b in self._message["blocks"] if b["type"].startswith("data_")}
        at = next(i for i, b in enumerate(self._message["blocks"]) if b is native[part])
        blocks = list(self.form["blocks"])
        blocks[at] = self._made(native[part], self.rungs[part])
        return blocks

    def _made(self, native: Block, rung: str) -> Block:
        if rung == "picture":
            made = self._picture()
            if made is None:
                self.rungs["chart"] = "sentence"
            return made or chart_in_words(native)
        return {"sentence": chart_in_words, "table": as_table, "text": table_in_words}[rung](native)

    def _picture(self) -> Block | None:
        """The chart uploaded as a picture; None where there is none, or it could not be uploaded."""
        picture = self._message.get("picture")
        if not picture or self._upload is None:
            return None
        file_id = self._upload()
        return {"type": "image", "slack_file": {"id": file_id}, "alt_text": picture["alt"]} if file_id else None


def chart_in_words(block: Mapping[str, Any]) -> Block:
    """The chart's first and last values as a sentence."""
    lines = []
    for series in block["chart"].get("series", ()):
        values = [point["value"] for point in series["data"] if math.isfinite(point["value"])]
        if values:
            lines.append(f"{series['name']}: from {values[0]:.3g} to {values[-1]:.3g}")
    text = filters.cut(f"{block['title']}. {'; '.join(lines)}.", 2_900)
    return {"type": "section", "text": {"type": "plain_text", "text": text}}


def as_table(block: Mapping[str, Any]) -> Block:
    """The older table block, cells as they are."""
    return {"type": "table", "rows": [[{"type": "raw_text", "text": _cell(cell)} for cell in row]
                                      for row in block["rows"]]}  # fmt: skip


def table_in_words(block: Mapping[str, Any]) -> Block:
    """Aligned text."""
    rows = [[_cell(cell) for cell in row] for row in block["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    leaf = {"type": "text", "text": filters.cut(text, 2_900)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [leaf]}]}


def _cell(cell: Mapping[str, Any]) -> str:
    return str(cell.get("text") or UNKNOWN)
