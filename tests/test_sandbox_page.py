"""The page over the stand-ins without a browser: who may ask it, what it tells, and what it says to a wrong act."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from sandbox.page.beside import Beside, Command, Field, Shortcut, Workbench
from sandbox.page.web import Page
from sandbox.serving import serving
from tests.conftest import World


def beside(world: World) -> Beside:
    def run(chosen: Any) -> str:
        raise ValueError(f"nothing to do with {chosen['what']}")

    def read(name: str) -> str:
        if name != "one":
            raise LookupError("no such document")
        return "<h1>One</h1><script>alert(1)</script>"

    bench = Workbench("Bench", "", "Run", lambda: [Field("what", "What", [("a", "A")])], run, lambda: [])
    return Beside(
        command="/exp",
        commands=[Command("list")],
        shortcuts=[Shortcut("new_experiment", "New experiment")],
        steps=[],
        words=lambda: [("EXP-1", "First")],
        documents=lambda: [("one", "One")],
        read=read,
        forward=lambda span: world.clock.forward(seconds=span.total_seconds()),
        bench=bench,
    )


@pytest.fixture
def page(world: World) -> Iterator[str]:
    """The page's address."""
    opened = Page(world.slack, world.jira, world.edge, beside(world))
    with serving(opened.app) as address:
        yield address
        opened.close()


def act(page: str, name: str, **given: Any) -> httpx2.Response:
    return httpx2.post(f"{page}/acts/{name}", json={"user": "U0ANA", **given}, timeout=20)


class Changes:
    """What the page tells a browser that listens."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> dict[str, Any]:
        told = next(line for line in self._lines if line.startswith("data: "))
        return dict(json.loads(told.removeprefix("data: ")))


def test_a_line_typed_on_the_page_is_a_signed_command_and_its_answer_is_seen(page: str, world: World) -> None:
    with httpx2.stream("GET", f"{page}/changes", timeout=20) as response:
        changes = Changes(response)
        assert {"workspace", "clock", "documents", "bench"} <= set(changes.next()["set"])
        answer = act(page, "say", channel="C0ML", text='/exp new "Char tokens"').json()
        assert (answer["status"], answer["in_time"]) == (200, True)
        told: dict[str, Any] = {}
        while not any(name.startswith("e:") for name in told):
            told |= changes.next()["set"]
    assert "workspace" not in told, "only what is different is told again"
    said = next(item for name, item in told.items() if name.startswith("e:"))
    assert "EXP-1 is on the backlog" in json.dumps(said["blocks"])
    assert world.edge.sent[-1]["payload"]["text"] == 'new "Char tokens"'


def test_a_form_is_opened_refused_under_its_field_and_sent(page: str, world: World) -> None:
    world.type('new "Char tokens"')
    act(page, "say", channel="C0ML", text="/exp goal add")
    view = world.slack.views.top("U0ANA")
    blank = act(page, "send", view=view.id, values={})
    assert blank.status_code == 400
    assert "please fill in" in blank.json()["error"]
    values = {"goal add.key": "no key!", "goal add.statement": "keep clients"}
    assert list(act(page, "send", view=view.id, values=values).json()["errors"]) == ["goal add.key"]
    act(page, "send", view=view.id, values=values | {"goal add.key": "churn"})
    assert "churn" in world.type("goal show")
    assert act(page, "send", view=view.id, values={}).json()["error"] == "U0ANA has no modal open"


def test_a_button_is_pressed_by_its_place_and_id(page: str, world: World) -> None:
    world.type('new "Char tokens"')
    card = next(m for m in world.slack.messages("ml") if m["blocks"][0]["type"] == "header")
    place = next(number for number, block in enumerate(card["blocks"]) if block["type"] == "actions")
    button = next(e for e in card["blocks"][place]["elements"] if e["text"]["text"] == "Details")
    where = {"channel": "C0ML", "ts": card["ts"], "block": place}
    assert act(page, "use", **where, action_id=button["action_id"]).json()["status"] == 200
    world.settle()
    assert "EXP-1" in json.dumps(world.slack.ephemerals[-1].message)
    assert act(page, "use", **where, action_id="none").json()["error"] == 'there is no "none"'


def test_time_goes_forward_only_and_an_issue_moves_by_hand(page: str, world: World) -> None:
    before = world.clock()
    assert act(page, "forward", minutes=60).status_code == 200
    assert world.clock() - before == timedelta(hours=1)
    assert "forward" in act(page, "forward", minutes=-1).json()["error"]
    assert "31 days" in act(page, "forward", minutes=100_000).json()["error"]
    key = world.jira.add_issue("ML", "Char tokens")
    act(page, "status", key=key, status="Done")
    assert world.jira.issue(key)["fields"]["status"]["name"] == "Done"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("dance", {}, 'there is no act "dance"'),
        ("say", {"channel": "C0ML", "text": " "}, "there is nothing to say"),
        ("say", {"channel": "C0NONE", "text": "x"}, 'there is no channel "C0NONE"'),
        ("say", {"user": "U0NOBODY", "channel": "C0ML", "text": "x"}, 'there is no person "U0NOBODY"'),
        ("say", {"channel": "C0ML"}, "'text' is missing"),
        ("bench", {"what": "a"}, "nothing to do with a"),
        ("status", {"key": "ML-1", "status": "Lost"}, 'Jira has no status "Lost"'),
    ],
)
def test_a_wrong_act_is_answered_in_words(page: str, name: str, given: dict[str, Any], said: str) -> None:
    answer = act(page, name, **given)
    assert (answer.status_code, answer.json()) == (400, {"error": said})


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_other_pages_of_the_browser_cannot_act_here(page: str, headers: dict[str, str]) -> None:
    given = {"user": "U0ANA", "channel": "C0ML", "text": "/exp list"}
    assert httpx2.post(f"{page}/acts/say", json=given, headers=headers).status_code == 403


def test_a_document_runs_nothing_and_no_other_file_is_served(page: str) -> None:
    document = httpx2.get(f"{page}/documents/one")
    assert "sandbox" in document.headers["content-security-policy"]
    assert "script-src" not in document.headers["content-security-policy"]
    assert httpx2.get(f"{page}/documents/two").status_code == 404
    assert httpx2.get(f"{page}/files/..%2fweb.py").status_code == 404
    assert httpx2.get(f"{page}/files/page.css").status_code == 200
    assert "script-src 'self'" in httpx2.get(page).headers["content-security-policy"]
