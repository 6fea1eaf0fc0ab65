"""Real issues through the whole way: stand-in, `jira` client, database, Slack and the page, judged by Atlassian's
own documents."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from integrations.jira.client import JiraClient
from sandbox.jira import JiraSandbox
from sandbox.jira_shapes import document_text
from sandbox.serving import serving
from store.issues import find_issue
from tests.conftest import CONFIG, World

COUNT = 2_500


@pytest.mark.parametrize("deployment", ["cloud", "server"])
def test_real_issues_are_pulled_whole_and_every_request_keeps_to_the_document(
    make_world: Callable[..., World], shared: Path, deployment: str
) -> None:
    world = make_world(deployment, CONFIG.replace("project = ML", "project in (TIMOB, ALOY, TISTUD, TIDOC, AC, ML)"))
    loaded = world.jira.load(shared / "data/jira/appcelerator-17k.jsonl.xz", COUNT)
    assert world.jira.record, "every exchange is judged"
    said = world.type("sync")
    projects = ("TIMOB", "ALOY", "TISTUD", "TIDOC", "AC", "ML")
    scoped = [raw for raw in world.jira._issues.values() if raw["key"].partition("-")[0] in projects]
    assert loaded == COUNT
    assert len(scoped) >= 2_000
    assert f"Read {len(scoped)} issues from Jira." in said
    with world.services.database.read() as connection:
        for raw in scoped[:: len(scoped) // 50]:
            kept = find_issue(connection, raw["key"])
            assert kept is not None
            assert (kept.id, kept.status) == (raw["id"], raw["fields"]["status"]["name"])
    key = scoped[0]["key"]
    world.type('new "Char-level tokens raise recall"')
    assert f"EXP-1 is linked to {key}" in world.type(f"link EXP-1 {key}")
    world.type("note EXP-1 {noformat} stays text, *too* [~admin]")
    assert "stays text" in document_text(world.jira.comments(key)[-1]["body"])
    assert world.jira.links(key)[0]["globalId"] == "scrumbut:EXP-1"


def test_an_incremental_pull_with_nothing_changed_asks_little(shared: Path) -> None:
    jira = JiraSandbox()
    jira.load(shared / "data/jira/appcelerator-17k.jsonl.xz", COUNT)
    with serving(jira.app) as url:
        client = JiraClient(url, email=jira.email, token=jira.token)
        list(client.pull("project in (TIMOB, ALOY)", jira.now()))
    assert client.requests <= 3


def test_refusals_read_as_recorded_from_jira(shared: Path) -> None:
    lines = (shared / "truth/jira/jira-cloud-refusals-2026-10-08.jsonl").read_text().splitlines()
    recorded = {line["name"]: line for line in map(json.loads, lines)}
    jira = JiraSandbox()
    key = jira.add_issue("ML", "Char tokens")
    with serving(jira.app) as url:
        ask = httpx2.Client(base_url=f"{url}/rest/api/3", auth=(jira.email, jira.token))
        answers = {
            "search_retired": ask.get("/search"),
            "jql_unbounded": ask.get("/search/jql", params={"jql": "ORDER BY key"}),
            "search_page_token_invalid": ask.get("/search/jql", params={"jql": "project = A", "nextPageToken": "x"}),
            "search_max_results_over": ask.get("/search/jql", params={"jql": "project = A", "maxResults": 5001}),
            "search_body_unknown_property": ask.post("/search/jql", json={"jql": "project = A", "startAt": 0}),
            "jql_expecting_field": ask.get("/search/jql", params={"jql": "project = A AND x"}),
            "issue_create_empty": ask.post("/issue", json={}),
            "unknown_issue": ask.get("/issue/NO-1"),
            "transition_missing": ask.post(f"/issue/{key}/transitions", json={}),
            "comment_body_not_a_document": httpx2.post(
                f"{url}/rest/api/3/issue/{key}/comment", json={"body": "a text"}
            ),
        }
    assert answers.keys() == recorded.keys()
    for name, answer in answers.items():
        told = recorded[name]
        assert (answer.status_code, answer.json()) == (told["status"], told["body"]), name
        assert answer.headers["content-type"] == told["content_type"], name
