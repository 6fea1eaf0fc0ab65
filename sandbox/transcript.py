"""The workspace's conversation as a person would read it in a terminal."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sandbox.slack import Ephemeral, SlackSandbox

Json = dict[str, Any]
LEVELS = "▁▂▃▄▅▆▇█"


def transcript(sandbox: SlackSandbox, since: float = 0, width: int = 96) -> str:
    """Every channel since a Unix time, in order; threads stand indented under their message."""
    channels = (_channel(sandbox, channel_id, since, width) for channel_id in sandbox.channels)
    return "\n".join(line for lines in channels for line in lines)


def _channel(sandbox: SlackSandbox, channel_id: str, since: float, width: int) -> Iterator[str]:
    channel = sandbox.channels[channel_id]
    alone = [e for e in sandbox.ephemerals if e.channel == channel_id and e.at >= since]
    roots = [m for m in channel.messages if m.get("thread_ts") in (None, m["ts"]) and float(m["ts"]) >= since]
    if not roots and not alone:
        return
    yield f"── #{channel.name} " + "─" * max(0, width - len(channel.name) - 5)
    shown: list[tuple[float, Json | Ephemeral]] = [(float(m["ts"]), m) for m in roots] + [(e.at, e) for e in alone]
    for _, item in sorted(shown, key=lambda pair: pair[0]):
        if isinstance(item, Ephemeral):
            note = f"(only visible to {sandbox.users[item.user].title()})"
            yield from _message(item.message, item.at, note, "  ", width)
            continue
        yield from _message(item, float(item["ts"]), "(edited)" if "edited" in item else "", "  ", width)
        for reply in channel.messages:
            if reply.get("thread_ts") == item["ts"] and reply is not item:
                yield from _message(reply, float(reply["ts"]), "", "    ┆ ", width)


def _message(message: Json, at: float, note: str, indent: str, width: int) -> Iterator[str]:
    when = datetime.fromtimestamp(at, UTC)
    author = message.get("author", "scrumbut")
    yield f"{indent}{author}  {when:%a %d %b %H:%M}  {note}".rstrip()
    lines = [line for block in message["blocks"] for line in block_text(block)] or message["text"].splitlines()
    for line in lines:
        wrapped = textwrap.wrap(line, width - len(indent) - 2) or [""]
        yield from (f"{indent}  {part}" for part in ([line] if "  " in line.strip() else wrapped))
    yield ""


def block_text(block: Json) -> list[str]:
    """A block as lines of text."""
    kind = block["type"]
    if kind in ("header", "section", "markdown"):
        fields = [_plain(field) for field in block.get("fields", ())]
        return [*_plain(block.get("text")).splitlines(), *fields]
    if kind == "rich_text":
        return [line for element in block["elements"] for line in _rich(element).splitlines()]
    if kind == "context":
        return ["  ·  ".join(_plain(element) for element in block["elements"])]
    if kind == "actions":
        return [" ".join(f"[{_plain(element.get('text'))}]" for element in block["elements"])]
    if kind == "data_table":
        rows = [[_cell(cell) for cell in row] for row in block["rows"]]
        return _aligned(rows)
    if kind == "data_visualization":
        return list(_chart(block))
    return ["───"] if kind == "divider" else [f"[{kind}]"]


def _plain(text: Any) -> str:
    value = text.get("text", "") if isinstance(text, dict) else str(text or "")
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        value = value.replace(entity, char)
    return str(value)


def _rich(element: Json) -> str:
    parts = element.get("elements", ())
    if element["type"] == "rich_text_list":
        return "\n".join(f"• {_rich(part)}" for part in parts)
    return "".join(part.get("text") or part.get("url") or "" for part in parts)


def _cell(cell: Any) -> str:
    if not isinstance(cell, dict):
        return str(cell)
    if "elements" in cell:
        return " ".join(_rich(part) for part in cell["elements"])
    return str(cell.get("text", cell.get("value", "")))


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _chart(block: Json) -> Iterator[str]:
    yield f"[chart] {_plain(block.get('title'))}"
    chart = block.get("chart", {})
    for series in chart.get("series", ()):
        values = [point["value"] for point in series.get("data", ()) if point.get("value") is not None]
        if values:
            yield f"  {series.get('name', '')}: {_spark(values)}  {values[0]:g} → {values[-1]:g}"


def _spark(values: list[float]) -> str:
    low, high = min(values), max(values)
    span = (high - low) or 1
    return "".join(LEVELS[round((value - low) / span * (len(LEVELS) - 1))] for value in values)
