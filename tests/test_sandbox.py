"""The stand-ins are strict, and the judges that hold them and the product can fail."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from sandbox.slack import METHODS, SlackSandbox
from sandbox.slack_manners import NEEDS, TIERS
from sandbox.transcript import transcript
from tests import blockkit
from tests.conftest import World
from tests.openapi import jira_judge


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as told:
        call(**arguments)
    return str(told.value.response["error"])


def test_the_slack_stand_in_refuses_as_slack_does() -> None:
    slack = SlackSandbox()
    with serving(slack.app) as url:
        client = WebClient("xoxb-sandbox", base_url=f"{url}/api/", retry_handlers=[])
        assert client.auth_test()["team_id"] == "T0SANDBOX"
        assert refused(client.chat_postMessage, channel="#nowhere", text="x") == "channel_not_found"
        assert refused(client.chat_postMessage, channel="#ml", text="") == "no_text"
        assert refused(client.chat_postMessage, channel="#ml", text="x" * 40_001) == "msg_too_long"
        header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
        assert refused(client.chat_postMessage, channel="#ml", text="x", blocks=[header]) == "invalid_blocks"
        assert refused(client.api_call, api_method="chat.telepathy") == "unknown_method"
        slack.channels["C0ML"].member = False
        assert refused(client.chat_postMessage, channel="#ml", text="x") == "not_in_channel"
        assert refused(WebClient("xoxb-x", base_url=f"{url}/api/", retry_handlers=[]).auth_test) == "invalid_auth"


def test_metadata_is_told_only_to_those_who_ask_and_pages_follow_each_other() -> None:
    slack = SlackSandbox()
    with serving(slack.app) as url:
        client = WebClient("xoxb-sandbox", base_url=f"{url}/api/", retry_handlers=[])
        metadata = {"event_type": "e", "event_payload": {"key": "k"}}
        for number in range(5):
            client.chat_postMessage(channel="#ml", text=f"m{number}", metadata=metadata)
        plain = client.conversations_history(channel="C0ML", limit=2)
        assert [m["text"] for m in plain["messages"]] == ["m4", "m3"]
        assert "metadata" not in plain["messages"][0]
        cursor = plain["response_metadata"]["next_cursor"]
        rest = client.conversations_history(channel="C0ML", limit=9, cursor=cursor, include_all_metadata=True)
        assert [m["metadata"]["event_payload"]["key"] for m in rest["messages"]] == ["k", "k", "k"]
    assert "m4" in transcript(slack)


def test_a_response_address_works_five_times() -> None:
    slack = SlackSandbox()
    path = slack.response_path("U0ANA", "C0ML")
    with serving(slack.app) as url:
        answers = [httpx2.post(url + path, json={"text": "x"}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [404]
    assert len(slack.ephemerals) == 5


def test_a_click_opens_one_view_within_three_seconds_and_only_one_that_slack_would_show() -> None:
    at = 1_000.0
    slack = SlackSandbox(now=lambda: at)
    view = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [{"type": "divider"}]}
    with serving(slack.app) as url:
        client = WebClient("xoxb-sandbox", base_url=f"{url}/api/", retry_handlers=[])
        assert refused(client.views_open, trigger_id="nonsense", view=view) == "invalid_trigger_id"
        trigger = slack.views.trigger("U0ANA")
        opened = client.views_open(trigger_id=trigger, view=view)["view"]
        assert refused(client.views_open, trigger_id=trigger, view=view) == "exchanged_trigger_id"
        late = slack.views.trigger("U0ANA")
        at += 4
        assert refused(client.views_open, trigger_id=late, view=view) == "expired_trigger_id"
        wide = {**view, "title": {"type": "plain_text", "text": "x" * 25}}
        assert refused(client.views_update, view_id=opened["id"], view=wide) == "invalid_arguments"
        assert refused(client.views_update, view_id="V0", view=view) == "not_found"
        assert refused(client.views_publish, user_id="U0ANA", view=view) == "invalid_arguments"


def test_what_jira_does_not_document_is_not_invented() -> None:
    jira = JiraSandbox()
    with serving(jira.app) as url:
        ask = httpx2.Client(base_url=f"{url}/rest/api", auth=(jira.email, jira.token))
        assert ask.get("/3/dashboard").status_code == 501
        assert ask.get("/2/myself").status_code == 501
        assert ask.get("/3/myself").status_code == 200
        assert httpx2.get(f"{url}/rest/api/3/myself").status_code == 401


@pytest.mark.usefixtures("shared")
def test_the_judge_of_blocks_can_say_no() -> None:
    good = {"type": "section", "text": {"type": "plain_text", "text": "x"}}
    assert blockkit.problems([good]) == []
    assert blockkit.problems([{**good, "text": {"type": "plain_text", "text": "x" * 3001}}])
    assert blockkit.problems([{"type": "section", "colour": "red"}])
    assert blockkit.problems([good] * 51)
    assert blockkit.problems([{**good, "block_id": "a"}] * 2)


@pytest.mark.parametrize("deployment", ["cloud", "server"])
def test_the_judge_of_jira_can_say_no(shared: Path, deployment: str) -> None:
    judge = jira_judge(deployment)
    assert judge is not None
    version, search = ("3", "search/jql") if deployment == "cloud" else ("2", "search")
    path = f"/rest/api/{version}/{search}"
    good = {"jql": "project = ML", "maxResults": 10, "fields": ["summary"]}
    assert judge.exchange("POST", path, good, 200, {"issues": []}) == []
    assert judge.exchange("POST", path, {**good, "maxResults": "ten"}, 200, {"issues": []})
    assert judge.exchange("POST", path, good, 200, {"issues": "none"})
    assert judge.exchange("POST", f"/rest/api/{version}/telepathy", good, 200, {})


def call(slack: SlackSandbox, url: str, method: str, **args: object) -> httpx2.Response:
    return httpx2.post(f"{url}/api/{method}", json=args, headers={"Authorization": f"Bearer {slack.bot_token}"})


def test_a_method_without_its_scope_is_refused_and_told_which() -> None:
    slack = SlackSandbox()
    slack.scopes = "channels:history,im:write"
    with serving(slack.app) as url:
        refused = call(slack, url, "chat.postMessage", channel="C0ML", text="x").json()
        assert (refused["error"], refused["needed"]) == ("missing_scope", "chat:write")
        assert refused["provided"] == slack.scopes
        assert call(slack, url, "conversations.history", channel="C0ML").json()["ok"], "one of its scopes is enough"


def test_the_scopes_of_methods_are_slacks(shared: Path) -> None:
    for method in METHODS:
        path = shared / f"truth/slack/methods/{method}.json"
        told = (json.loads(path.read_text()).get("scope") or {}).get("bot", []) if path.exists() else []
        assert set(NEEDS.get(method, ())) == set(told), method


def test_slacks_limits_hold_where_they_are_switched_on() -> None:
    now = [1_000.0]
    slack = SlackSandbox(now=lambda: now[0])
    with serving(slack.app) as url:
        for _ in range(3):
            assert call(slack, url, "chat.postMessage", channel="C0ML", text="x").status_code == 200
        slack.pace.on = True
        assert call(slack, url, "chat.postMessage", channel="C0ML", text="x").status_code == 200
        refused = call(slack, url, "chat.postMessage", channel="C0ML", text="x")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert call(slack, url, "chat.postMessage", channel="C0MGMT", text="x").status_code == 200
        now[0] += 1
        assert call(slack, url, "chat.postMessage", channel="C0ML", text="x").status_code == 200
        answers = [call(slack, url, "conversations.list").status_code for _ in range(TIERS["conversations.list"] + 1)]
        assert answers == [200] * TIERS["conversations.list"] + [429]


def test_the_bot_keeps_to_slacks_limits_and_loses_nothing(world: World) -> None:
    world.slack.pace.on = True
    for number in range(3):
        world.edge.command(f'new "Idea {number}"')
    world.settle()
    posts = [c for c in world.slack.calls if c["method"] == "chat.postMessage" and c["status"] == 200]
    assert [post["args"]["channel"] for post in posts] == ["#ml"] * 3
    times = [post["at"] for post in posts]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 1
    assert len(world.channel()) == 3
