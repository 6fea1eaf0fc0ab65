"""Each way in which Jira fails, and what becomes of it: the pull is whole in the end, or the reason is named."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bot.flows.services import Services
from bot.flows.sync_backlog import sync_backlog
from bot.jira_endpoint import JiraEndpoint
from bot.web import open_web
from integrations.http import IntegrationError
from integrations.jira.client import JiraClient
from sandbox import jira_search as stand_in
from sandbox.faults import REASONS
from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from store.issues import find_issue
from tests.conftest import World, open_empty
from tests.in_process import mount
from tests.openapi import jira_judge


class Pulling:
    """A Jira of 40 issues, and the product that reads it ten at a time."""

    def __init__(self, deployment: str, folder: Path) -> None:
        self.now = datetime(2026, 11, 23, 10, tzinfo=UTC)
        self.jira = JiraSandbox(deployment, now=lambda: self.now)
        for number in range(40):
            self.jira.add_issue("ML", f"Issue {number}")
            self.now += timedelta(minutes=1)
        self.client = JiraClient(
            "http://jira.test", email=self.jira.email, token=self.jira.token, pat=self.jira.token, deployment=deployment
        )
        mount(self.client, self.jira.app)
        database = open_empty(folder / "s.db")
        self.services = Services(database, lambda: self.now, tracker=self.client, jql="project = ML")

    def known(self) -> int:
        with self.services.database.read() as connection:
            return sum(find_issue(connection, f"ML-{number}") is not None for number in range(1, 60))

    def pull(self) -> None:
        sync_backlog(self.services)


@pytest.fixture(params=["cloud", "server"])
def pulling(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulling]:
    monkeypatch.setattr(stand_in, "PAGE_ALL_FIELDS", 10)
    monkeypatch.setattr(stand_in, "SERVER_PAGE", 10)
    made = Pulling(request.param, tmp_path)
    yield made
    made.services.database.close()


@pytest.mark.parametrize("wait", [None, 0.1, "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_each_limit_is_waited_for(pulling: Pulling, wait: float | str | None) -> None:
    for page, reason in enumerate(REASONS):
        pulling.jira.faults.add("search", "429", seconds=wait, reason=reason, skip=page)
    pulling.pull()
    assert pulling.known() == 40
    assert pulling.client.requests == len(pulling.jira.calls)


def test_a_wait_of_minutes_ends_the_round_at_once_and_says_how_long(pulling: Pulling) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
    for wait in (1847, soon):
        pulling.jira.faults.add("search", "429", seconds=wait, reason="jira-quota-tenant-based")
        with pytest.raises(IntegrationError) as told:
            pulling.pull()
        assert (told.value.retry_after or 0) > 1_700
        assert pulling.client.limits["RateLimit-Reason"] == "jira-quota-tenant-based"
    pulling.pull()
    assert pulling.known() == 40


@pytest.mark.parametrize("kind", ["503", "reset_before", "reset_after", "error_after"])
def test_what_passes_is_tried_again(pulling: Pulling, kind: str) -> None:
    pulling.jira.faults.add("search", kind, seconds=None)
    pulling.pull()
    assert pulling.known() == 40


def test_short_pages_are_read_to_the_end(pulling: Pulling) -> None:
    pulling.jira.faults.add("search", "short_page", times=3)
    pulling.pull()
    assert pulling.known() == 40


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("html", "not JSON, perhaps a login page"),
        ("signed_out", "did not take the account"),
        ("repeated_token", "repeats a page"),
        ("expired_token", "The provided next page token is invalid or expired."),
    ],
)
def test_a_round_that_fails_names_why_and_the_next_goes_on(pulling: Pulling, kind: str, told: str) -> None:
    if kind.endswith("token") and not pulling.jira.cloud:
        return  # Data Center has none
    again = {"repeated_token": 3, "html": 4}.get(kind, 1)  # a page in place of an answer may pass, and is asked again
    pulling.jira.faults.add("search", kind, times=again, skip=2)
    with pytest.raises(IntegrationError, match=told):
        pulling.pull()
    assert 10 <= pulling.known() < 40, "what came before is kept"
    asked = len(pulling.jira.calls)
    pulling.jira.faults.clear()
    pulling.now += timedelta(hours=1)
    pulling.pull()
    assert pulling.known() == 40
    assert len(pulling.jira.calls) - asked <= 8, "it goes on from there"


def test_a_token_that_expired_is_no_empty_scope(pulling: Pulling) -> None:
    pulling.pull()
    pulling.jira.token = "another"
    with pytest.raises(IntegrationError, match="did not take the account"):
        pulling.pull()
    with pytest.raises(IntegrationError, match="did not take the account"):
        pulling.client.census("project = ML")
    assert pulling.known() == 40


def test_an_edit_that_the_index_learns_of_late_is_read_by_a_later_round(pulling: Pulling) -> None:
    pulling.pull()
    pulling.jira.index_lag = timedelta(seconds=90)
    pulling.now += timedelta(hours=1)
    pulling.jira.edit("ML-3", summary="edited, and not yet in the index")
    new = pulling.jira.add_issue("ML", "made, and not yet in the index")
    pulling.pull()
    assert summary(pulling, "ML-3") == "Issue 2"
    pulling.now += timedelta(minutes=5)
    pulling.pull()
    assert summary(pulling, "ML-3") == "edited, and not yet in the index"
    assert summary(pulling, new) == "made, and not yet in the index"


def summary(pulling: Pulling, key: str) -> str:
    with pulling.services.database.read() as connection:
        found = find_issue(connection, key)
    return found.summary if found else ""


def test_the_stand_in_reconciles_up_to_fifty_issues_and_knows_no_more() -> None:
    jira = JiraSandbox()
    jira.index_lag = timedelta(minutes=1)
    key = jira.add_issue("ML", "fresh")
    number = int(jira.issue(key)["id"])
    with serving(jira.app) as url:
        ask = httpx2.Client(base_url=f"{url}/rest/api/3", auth=(jira.email, jira.token))

        def search(**more: Any) -> httpx2.Response:
            return ask.post("/search/jql", json={"jql": "project = ML", "fields": ["id"], **more})

        assert search().json()["issues"] == []
        assert [issue["id"] for issue in search(reconcileIssues=[number]).json()["issues"]] == [str(number)]
        assert search(reconcileIssues=list(range(51))).status_code == 501


@pytest.mark.usefixtures("shared")
def test_dynamic_webhooks_are_for_apps_and_live_thirty_days() -> None:
    now = [datetime(2026, 11, 23, 10, tzinfo=UTC)]
    jira, judge, wrong = JiraSandbox(now=lambda: now[0]), jira_judge("cloud"), list[str]()
    assert judge
    jira.record = lambda *exchange: wrong.extend(judge.exchange(*exchange))
    wanted = {
        "url": "http://bot.test/jira/webhook",
        "webhooks": [{"events": ["jira:issue_updated"], "jqlFilter": "project = ML"}],
    }
    with serving(jira.app) as url:
        ask = httpx2.Client(base_url=f"{url}/rest/api/3", auth=(jira.email, jira.token))
        assert ask.post("/webhook", json=wanted).status_code == 403, "an API token is no app"
        jira.hooks.is_app = True
        (made,) = ask.post("/webhook", json=wanted).json()["webhookRegistrationResult"]
        ids = {"webhookIds": [made["createdWebhookId"]]}
        now[0] += timedelta(days=29)
        assert (
            ask.put("/webhook/refresh", json=ids).json()["expirationDate"]
            == (now[0] + timedelta(days=30)).timestamp() * 1000
        )
        now[0] += timedelta(days=29)
        assert len(ask.get("/webhook").json()["values"]) == 1
        now[0] += timedelta(days=2)
        assert ask.get("/webhook").json()["values"] == [], "nobody extended it"
        assert ask.request("DELETE", "/webhook", json=ids).status_code == 202
    assert wrong == []


def test_events_that_come_late_twice_and_in_another_order_change_nothing_but_what_is_so(world: World) -> None:
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens"')
    world.type("link EXP-1 ML-1")
    app = open_web(world.services, None, JiraEndpoint(world.services, "a secret").receive)
    with serving(app) as url:
        world.jira.hooks.add(f"{url}/jira/webhook", "a secret")
        world.jira.edit("ML-1", summary="first")
        world.jira.edit("ML-1", summary="second")
        world.jira.delete(world.jira.add_issue("ML", "of no experiment"))
        asked = len(world.jira.calls)
        assert world.jira.hooks.send(times=2, latest_first=True) == [204] * 8
        world.settle()
        world.jira.hooks.secret = "another"
        world.jira.edit("ML-1", summary="third")
        assert world.jira.hooks.send() == [401]
    assert "second" in world.type("show EXP-1")
    reads = [call["operation"] for call in world.jira.calls[asked:]].count("read_issue")
    assert reads == 1, "of many hints comes one look"


def test_a_deleted_issue_answers_as_one_out_of_sight() -> None:
    jira = JiraSandbox()
    gone, hidden = jira.add_issue("ML", "a"), jira.add_issue("ML", "b")
    jira.delete(gone)
    jira.hide(hidden)
    with serving(jira.app) as url:
        ask = httpx2.Client(base_url=f"{url}/rest/api/3", auth=(jira.email, jira.token))
        answers = [ask.get(f"/issue/{key}") for key in (gone, hidden, "NO-1")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}


def test_what_the_stand_in_makes_has_the_shape_of_real_issues(shared: Path) -> None:
    jira = JiraSandbox("server")
    jira.load(shared / "data/jira/appcelerator-17k.jsonl.xz")
    real = jira.issues()
    types: dict[str, set[type]] = {}
    for raw in real:
        for name, value in raw["fields"].items():
            types.setdefault(name, set()).add(type(value))
    made = jira.issue(jira.add_issue("ML", "made here"))
    assert set(made) <= set(real[0])
    for name, value in made["fields"].items():
        assert name in types, name
        assert type(value) in types[name], name
    for name in ("status", "priority", "project", "issuetype"):
        known = set[str]().union(*(raw["fields"][name] for raw in real if raw["fields"].get(name)))
        assert set(made["fields"][name]) <= known, name
