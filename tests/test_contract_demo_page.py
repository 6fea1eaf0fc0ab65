"""The demo's page as a visitor plays it, in Debian's Chromium: the whole way from an idea to a decision.

Starts `scrumbut demo --page` as `make demo-page` does. The pictures are kept in test-out/, numbered as they happen.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.test_contract_browser import LOOKS, axe, browser  # noqa: F401  # fixtures

pytestmark = pytest.mark.contract
OUT = Path(__file__).parent.parent / "test-out"
WIDE = {"viewport": {"width": 1440, "height": 900}}
VIOLATIONS = "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))"
NEW = "EXP-7"  # the first that a visitor makes; the story has six


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the page is served, once the ten weeks are played."""
    command = [sys.executable, "-m", "bot.cli", "demo", "--page", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=OUT.parent) as process:
        try:
            assert process.stdout is not None
            said = next(line for line in process.stdout if "Open http" in line)
            yield re.findall(r"http://[\d.:]+", said)[0]
        finally:
            process.terminate()


@dataclass
class Visit:
    """A visitor's open page; what its console said and where it asked."""

    page: Any
    console: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def type(self, line: str) -> None:
        """Type a line and send it."""
        self.page.fill("#line", line)
        self.page.press("#line", "Enter")

    def asks_until(self, line: str, text: str) -> None:
        """Type the line again until its answer says so: the bot reads within seconds, not at once."""
        answer = self.page.locator("article.alone").last
        for _ in range(20):
            self.type(line)
            self.page.wait_for_timeout(1_000)
            if text in answer.inner_text():
                return
        raise AssertionError(f"{line} never said {text}: {answer.inner_text()}")

    def step(self) -> None:
        """Let the page type its next suggestion, and send it."""
        self.page.click("#guide button:has-text('Type it for me')")
        self.page.press("#line", "Enter")

    def reads(self, text: str, where: str = "#conversation") -> None:
        """Wait until it can be read there."""
        self.page.locator(where).get_by_text(text).last.wait_for(timeout=20_000)

    def stands_at(self, stage: str) -> None:
        """Wait until the experiment's card says that stage."""
        self.card().locator("strong", has_text=re.compile(f"^{stage}")).wait_for(timeout=20_000)

    def card(self) -> Any:
        """The experiment's card in the channel."""
        return self.page.locator(f'article:has(h3:has-text("{NEW}"))').last

    def status(self, key: str) -> Any:
        """The issue's status in the list."""
        return self.page.locator(f"#jira button[data-key={key}] .status")

    def picture(self, name: str, pages: str = "demo-page") -> None:
        """Keep what it looks like."""
        OUT.mkdir(exist_ok=True)
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=OUT / f"{pages}-{next(self.numbers):02d}-{name}.png")


def visit(browser: Any, address: str, **look: Any) -> Visit:  # noqa: F811
    opened = Visit(browser.new_context(**(WIDE | look)).new_page())
    opened.page.on("console", lambda message: opened.console.append(message.text))
    opened.page.on("pageerror", lambda error: opened.console.append(str(error)))
    opened.page.on("request", lambda request: opened.asked.add("/".join(request.url.split("/")[:3])))
    opened.page.goto(address)
    opened.page.locator(".message").first.wait_for()
    return opened


def train(seen: Visit) -> None:
    """Open the bench as the step says, press the button, and wait for the bot to have read what was measured."""
    seen.page.click("#guide button:has-text('Open the bench')")
    before = seen.page.locator("#bench .runs li").count()
    seen.page.click("#bench button[type=submit]")
    expect(seen.page.locator("#bench .runs li")).to_have_count(before + 4, timeout=60_000)
    seen.page.locator("#told", has_text="Trained").wait_for()


def test_a_visitor_plays_the_whole_way(browser: Any, address: str) -> None:  # noqa: F811
    seen = visit(browser, address)
    page = seen.page
    assert "not Slack and not Jira" in page.inner_text("header")
    seen.picture("opened")

    seen.step()
    page.get_by_role("button", name="Create it anyway").click()
    seen.reads(f"{NEW} The size of each feature finds more leavers")
    page.locator("#jira button[data-key=ML-7]").wait_for(timeout=20_000)
    expect(seen.status("ML-7")).to_contain_text("To Do")
    seen.picture("new")

    seen.card().get_by_role("button", name="Frame").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Hypothesis").wait_for()
    seen.picture("form")
    dialog.get_by_role("button", name="Save").click()
    dialog.locator(".error:visible").first.wait_for()
    seen.picture("form-refused")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")

    for stage in ("framed", "ready", "running"):
        seen.step()
        seen.stands_at(stage)
    expect(seen.status("ML-7")).to_contain_text("In Progress", timeout=20_000)
    seen.picture("started")

    train(seen)
    seen.picture("training")
    page.click("#besides [data-tab=jira]")
    seen.step()
    seen.asks_until(f"/exp show {NEW}", "4 runs")
    seen.step()
    seen.stands_at("observing")
    train(seen)
    seen.asks_until(f"/exp compare {NEW} --dev --prod", "parity holds")
    seen.step()
    seen.reads("prod against baseline")
    seen.picture("compared")
    seen.step()
    seen.stands_at("deciding")
    seen.step()  # the form of the outcome
    dialog.get_by_label("What we learned").wait_for()
    page.select_option("dialog select >> nth=0", "bad")
    dialog.get_by_label("What we learned").fill("The size of a feature adds nothing to its products")
    dialog.get_by_label("Decision").select_option("stop")
    dialog.get_by_label("Reason").fill("The gain is below what was worth acting on")
    seen.picture("outcome")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="hidden")
    page.click("#besides [data-tab=jira]")
    expect(seen.status("ML-7")).to_contain_text("Done", timeout=20_000)
    page.click("#jira button[data-key=ML-7]")
    seen.reads("The size of a feature adds nothing", "#jira .issue")
    assert page.locator("#jira .issue dt", has_text="scrumbut").count() > 0
    assert page.locator("#jira .issue section:has(h3:text('Links')) a").count() > 0
    seen.picture("decided")

    page.click("#besides [data-tab=report]")
    report = page.frame_locator("#report iframe")
    report.get_by_text("The size of a feature adds nothing").first.wait_for(timeout=20_000)
    seen.picture("report")
    assert seen.console == []
    assert seen.asked == {address}


def test_a_line_completes_as_it_is_typed(browser: Any, address: str) -> None:  # noqa: F811
    seen = visit(browser, address)
    page = seen.page
    page.type("#line", "/ex")
    page.press("#line", "Tab")
    page.type("#line", "fra")
    page.press("#line", "Tab")
    page.type("#line", "EXP")
    seen.picture("completion", "demo-page-typing")
    page.press("#line", "Tab")
    page.type("#line", "--app")
    page.press("#line", "Tab")
    options = page.locator("#suggestions [role=option] .what").all_inner_texts()
    assert options == ["S", "M", "L"]
    page.press("#line", "ArrowDown")
    page.press("#line", "Tab")
    assert re.fullmatch(r"/exp frame EXP-\d --appetite M ", page.input_value("#line"))


def test_the_week_after_brings_its_report(browser: Any, address: str) -> None:  # noqa: F811
    seen = visit(browser, address)
    seen.page.click("#monday")
    seen.reads("2026-W48")
    seen.page.click("#besides [data-tab=report]")
    seen.page.locator("#document option", has_text="2026-W48").wait_for(state="attached", timeout=20_000)


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_has_no_barrier_in_any_look(browser: Any, axe: str, address: str, look: str) -> None:  # noqa: F811
    seen = visit(browser, address, **LOOKS[look])
    page = seen.page
    found = {}
    for side, places in (("talk", ["C0ML", "D0ANA", "home"]), ("beside", ["jira", "report", "bench"])):
        if look == "phone":
            page.click(f".sides [data-side={side}]")
        for place in places:
            page.click(f"[data-tab={place}]")
            page.wait_for_timeout(700)
            page.evaluate(axe)
            found[place] = page.evaluate(VIOLATIONS)
            seen.picture(place, f"demo-page-{look}")
            assert page.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["viewport"]["width"]
    if look == "phone":
        page.click(".sides [data-side=talk]")
    page.click("[data-tab=C0ML]")
    seen.type("/exp goal add")
    page.locator("dialog[open]").wait_for()
    # What lies behind an open form cannot be reached, and its colours are dimmed.
    found["form"] = page.evaluate(VIOLATIONS.replace("run()", "run('dialog')"))
    seen.picture("form", f"demo-page-{look}")
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="hidden")
    assert {place: said for place, said in found.items() if said} == {}
    assert seen.console == []
