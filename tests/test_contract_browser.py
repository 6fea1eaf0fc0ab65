"""The page as a real browser shows it: Debian's Chromium, driven by Playwright, judged by axe-core.

`.ci/run` installs both; SCRUMBUT_AXE names axe.min.js. The pictures are kept in test-out/.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reports.contents import REPORTS
from reports.mail import render_email
from reports.rendering import render_pdf, render_report
from tests.test_reports import SHAPES, snapshot
from tests.test_reports_kinds import of

pytestmark = pytest.mark.contract
OUT = Path(__file__).parent.parent / "test-out"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True},
}
SMALLEST = """() => Math.min(...[...document.querySelectorAll('main *')]
  .filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .filter(e => !e.hasAttribute('aria-hidden')).map(e => parseFloat(getComputedStyle(e).fontSize)))"""


@dataclass
class Opened:
    """An open page, what its console said and what it asked for."""

    page: Any
    console: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's source."""
    path = Path(os.environ.get("SCRUMBUT_AXE", "node_modules/axe-core/axe.min.js"))
    if not path.exists():
        pytest.skip("there is no axe-core (npm install axe-core; SCRUMBUT_AXE names axe.min.js)")
    return path.read_text(encoding="utf-8")


def open_page(browser: Any, body: str, folder: Path, look: str) -> Opened:
    """The page from a file, as a reader opens what they were sent."""
    path = folder / "report.html"
    path.write_text(body, encoding="utf-8")
    opened = Opened(browser.new_context(**LOOKS[look]).new_page(), [], [])
    opened.page.on("console", lambda message: opened.console.append(message.text))
    opened.page.on("pageerror", lambda error: opened.console.append(str(error)))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.goto(path.as_uri())
    return opened


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_page_opens_without_error_request_or_barrier(
    browser: Any, axe: str, tmp_path: Path, shape: str, look: str
) -> None:
    opened = open_page(browser, render_report(SHAPES[shape], "html").body, tmp_path, look)
    assert opened.console == []
    assert opened.requests == [(tmp_path / "report.html").as_uri()]
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["viewport"]["width"]
    assert opened.page.evaluate(SMALLEST) >= 13
    opened.page.evaluate(axe)
    found = opened.page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
    assert found == []
    OUT.mkdir(exist_ok=True)
    opened.page.screenshot(path=OUT / f"report-{shape}-{look}.png", full_page=True)


@pytest.mark.parametrize("kind", [kind for kind in REPORTS if kind != "weekly"])
def test_every_other_report_opens_without_barrier(browser: Any, axe: str, tmp_path: Path, kind: str) -> None:
    opened = open_page(browser, render_report(of(kind), "html").body, tmp_path, "light")
    opened.page.evaluate(axe)
    found = opened.page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
    assert (found, opened.console) == ([], [])
    opened.page.screenshot(path=OUT / f"report-{kind}.png", full_page=True)


def test_every_chart_has_its_text_alternative_in_the_accessibility_tree(browser: Any, tmp_path: Path) -> None:
    opened = open_page(browser, render_report(snapshot(), "html").body, tmp_path, "light")
    charts = opened.page.get_by_role("img")
    assert charts.count() == opened.page.evaluate("document.querySelectorAll('svg:not([aria-hidden])').length") == 7
    named = opened.page.get_by_role("img", name="recall of churn, best so far by week: dev 0.79, prod 0.78")
    assert named.count() == 1


def test_the_page_prints_on_a4(browser: Any, tmp_path: Path) -> None:
    opened = open_page(browser, render_report(snapshot(), "html").body, tmp_path, "dark")
    OUT.mkdir(exist_ok=True)
    printed = opened.page.pdf(path=OUT / "report-print.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594" in printed or b"/MediaBox [0 0 595" in printed
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_email_reads_without_its_style_sheet_and_without_barrier(browser: Any, axe: str, tmp_path: Path) -> None:
    mail = render_email(snapshot(), None)
    body = mail.html.replace("cid:chart@scrumbut", "data:,")
    opened = open_page(browser, body, tmp_path, "light")
    assert "color: #a85f06" in mail.html.replace("color:#", "color: #")  # a colour that stands in the element itself
    opened.page.evaluate(axe)
    landmarks = ("region", "landmark-one-main")  # a mail is a part of somebody else's page
    rules = {"rules": {name: {"enabled": False} for name in landmarks}}
    found = opened.page.evaluate("o => axe.run(o).then(r => r.violations.map(v => v.id))", rules)
    assert found == []
    opened.page.screenshot(path=OUT / "report-email.png", full_page=True)
    (OUT / "report-email-chart.png").write_bytes(mail.png)


def test_the_pdf_holds_the_same_words() -> None:
    """Needs Pango; its text is compressed, so the document's title speaks for it."""
    body = render_pdf(replace(snapshot(), public_url=""))
    assert body.startswith(b"%PDF")
    assert len(body) > 20_000
    OUT.mkdir(exist_ok=True)
    (OUT / "report.pdf").write_bytes(body)
