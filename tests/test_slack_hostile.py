"""A thousand malformed and hostile requests: nothing breaks, no traceback is left, the backlog stays as it was."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx2
import pytest
import structlog
from sqlalchemy import select

from sandbox import slack_payloads as payloads
from sandbox.slack_edge import FORM, JSON, sign
from store import tables
from tests.conftest import World

EACH = 125  # requests of each of the eight kinds
# A person who asks is remembered by the name that came along, which their cards then show, and is told what was wrong;
# nothing else may change.
NOTED = {tables.person, tables.delivery, tables.outbox}
ANSWERS = ("slack.respond", "slack.post", "slack.home", "slack.unfurl", "slack.card")
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, "", " ", "\x00", "x" * 100_000, [], {}, [[[]]], {"a": {"b": {}}}, [None], "U0BEN",
    "../..", "<!channel>", "'; DROP TABLE experiment; --", "{{7*7}}", "\ud83d\ude80", "\u202e", "EXP-0",
    "EXP-" + "9" * 20, 10**30, "new " * 2_000,
    {"values": None}, {"values": []}, {"values": {"x": 1}}, ["new", "x"], "line:0",
)  # fmt: skip
LINES = (
    "show EXP-1",
    "list",
    "mine",
    "find loss",
    "help",
    "policy",
    "settings",
    "subscribe",
    "goal show",
    "metric test x",
)
RAW = (
    b"", b"payload=", b"payload={", b"payload=[]", b"payload=null", b"payload=5", b"payload=%22x%22", b"command=",
    b"\xff\xfe\xfd", b"{", b"[" * 20_000, b'{"a":' * 3_000, b"null", b"5", b"a" * 900_000, b"&&&===", b"%", b"%00",
    b"payload=%7B%22type%22%3A%22block_actions%22%7D", b"payload=%7B%22type%22%3A5%7D", b'{"type":"event_callback"}',
    b'{"type":"url_verification","challenge":{"a":1}}', b"ssl_check=1&token=x", b"command=/exp", b"payload=NaN",
)  # fmt: skip


def backlog(world: World) -> dict[str, list[Any]]:
    """Every row of every table but those that only note who asked, which may be a reason to look at a card again."""
    with world.services.database.read() as connection:
        every = [table for table in tables.metadata.sorted_tables if table not in NOTED]
        kept: dict[str, list[Any]] = {table.name: list(connection.execute(select(table))) for table in every}
        outbox = select(tables.outbox.c.kind, tables.outbox.c.payload).where(tables.outbox.c.kind.not_in(ANSWERS))
        sent = [kind for kind, payload in connection.execute(outbox) if "if_changed" not in payload]
        return kept | {"outbox": sent}


def broken(rng: random.Random, payload: Any) -> Any:
    """The payload with one to three of its places taken out, or filled with what does not belong there."""
    made = deepcopy(payload)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(made))
        holder, key = rng.choice(places)
        if rng.random() < 0.25:
            del holder[key]
        else:
            holder[key] = deepcopy(rng.choice(JUNK))
        if not made:
            break
    return made


def _places(found: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(found, dict):
        for key, value in list(found.items()):
            yield found, key
            yield from _places(value)
    elif isinstance(found, list):
        for index, value in enumerate(found):
            yield found, index
            yield from _places(value)


def commands(world: World, rng: random.Random) -> Any:
    return {
        "command": "/exp", "text": rng.choice(LINES), "user_id": "U0ANA", "user_name": "ana",
        "team_id": world.slack.team, "channel_id": "C0ML", "channel_name": "ml", "api_app_id": "A0",
        "response_url": f"{world.edge._sandbox_url}/commands/none",
        "trigger_id": f"{rng.random()}", "is_enterprise_install": "false",
    }  # fmt: skip


def interaction(world: World, rng: random.Random, kind: str) -> Any:
    begun = payloads.envelope(kind, world.slack.team, "U0ANA", "ana")
    return begun | {"trigger_id": f"{rng.random()}", "response_url": f"{world.edge._sandbox_url}/commands/none"}


def clicks(world: World, rng: random.Random) -> Any:
    action = {
        "type": "button", "action_id": rng.choice(("line:0", "post:line", "post:said", "open:new", "nothing")),
        "block_id": "b", "value": rng.choice(LINES), "action_ts": "1.1", "text": {"type": "plain_text", "text": "x"},
    }  # fmt: skip
    place = {"container": {"type": "message", "channel_id": "C0ML", "message_ts": "1.1"}, "channel": {"id": "C0ML"}}
    return interaction(world, rng, "block_actions") | place | {"actions": [action], "message": {"ts": "1.1"}}


def submissions(world: World, rng: random.Random) -> Any:
    world.edge.command("decide EXP-1")
    view = world.slack.views.top("U0ANA")
    # Its required inputs stay empty, which Slack would never send, and an idea cannot be decided.
    return interaction(world, rng, "view_submission") | {"view": world.edge._view(view, {}), "response_urls": []}


def suggestions(world: World, rng: random.Random) -> Any:
    return interaction(world, rng, "block_suggestion") | {
        "action_id": rng.choice(("goal", "experiment", "issue", "run", "x")), "block_id": "goal", "value": "ch",
        "container": {"type": "view", "view_id": "V1"},
        "view": {"id": "V1", "type": "modal", "blocks": [], "state": {}},
    }  # fmt: skip


def shortcuts(world: World, rng: random.Random) -> Any:
    kind, name = rng.choice((("shortcut", "new_experiment"), ("message_action", "make_experiment"), ("shortcut", "x")))
    message = {"type": "message", "ts": "1.1", "text": "an idea", "user": "U0BEN"}
    place = {"channel": {"id": "C0ML"}, "message_ts": "1.1", "message": message}
    return interaction(world, rng, kind) | {"callback_id": name, "action_ts": "1.1"} | place


def events(world: World, rng: random.Random) -> Any:
    links = [{"url": f"{world.services.public_url}/experiments/EXP-1", "domain": "x"}]
    body = rng.choice(
        (
            {"type": "app_mention", "user": "U0ANA", "text": "<@U0BOT> hi", "channel": "C0ML", "ts": "1.1"},
            {"type": "message", "channel_type": "im", "user": "U0ANA", "text": "help", "channel": "D0ANA", "ts": "1.1"},
            {"type": "app_home_opened", "user": "U0ANA", "tab": "home", "channel": "D0ANA"},
            {"type": "link_shared", "user": "U0ANA", "channel": "C0ML", "message_ts": "1.1", "links": links},
        )
    )
    return payloads.event(world.slack.team, "U0BOT", body, world.clock().timestamp())


def as_form(payload: Any) -> bytes:
    """A slash command's fields as they would come; a value that is no text comes as JSON."""
    fields = payload if isinstance(payload, dict) else {"payload": payload}
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    return "&".join(f"{quote_plus(str(k))}={quote_plus(v, errors='replace')}" for k, v in texts.items()).encode()


def as_interaction(payload: Any) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


def as_event(payload: Any) -> bytes:
    return json.dumps(payload).encode()


KINDS = {
    "commands": (commands, as_form, FORM),
    "clicks": (clicks, as_interaction, FORM),
    "submissions": (submissions, as_interaction, FORM),
    "suggestions": (suggestions, as_interaction, FORM),
    "shortcuts": (shortcuts, as_interaction, FORM),
    "events": (events, as_event, JSON),
}


@pytest.fixture
def furnished(world: World) -> World:
    """A world with something to lose."""
    world.type('goal add churn "keep active clients" --metric recall')
    world.type('new "Char-level tokens raise recall" --goal churn')
    world.type("block EXP-1 labels are late")
    return world


def test_a_thousand_hostile_requests_break_nothing_and_change_nothing(furnished: World) -> None:
    world, rng = furnished, random.Random(5)
    before = backlog(world)
    requests = [*mutated(world, rng), *raw(rng)]
    statuses: Counter[int] = Counter()
    with structlog.testing.capture_logs() as logged, httpx2.Client(timeout=30) as client:
        for body, kind in requests:
            headers = sign(world.slack.signing_secret, body, time.time()) | {"content-type": kind}
            headers |= {"x-slack-retry-num": rng.choice(("1", "x", "-1"))} if kind == JSON else {}
            statuses[post(client, world, body, headers)] += 1
        for _ in range(EACH):
            body = as_form(broken(rng, commands(world, rng)))
            spoilt = unsigned(rng, sign(world.slack.signing_secret, body, time.time()))
            assert post(client, world, body, spoilt) == 401, spoilt
            statuses[401] += 1
    world.settle()
    assert sum(statuses.values()) == 1_000
    assert set(statuses) <= {200, 400, 401, 404}, statuses
    assert [entry for entry in logged if entry.get("exc_info") or entry["log_level"] == "error"] == []
    assert backlog(world) == before
    assert "labels are late" in world.type("show EXP-1")


def mutated(world: World, rng: random.Random) -> Iterator[tuple[bytes, str]]:
    """Payloads as Slack sends them, each spoilt in some places."""
    for make, encode, kind in KINDS.values():
        for number in range(EACH):
            if number % 25 == 0:  # a submission's view is opened first, which takes its time
                sound = make(world, rng)
            yield encode(broken(rng, {**sound, "trigger_id": f"{rng.random()}"})), kind


def raw(rng: random.Random) -> Iterator[tuple[bytes, str]]:
    """Bodies of no shape at all."""
    for number in range(EACH):
        yield RAW[number % len(RAW)], rng.choice((FORM, JSON, "text/plain", "", "multipart/form-data"))


def post(client: httpx2.Client, world: World, body: bytes, headers: dict[str, str]) -> int:
    return client.post(f"{world.web_url}/slack/events", content=body, headers=headers).status_code


def unsigned(rng: random.Random, signed: dict[str, str]) -> dict[str, str]:
    """The headers with the signature or its time spoilt."""
    spoilt: tuple[dict[str, str], ...] = (
        {"x-slack-request-timestamp": "abc"},
        {"x-slack-request-timestamp": "9" * 400},
        {"x-slack-request-timestamp": "-1"},
        {"x-slack-request-timestamp": "1e9"},
        {"x-slack-request-timestamp": "1600000000"},
        {"x-slack-request-timestamp": "NaN"},
        {"x-slack-signature": ""},
        {"x-slack-signature": "v0="},
        {"x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-signature": "v1=" + "0" * 64},
        {"x-slack-signature": "v0=" + "z" * 64},
        {"x-slack-signature": signed["x-slack-signature"] + "0"},
        {"x-slack-signature": "v0=" + "0" * 20_000},
    )
    return signed | rng.choice(spoilt)


def test_a_signature_that_is_no_ascii_is_refused(world: World) -> None:
    body = b"command=/exp&text=list"
    signed = sign(world.slack.signing_secret, body, time.time())
    headers = [(name.encode(), value.encode()) for name, value in signed.items() if name != "x-slack-signature"]
    headers.append((b"x-slack-signature", b"v0=\xe4" + b"0" * 63))
    assert httpx2.post(f"{world.web_url}/slack/events", content=body, headers=headers).status_code == 401
