"""Draws the pictures of the README and of docs/reports.md from the demo: `make pictures`, with Debian's Chromium.

The message is drawn from its blocks, in Slack's manner; it is no photograph of Slack.
"""

import io
import json
import shutil
import sys
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from reports.feedback import feedback_row, reader_buttons

WIDTH, HEIGHT = 1100, 2130  # pixels of the page that are shown
COLOURS = 64  # of the stored pictures
Block = dict[str, Any]
STYLE = """
*{box-sizing:border-box}body{margin:0;padding:20px;width:760px;background:#fff;color:#1d1c1d;
font:15px/22px Lato,Inter,sans-serif;display:grid;grid-template-columns:36px 1fr;gap:12px}
.face{width:36px;height:36px;border-radius:6px;background:#3454c5;color:#fff;font:700 17px/36px Inter;text-align:center}
b,th{font-weight:700}h1{font-size:18px;line-height:26px;margin:2px 0 6px}p,ul{margin:0 0 4px}ul{padding-left:22px}
.small{font-size:13px;line-height:19px;color:#616061;margin:4px 0}.small.who{font-size:12px;margin:0;display:inline}
table{border-collapse:collapse;margin:8px 0;width:100%}td,th{border:1px solid #ddd;padding:5px 9px;text-align:left;
font-size:14px;line-height:20px}.chart{border:1px solid #ddd;border-radius:8px;padding:12px 14px;margin:8px 0}
button{font:700 13px/20px Lato,Inter,sans-serif;border:1px solid #bbb;border-radius:4px;background:#fff;color:#1d1c1d;
padding:4px 11px;margin:4px 8px 4px 0}svg{display:block;width:100%}
"""


def main(demo: Path, docs: Path) -> None:
    """Both pictures, from the folder that `scrumbut demo` wrote to."""
    message = json.loads((demo / "report.slack.json").read_text())
    message["blocks"].append(feedback_row("", "", reader_buttons("weekly", "manager", "https://scrumbut.example")))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto((demo / "report.html").absolute().as_uri())
        keep(page, docs / "report.png")
        drawn = browser.new_page(viewport={"width": 800, "height": 100}, device_scale_factor=1.4)
        drawn.set_content(drawn_message(message))
        keep(drawn, docs / "slack-message.png", whole=True)
        browser.close()


def keep(page: Page, path: Path, whole: bool = False) -> None:
    """The page as a small picture."""
    picture = Image.open(io.BytesIO(page.screenshot(full_page=whole)))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def drawn_message(message: dict[str, Any]) -> str:
    """The message as a page."""
    who = '<b>scrumbut</b> <span class="small who">APP&ensp;9:00 AM</span>'
    blocks = "".join(drawn_block(block) for block in message["blocks"])
    thread = f'<p style="color:#1264a3;font-weight:700">{len(message["thread"])} replies</p>'
    return f'<style>{STYLE}</style><div class="face">s</div><div>{who}{blocks}{thread}</div>'


def drawn_block(block: Block) -> str:
    """One block as HTML."""
    kind = block["type"]
    if kind == "header":
        return f"<h1>{escape(block['text']['text'])}</h1>"
    if kind == "rich_text":
        return "".join(drawn_rich(element) for element in block["elements"])
    if kind == "context":
        return f'<p class="small">{" ".join(escape(e["text"]) for e in block["elements"])}</p>'
    if kind == "actions":
        return "".join(f"<button>{escape(e['text']['text'])}</button>" for e in block["elements"])
    if kind == "data_table":
        rows = [[escape(cell["text"]) for cell in row] for row in block["rows"]]
        head, *rest = (
            "".join(f"<{tag}>{cell}</{tag}>" for cell in row)
            for row, tag in zip(rows, ["th"] + ["td"] * 9, strict=False)
        )
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in (head, *rest))}</table>"
    if kind == "data_visualization":
        return drawn_chart(block)
    return f"<p>{escape(block['text']['text'])}</p>"


def drawn_rich(element: Block) -> str:
    """Rich text, its lists as lists."""
    if element["type"] == "rich_text_list":
        return f"<ul>{''.join(f'<li>{drawn_leaves(part)}</li>' for part in element['elements'])}</ul>"
    return f"<p>{drawn_leaves(element)}</p>"


def drawn_leaves(part: Block) -> str:
    """A line, bold where it is."""
    leaves = ((escape(leaf["text"]), leaf.get("style", {}).get("bold")) for leaf in part["elements"])
    return "".join(f"<b>{text}</b>" if bold else text for text, bold in leaves)


def drawn_chart(block: Block) -> str:
    """A line chart as Slack draws one: points joined, labels below."""
    labels = block["chart"]["axis_config"]["categories"]
    values = [point["value"] for line in block["chart"]["series"] for point in line["data"]]
    low, span = min(values), (max(values) - min(values)) or 1
    parts = [f'<text x="{20 + 60 * n}" y="146" text-anchor="middle" fill="#616061">{label}</text>'
             for n, label in enumerate(labels)]  # fmt: skip
    for line, colour in zip(block["chart"]["series"], ("#1264a3", "#e8912d", "#2b8a3e"), strict=False):
        points = [(20 + 60 * labels.index(p["label"]), 120 - 100 * (p["value"] - low) / span) for p in line["data"]]
        path = " ".join(f"{x},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        below = points[-1][1] + (12 if line is block["chart"]["series"][0] else -2)
        parts.append(f'<text x="{points[-1][0] + 8}" y="{below:.1f}" fill="{colour}">{escape(line["name"])}</text>')
    svg = f'<svg viewBox="0 0 640 156" font-size="12">{"".join(parts)}</svg>'
    return f'<div class="chart"><b>{escape(block["title"])}</b>{svg}</div>'


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
