"""The driver is held against Slack's own samples, and no surface is left out: each verb, modal, card and event has sent
at least one payload that Block Kit's schema and limits let pass."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backlog.experiment import Stage
from bot.manifest import EVENTS, FROM_ANYWHERE, FROM_MESSAGE
from bot.slack.modals.forms import form_of
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


SILENT = ("app_uninstalled", "tokens_revoked")  # events that nothing is said to
SURFACES = [
    *(f"verb {verb}" for verb in verbs()),
    *(f"modal {verb}" for verb in verbs() if form_of(verb)),
    *(f"card {stage}" for stage in Stage),
    *(f"event {event}" for event in EVENTS if event not in SILENT),
    *(f"shortcut {shortcut}" for shortcut in (FROM_MESSAGE, FROM_ANYWHERE)),
    "suggestions", "a click", "a report", "a reminder", "a notice",
]  # fmt: skip


# What brings a card into each stage.
WAY = {
    Stage.IDEA: ['new "Are the labels early?" --kind data-understanding --goal churn --appetite S --jira ML --anyway'],
    Stage.FRAMED: ['frame EXP-2 --hypothesis "we believe" --decision "which?"'],
    Stage.READY: ["move EXP-2 ready"],
    Stage.RUNNING: ["start EXP-2"],
    Stage.OBSERVING: ["move EXP-2 observing"],
    Stage.DECIDING: ["move EXP-2 deciding"],
    Stage.MONITORED: ['outcome EXP-2 good "early enough"', 'decide EXP-2 adopt "use them"'],
    Stage.CONCLUDED: ["move EXP-1 deciding", 'outcome EXP-1 bad "no"', 'decide EXP-1 stop "no use"'],
}


def cards(world: World) -> list[dict[str, Any]]:
    return [message for message in world.slack.messages("ml") if "Question" in str(message["blocks"])]


class Tally:
    """How many payloads were judged while each surface was driven. A payload that Slack would refuse fails its test."""

    def __init__(self) -> None:
        self.counts = Counter(dict.fromkeys(SURFACES, 0))

    @contextmanager
    def of(self, surface: str) -> Iterator[None]:
        assert surface in self.counts, surface
        before = blockkit.counted.total()
        yield
        self.counts[surface] += blockkit.counted.total() - before

    @property
    def silent(self) -> list[str]:
        return [surface for surface, count in self.counts.items() if not count]


def happen(world: World, kind: str) -> None:
    name, at = kind.partition(".")[0], f"{world.clock().timestamp():.6f}"
    links = [{"url": f"{world.services.public_url}/experiments/EXP-1", "domain": "127.0.0.1"}]
    body = {"type": name, "user": "U0ANA", "text": "hi", "ts": world.slack.messages("ml")[0]["ts"], "channel": "C0ML"}
    more = {"channel_type": "im", "tab": "home", "message_ts": at, "links": links, "is_bot_user_member": True}
    world.edge.event({**body, **more})
    world.settle()


def test_each_verb_modal_card_and_event_sends_something_that_slack_takes(world: World) -> None:
    tally = Tally()
    ready(world)
    _lead_experiments(world, tally)
    for verb in verbs():
        with tally.of(f"verb {verb}"):
            assert world.edge.command(verb).in_time, verb
            world.settle()
        if form_of(verb):
            with tally.of(f"modal {verb}"):
                assert world.edge.command(f"{verb} --form").in_time, verb
    for event in (event for event in EVENTS if event not in SILENT):
        with tally.of(f"event {event}"):
            happen(world, event)
    with tally.of(f"shortcut {FROM_MESSAGE}"):
        world.edge.message_shortcut(FROM_MESSAGE, world.slack.messages("ml")[0])
    with tally.of(f"shortcut {FROM_ANYWHERE}"):
        world.edge.shortcut(FROM_ANYWHERE)
    with tally.of("suggestions"):
        world.edge.suggest("new.goal", "")
    assert tally.silent == []


def _lead_experiments(world: World, tally: Tally) -> None:
    """One from idea to monitored, another to concluded, with a click, a notice, a report and a reminder on the way."""
    world.type("subscribe everything", user="U0BEN")
    for stage, lines in WAY.items():
        with tally.of(f"card {stage}"):
            for line in lines:
                world.type(line)
            assert any(f'"text": "{stage}' in json.dumps(card) for card in cards(world)), stage
    with tally.of("a click"):
        world.edge.click("Details", world.slack.messages("ml")[0])
        world.settle()
    with tally.of("a notice"):
        world.clock.forward(minutes=6)
        world.settle()
        assert world.slack.messages("@ben")
    with tally.of("a report"):
        world.type("report post weekly")
    world.type('new "Is there an expert?" --kind data-understanding --goal churn --appetite S --jira ML --anyway')
    world.type('frame EXP-3 --hypothesis "we believe" --decision "which?"')
    world.type("move EXP-3 deciding")
    with tally.of("a reminder"):
        world.clock.forward(hours=25)
        world.settle()
        assert "waits for you" in str(world.slack.messages("@ana"))


def test_a_surface_that_sends_nothing_is_named() -> None:
    tally = Tally()
    with tally.of("verb list"):
        blockkit.problems([])
    with tally.of("verb mine"):
        pass
    assert "verb list" not in tally.silent
    assert {"verb mine", "modal new", "card idea", "event link_shared"} <= {*tally.silent}


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
