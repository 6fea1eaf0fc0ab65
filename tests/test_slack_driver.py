"""The driver is held against Slack's own samples, and no surface is left out: each verb, modal, card and event has sent
at least one payload that Block Kit's schema and limits let pass."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.slack.modals.forms import FORMS
from bot.verbs import exp
from sandbox.serving import serving
from sandbox.slack_edge import SlackEdge
from tests import blockkit
from tests.conftest import World
from tests.test_slack_cards import ready

SAMPLES = {
    "slash_commands": "app-backend/slash-commands/SlashCommandPayload.json",
    "block_actions": "app-backend/interactive-components/BlockActionPayload.json",
    "message_action": "app-backend/interactive-components/MessageShortcutPayload.json",
    "view_submission": "app-backend/views/ViewSubmissionPayload.json",
    "app_home_opened": "events/AppHomeOpenedPayload.json",
    "app_mention": "events/AppMentionPayload.json",
    "link_shared": "events/LinkSharedPayload.json",
    "message": "events/MessagePayload.json",
}
# Documented by Slack, and newer than the samples.
NEWER = {
    "view_submission.response_urls", "block_actions.state", "block_actions.response_url", "block_actions.view",
    "message_action.enterprise", "message_action.is_enterprise_install", "message_action.channel",
    "block_actions.is_enterprise_install", "app_mention.event.blocks", "message_action.action_ts",
    "view_submission.view.blocks",
}  # fmt: skip
OPAQUE = {"blocks", "state", "actions", "message", "response_urls"}  # content of the app, judged by Block Kit's schema


def verbs(group: click.Group = exp, prefix: str = "") -> list[str]:
    """Every verb by its full name."""
    found = []
    for name, command in group.commands.items():
        below = verbs(command, f"{prefix}{name} ") if isinstance(command, click.Group) else []
        found += below or [f"{prefix}{name}"]
    return found


def kind_of(sent: dict[str, Any]) -> str:
    payload = sent["payload"]
    if sent["kind"] == "events_api":
        return str(payload["event"]["type"])
    return str(payload.get("type", sent["kind"]))


def strangers(ours: Any, theirs: Any, path: str) -> list[str]:
    """Where our payload has what the sample has not, or something of another type."""
    if path in NEWER or ours is None or path.rpartition(".")[2] in OPAQUE:
        return []
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [path]
        unknown = [f"{path}.{name}" for name in ours if name not in theirs and f"{path}.{name}" not in NEWER]
        known = (strangers(value, theirs[name], f"{path}.{name}") for name, value in ours.items() if name in theirs)
        return [*unknown, *(one for found in known for one in found)]
    if isinstance(ours, list):
        return strangers(ours[0], theirs[0], f"{path}[]") if ours and theirs else []
    same = type(ours) is type(theirs) or {str(ours).lower(), theirs} <= {"true", "false", True, False}
    return [] if same else [f"{path}: {type(ours).__name__}, not {type(theirs).__name__}"]


def drive(world: World) -> None:
    """One of each thing that a person can do."""
    ready(world)
    world.type("new")
    world.edge.submit(title="Another")
    world.settle()
    card = world.slack.messages("ml")[0]
    world.edge.click("Details", card)
    world.edge.message_shortcut("make_experiment", card)
    world.edge.shortcut("new_experiment")
    at = f"{world.clock().timestamp():.6f}"
    world.edge.event({"type": "app_home_opened", "user": "U0ANA", "channel": "D1", "tab": "home"})
    mention = {"user": "U0ANA", "text": "hi", "ts": card["ts"], "channel": "C0ML", "team": "T0SANDBOX"}
    world.edge.event({"type": "app_mention", **mention})
    world.edge.event({"type": "message", "channel_type": "im", **mention})
    links = [{"url": f"{world.services.public_url}/experiments/EXP-1", "domain": "127.0.0.1"}]
    shared = {"channel": "C0ML", "user": "U0ANA", "message_ts": at, "links": links, "is_bot_user_member": True}
    world.edge.event({"type": "link_shared", **shared})
    world.settle()


def test_what_the_driver_sends_has_the_keys_and_types_of_slacks_samples(world: World, shared: Path) -> None:
    drive(world)
    compared: Counter[str] = Counter()
    wrong = []
    for sent in world.edge.sent:
        kind = kind_of(sent)
        if kind in SAMPLES:
            sample = json.loads((shared / "truth/slack/payloads" / SAMPLES[kind]).read_text())
            wrong += strangers(sent["payload"], sample, kind)
            compared[kind] += 1
    assert sorted(set(wrong)) == []
    assert set(compared) == set(SAMPLES)


def test_every_verb_is_answered_and_every_modal_opens_with_payloads_that_slack_takes(world: World) -> None:
    ready(world)
    answered: Counter[str] = Counter()
    opened: Counter[str] = Counter()
    for verb in verbs():
        for line in (verb, f"{verb} --help"):
            told, shown = len(world.slack.ephemerals), len(world.slack.views.shown)
            assert world.edge.command(line).in_time, line
            opened[verb] += len(world.slack.views.shown) - shown
            answered[verb] += len(world.slack.ephemerals) - told
    world.settle()
    assert [verb for verb in verbs() if not answered[verb]] == []
    assert [verb for verb in FORMS if verb in verbs() and not opened[verb]] == []


def test_every_surface_has_sent_something_that_slack_takes(world: World) -> None:
    judged = blockkit.counted.copy()
    drive(world)
    with world.services.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT kind, state FROM outbox WHERE kind LIKE 'slack.%'").all()
    assert {kind for kind, _ in rows} == {"slack.card", "slack.post", "slack.respond", "slack.home", "slack.unfurl"}
    assert {state for _, state in rows} <= {"sent", "dropped"}
    assert blockkit.counted["message"] > judged["message"]
    assert blockkit.counted["view"] - judged["view"] >= 4
    assert world.slack.unfurled
    assert world.slack.views.homes


def test_an_answer_after_three_seconds_is_none_and_events_are_sent_four_times(world: World) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return Response("late")

    app = Starlette(routes=[Route("/slack/events", slow, methods=["POST"])])
    with serving(app) as url:
        edge = SlackEdge(world.slack, url, f"{url}/slack/events", patience_s=0.05)
        assert not edge.command("list").in_time
        acks = edge.event({"type": "app_home_opened", "user": "U0ANA", "channel": "D1", "tab": "home"})
    assert "operation_timeout" in str(world.slack.ephemerals[-1].message)
    assert [(ack.headers or {}).get("x-slack-retry-num") for ack in acks] == [None, "1", "2", "3"]
