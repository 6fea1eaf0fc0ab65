"""Attacks, each on a promise of docs/security.md; those on one module's promise stand in that module's file."""

import ast
import hashlib
import hmac
import io
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import structlog
from starlette.testclient import TestClient
from typer.testing import CliRunner

from backlog.metric import Better, Metric
from bot.cli import app
from bot.flows.links import Links
from bot.flows.pace import KNOWN_MAX, Pace
from bot.jira_endpoint import JiraEndpoint
from bot.logs import configure_logs
from bot.verbs.grammar import join_words
from bot.web import open_web
from integrations.http import IntegrationError
from integrations.jira.client import JiraClient
from integrations.slack import SlackClient
from integrations.sources.prometheus import Prometheus
from integrations.sources.source import SourceConfig
from sandbox.slack_edge import FORM, Ack, sign
from tests import hostile, test_workspaces
from tests.canary import leaks_in
from tests.conftest import CONFIG, World
from tests.test_flows_forget import everything
from tests.test_workspaces import ALPHA, BETA, Town

ROOT = Path(__file__).parent.parent
OURS = ("backlog", "backtest", "bot", "integrations", "reports", "sandbox", "store")
make_town = test_workspaces.make_town

BODY = b"command=%2Fexp&text=new+x&team_id=T0SANDBOX&user_id=U0ANA&user_name=ana&trigger_id=1.1.1"
GOOD = sign("0123456789abcdef0123456789abcdef", BODY, time.time())
STAMP, SIGNED = GOOD["x-slack-request-timestamp"], GOOD["x-slack-signature"]


@pytest.mark.parametrize(
    ("stamp", "signature"),
    [
        (b"abc", SIGNED.encode()),
        (b"9" * 400, SIGNED.encode()),
        (b"-" + STAMP.encode(), SIGNED.encode()),
        (b"", SIGNED.encode()),
        ("١٢٣".encode(), SIGNED.encode()),
        (str(int(STAMP) - 600).encode(), sign("0" * 32, BODY, float(STAMP) - 600)["x-slack-signature"].encode()),
        (STAMP.encode(), b""),
        (STAMP.encode(), b"v0="),
        (STAMP.encode(), SIGNED.replace("v0=", "v1=").encode()),
        (STAMP.encode(), SIGNED.upper().encode()),
        (STAMP.encode(), b"v0=" + b"\xe9" * 64),
        (STAMP.encode(), SIGNED.encode() + b"0"),
        (STAMP.encode(), b"v0=" + b"0" * 64),
    ],
    ids=(
        "a word", "400 digits", "before the epoch", "no time", "other digits", "ten minutes old", "no signature",
        "an empty one", "another version", "capitals", "no ASCII", "too long", "zeros",
    ),
)  # fmt: skip
def test_malformed_and_forged_signatures_are_refused_in_a_word(world: World, stamp: bytes, signature: bytes) -> None:
    headers = [
        (b"content-type", FORM.encode()),
        (b"x-slack-request-timestamp", stamp),
        (b"x-slack-signature", signature),
    ]
    answer = httpx2.post(f"{world.web_url}/slack/events", content=BODY, headers=headers)
    assert (answer.status_code, answer.text) == (401, "not signed by Slack")
    assert "No experiments here yet." in world.type("list")


def requests_of_every_kind(world: World) -> Iterator[Ack]:
    """One request of each kind that Slack signs, each doing something."""
    world.type('new "Char-level tokens"')
    (card,) = world.slack.messages("ml")[:1]
    yield world.edge.command("note EXP-1 typed")
    world.edge.click("Frame", card)
    yield world.edge.submit(hypothesis="we believe")
    yield world.edge.click("Details", card)
    yield world.edge.click("Frame", card)
    yield world.edge.message_shortcut("make_experiment", card)
    yield world.edge.shortcut("new_experiment")
    yield from world.edge.event(
        {"type": "app_mention", "user": "U0ANA", "channel": "C0ML", "text": "list", "ts": "1.1"}
    )
    yield from world.edge.event({"type": "app_home_opened", "user": "U0ANA", "channel": "D1", "tab": "home"})
    link = world.services.public_url + "/experiments/EXP-1"
    shared = {"type": "link_shared", "user": "U0ANA", "channel": "C0ML", "message_ts": "1.1", "source": "x"}
    yield from world.edge.event({**shared, "unfurl_id": "u", "links": [{"url": link, "domain": "x"}]})


def test_a_signed_request_that_is_replayed_within_five_minutes_does_nothing_more(world: World) -> None:
    taken = [*requests_of_every_kind(world)]
    world.settle()
    rows, messages = everything(world), json.dumps(world.slack.messages("ml"))
    for _ in range(2):
        assert {world.edge.replay(ack).status for ack in taken} <= {200, 503}
        world.settle()
    assert json.dumps(world.slack.messages("ml")) == messages
    assert without_homes(everything(world)) == without_homes(rows)


def without_homes(rows: str) -> list[str]:
    """All rows but those that draw a Home again, or note when something was looked at."""
    return sorted(str(row) for row in json.loads(rows) if "slack.home" not in row and len(row) > 4)


FORGED = json.dumps({"issue": {"id": "10001"}}).encode()


@pytest.mark.parametrize(
    "signature",
    [
        "", "sha256=", "sha256=" + "0" * 64, "sha1=" + hmac.new(b"hush", FORGED, hashlib.sha1).hexdigest(),
        hmac.new(b"hush", FORGED, hashlib.sha256).hexdigest(),
        "sha256=" + hmac.new(b"", FORGED, hashlib.sha256).hexdigest(),
        "sha256=" + hmac.new(b"hush", FORGED + b" ", hashlib.sha256).hexdigest(),
        "SHA256=" + hmac.new(b"hush", FORGED, hashlib.sha256).hexdigest(),
        "sha256=\u00e9" + "0" * 63,
    ],
)  # fmt: skip
def test_a_forged_hook_of_jira_is_refused_and_asks_jira_nothing(world: World, signature: str) -> None:
    browser = TestClient(open_web(world.services, None, JiraEndpoint(world.services, "hush").receive))
    answer = browser.post("/jira/webhook", content=FORGED, headers=[(b"X-Hub-Signature", signature.encode("latin-1"))])
    assert answer.status_code == 401
    world.settle()
    assert not [call for call in world.jira.calls if "10001" in str(call)]


def test_a_name_that_resolves_to_another_address_the_second_time_is_connected_to_as_it_was_checked() -> None:
    """The resolver is a stand-in in a process of its own: first a public address, then loopback, in turn."""
    program = f"""
import socket, sys
sys.path.insert(0, {str(ROOT)!r})
answers = iter(["203.0.113.9"] + ["127.0.0.1"] * 9)
def rebinding(host, port, *args, **kwargs):
    literal = host.replace(".", "").isdigit()
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host if literal else next(answers), port))]
socket.getaddrinfo = rebinding
from pydantic import TypeAdapter
from typing import Any
from integrations.http import IntegrationError, Session
session = Session("x", timeout_s=0.5)
for _ in range(2):
    try:
        print(session.fetch("GET", "http://rebind.example:PORT/", TypeAdapter(Any)))
    except IntegrationError as error:
        print(error)
"""
    with hostile.hostile(hostile.says(b'{"stolen": true}')) as host:
        port = host.partition(":")[2]
        run = subprocess.run(
            [sys.executable, "-c", program.replace("PORT", port)], capture_output=True, text=True, timeout=60
        )
    assert "stolen" not in run.stdout, run.stdout
    assert "leads to 127.0.0.1, which is not public" in run.stdout, run.stderr


@pytest.mark.parametrize("project", ['ML" OR project = "SECRET', "ML) OR (1=1", "ML ORDER BY key", "';DROP", "../ML"])
def test_no_words_of_a_person_become_part_of_a_query_to_jira(world: World, project: str) -> None:
    said = world.type("new tokens --jira " + join_words([project]))
    assert "is no project key" in said, said
    assert "SECRET" not in json.dumps([call for call in world.jira.calls if "search" in str(call)])


def test_what_tells_metrics_of_one_query_apart_cannot_be_foreseen() -> None:
    asked = list[bytes]()

    def answer(sock: socket.socket) -> None:
        hostile.says(b'{"status":"success","data":{"resultType":"matrix","result":[]}}')(sock)

    def metric(id_: int) -> Metric:
        return Metric("churn", f"m{id_}", "prod", "prom", f"up{id_}", Better.UP, id=id_)

    with hostile.hostile(answer, asked.append) as host:
        source = Prometheus(SourceConfig("prom", f"http://{host}", allow=frozenset({host})))
        for _ in range(2):
            assert len([*source.fetch([metric(1), metric(2)], datetime.now(UTC))]) == 2
    queries = [request.partition(b"query=")[2] for request in asked]
    assert len(queries) == 2
    assert queries[0] != queries[1], "another name each time"


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202etxt.exe"


def test_no_words_from_outside_act_on_a_terminal(world: World) -> None:
    key = world.jira.add_issue("ML", f"Tokens {ESCAPES}")
    world.type("sync pull")
    world.type('new "Char-level tokens"')
    world.type(f"link EXP-1 {key}")
    config = ["--config", str(world.folder / "config.toml")]
    for line in (["exp", "show", "EXP-1"], ["exp", "list"], ["exp", "sync", "status"], ["exp", "list", "--json"],
                 ["report", "weekly"], ["exp", "show", f"x{ESCAPES}"], ["exp", "outbox", "list", "--all"]):  # fmt: skip
        said = CliRunner().invoke(app, [*line, *config]).output
        assert said.strip(), line
        assert not set("\x1b\x07\x9b\u202e") & set(said), (line, said)


DEEP = b'{"a":' * 60_000 + b"1" + b"}" * 60_000


@pytest.mark.parametrize("body", [DEEP, b"[" * 200_000, b'{"ok": NaN}', b'{"ok": 1e999}', b"{" + b'"a":1,' * 9])
def test_a_deep_document_and_one_that_is_none_are_refusals_and_no_crash(body: bytes) -> None:
    with hostile.hostile(hostile.says(body)) as host:
        url = f"http://{host}"
        jira = JiraClient(url, email="a@b.c", token="t", timeout_s=2)
        slack = SlackClient("xoxb-1", f"{url}/api/", 2)
        with pytest.raises(IntegrationError):
            jira.fetch_issue("ML-1")
        with pytest.raises(IntegrationError):
            slack.post("C0ML", "x", [], "k")


def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off_on_jiras_wire_too() -> None:
    with hostile.hostile(hostile.bomb) as host:
        jira = JiraClient(f"http://{host}", email="a@b.c", token="t", timeout_s=5)
        with pytest.raises(IntegrationError, match="TooLarge"):
            jira.fetch_issue("ML-1")


def test_a_deep_and_signed_payload_is_refused_and_no_crash(world: World) -> None:
    for body, kind in ((b"payload=" + DEEP, FORM), (DEEP, "application/json")):
        headers = sign(world.slack.signing_secret, body, time.time()) | {"content-type": kind}
        assert httpx2.post(f"{world.web_url}/slack/events", content=body, headers=headers).status_code in (400, 413)


def test_nothing_is_unpickled_evaluated_or_unpacked_anywhere() -> None:
    forbidden = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "zipfile",
                 "tarfile", "xml.etree.ElementTree", "yaml"}  # fmt: skip
    found = []
    for path in (path for package in OURS for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            called = node.func if isinstance(node, ast.Call) else None
            word = getattr(called, "id", "") or getattr(called, "attr", "")
            if set(names) & forbidden or word in ("eval", "exec", "read_pickle", "PickleType", "to_pickle"):
                found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    assert found == []


def test_more_requests_than_a_person_may_make_are_answered_so_and_come_through_a_minute_later(
    make_world: Callable[..., World],
) -> None:
    world = make_world(config=CONFIG + "[limits]\nrequests_person = 5\n")
    answers = [world.edge.command("list").body["text"] for _ in range(6)]
    assert ["No experiments" in text for text in answers] == [True] * 5 + [False]
    assert answers[-1] == "That was more than 5 requests a minute."
    assert "No experiments" in world.edge.command("list", user="U0BEN").body["text"], "others are not held up"


def test_more_pages_than_an_address_may_ask_for_are_refused_and_slack_jira_and_probes_are_not(
    make_world: Callable[..., World],
) -> None:
    world = make_world(config=CONFIG + "[limits]\nrequests_address = 3\n")
    browser = TestClient(open_web(world.services, None), client=("203.0.113.9", 5))
    statuses = [browser.get("/reports/").status_code for _ in range(4)]
    assert statuses == [403, 403, 403, 429]
    assert 1 <= int(browser.get("/login").headers["retry-after"]) <= 21
    assert [browser.get("/healthz").status_code for _ in range(9)] == [200] * 9
    other = TestClient(open_web(world.services, None), client=("203.0.113.10", 5))
    assert other.get("/reports/").status_code == 403
    assert [world.edge.command("list").status for _ in range(9)] == [200] * 9


def test_a_pace_fills_up_again_knows_networks_and_forgets_whoever_asked_longest_ago() -> None:
    now = [0.0]
    pace = Pace(60, clock=lambda: now[0])
    assert [pace.wait_s("ana") for _ in range(61)] == [0.0] * 60 + [1.0]
    now[0] += 2.0
    assert [pace.wait_s("ana") for _ in range(3)] == [0.0, 0.0, 1.0]
    for number in range(KNOWN_MAX + 50):
        pace.wait_s(f"{number}")
    assert len(pace._left) == KNOWN_MAX


def test_a_host_of_one_ipv6_network_gains_nothing_by_another_address(make_world: Callable[..., World]) -> None:
    world = make_world(config=CONFIG + "[limits]\nrequests_address = 2\n")
    web = open_web(world.services, None)
    asked = [TestClient(web, client=(f"2001:db8:0:1::{n}", 5)).get("/reports/").status_code for n in range(3)]
    assert asked == [403, 403, 429]


def test_a_link_that_was_changed_in_any_place_opens_nothing() -> None:
    links, now = Links((b"k" * 32,)), datetime(2026, 11, 23, tzinfo=UTC)
    path, _, query = links.to("/reports/weekly-2026-W47", now).partition("?")
    pairs = dict(pair.split("=") for pair in query.split("&"))
    assert links.admits(path, pairs, now)
    wrong = [
        ("/reports/weekly-2026-W48", pairs), (path + "/", pairs),
        (path, {**pairs, "until": str(int(pairs["until"]) + 1)}),
        (path, {**pairs, "until": "9" * 11}), (path, {**pairs, "until": "-1"}), (path, {**pairs, "until": "٩٩٩٩"}),
        (path, {**pairs, "sig": ""}), (path, {**pairs, "sig": pairs["sig"][:-1]}), (path, {**pairs, "sig": "é" * 43}),
        (path, {"until": pairs["until"]}), (path, {}),
    ]  # fmt: skip
    assert [links.admits(*changed, now) for changed in wrong] == [False] * len(wrong)
    assert not links.admits(path, pairs, datetime(2027, 11, 23, tzinfo=UTC)), "it ends"
    assert not Links((b"l" * 32,)).admits(path, pairs, now), "another key"


def test_every_page_of_every_kind_carries_the_headers_that_hold_it(make_town: Callable[..., Town]) -> None:
    town = make_town()
    town.install(ALPHA)
    asked = ("/slack/install", "/slack/oauth_redirect?state=x&code=y", "/reports/", "/experiments/EXP-1",
             f"/w/{ALPHA}/reports/", f"/w/{ALPHA}/stages/idea.svg", "/mail/leave")  # fmt: skip
    for path in asked:
        answer = town.browser.get(path)
        if answer.status_code == 404:
            continue
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "script" not in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "no-referrer", path


def test_no_secret_is_told_to_slack_doctor_metrics_or_a_repr(world: World) -> None:
    world.type('new "Char-level tokens"')
    world.slack.faults.add("chat.postMessage", "html")
    world.type("note EXP-1 seen")
    world.jira.faults.add("read_issue", "403", times=4)
    world.type("link EXP-1 ML-1")
    shown = [
        world.type("doctor"), world.type("settings"), world.type("outbox list --all"), repr(world.settings),
        repr(world.services), str(world.services), httpx2.get(f"{world.web_url}/metrics").text,
        json.dumps(world.slack.messages("ml")), json.dumps([e.message for e in world.slack.ephemerals]),
        everything(world), world.settings.model_dump_json(),
        CliRunner().invoke(app, ["doctor", "--config", str(world.folder / "config.toml")]).output,
    ]  # fmt: skip
    assert [leaks_in(text.encode()) for text in shown] == [[]] * len(shown)
    with pytest.raises(IntegrationError) as told:
        SlackClient("xoxb-sandbox-wrong", world.settings.slack.api_url, 2).installation()
    assert leaks_in(repr(told.value).encode()) == []


def test_at_the_most_talkative_level_no_log_holds_a_secret(make_town: Callable[..., Town]) -> None:
    said = io.StringIO()
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = [logging.StreamHandler(said)]
    try:
        with redirect_stdout(said), redirect_stderr(said):
            configure_logs(logging.DEBUG)
            root.setLevel(logging.DEBUG)
            town = make_town(rotates=True)
            town.install(ALPHA)
            town.install(BETA)
            town.type(ALPHA, 'new "Char-level tokens"')
            town.clock.forward(hours=11)
            town.type(ALPHA, "report preview weekly")
            town.tokens(BETA).current()
            codes = [call for call in town.slack.exchanges if call["ok"]]
            town.slack.revoke(BETA)
            town.type(BETA, "new again")
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**before)
    assert len(codes) >= 3, "two installings and a renewal"
    text = said.getvalue()
    assert "installed" in text
    assert leaks_in(text.encode()) == []
    assert "shh" not in text.replace("shhh", "")
    assert "code=" not in text


def test_the_canary_itself_would_sing() -> None:
    assert leaks_in(b"token=xoxb-sandbox") == ["xoxb-sandbox"]
    assert leaks_in(b"nothing here") == []
