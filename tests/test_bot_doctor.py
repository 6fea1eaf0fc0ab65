"""`scrumbut doctor` against a sound set-up and against broken ones; each line that is not fine names the remedy."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from bot.cli import app
from bot.clock import machine_clock
from bot.doctor import examine, examine_file
from bot.doctor.case import Case
from bot.flows.finding import Finding, Mark, Topic
from bot.manifest import SCOPES
from bot.wiring import source_config
from sandbox.serving import free_port, serving
from store import outbox
from store.metrics import save_source_state
from tests.conftest import World

ROOT = Path(__file__).parent.parent
Break = Callable[[World], None]


def sound(world: World) -> None:
    """All that a fresh world lacks."""
    world.clock.at = machine_clock()
    world.slack.scopes = ",".join(SCOPES)
    world.jira.add_issue("ML", "Char tokens")
    change(world, "[testing]\nallow = true\n", "")
    change(world, "[database]", '[web]\npublic_url = "https://scrumbut.example.com"\n[database]')
    (world.folder / "config.toml").chmod(0o600)


def change(world: World, old: str, new: str) -> None:
    path = world.folder / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def found(world: World) -> list[Finding]:
    return examine_file(world.folder / "config.toml", machine_clock, source_config)


def not_fine(world: World) -> list[str]:
    return [str(finding) for finding in found(world) if finding.mark is not Mark.FINE]


def test_a_sound_set_up_has_nothing_but_ticks(world: World) -> None:
    sound(world)
    lines = [str(finding) for finding in found(world)]
    assert [line for line in lines if not line.startswith("✓")] == []
    assert '✓ Slack: scrumbut in "Sandbox" (T0SANDBOX)' in lines
    assert f"✓ scopes: all {len(SCOPES)}" in lines
    assert "✓ channels: the bot is in #ml" in lines
    assert "✓ Jira: 1 issues in scope" in lines


def test_it_changes_nothing_and_makes_no_database(world: World, tmp_path: Path) -> None:
    sound(world)
    change(world, f"sqlite:///{tmp_path}/scrumbut.db", f"sqlite:///{tmp_path}/none.db")
    calls = len(world.slack.calls)
    assert not_fine(world) == []
    assert not (tmp_path / "none.db").exists()
    asked = {call["method"] for call in world.slack.calls[calls:]}
    assert asked <= {"auth.test", "conversations.list", "conversations.info", "blocks.validate"}
    assert world.slack.messages("ml") == []


def stuck(world: World, state: str) -> None:
    with world.services.database.write() as connection:
        outbox.put(connection, "slack:x", "slack.post", {}, world.clock())
        connection.execute(text(f"UPDATE outbox SET state = '{state}'"))


def refuse_host(request: Request) -> Response:
    return PlainTextResponse("Invalid Host header - possible DNS rebinding attack detected", 403)


def schema(revision: str) -> Break:
    def act(world: World) -> None:
        with world.services.database.write() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))

    return act


def source(kind: str, url: str, allow: bool = True) -> Break:
    def act(world: World) -> None:
        if allow and url.startswith("http://127"):
            change(world, "[database]", f'[security]\nallow_hosts = ["{url.removeprefix("http://")}"]\n[database]')
        change(world, f'kind = "csv"\nurl = "{world.folder}/readings.csv"', f'kind = "{kind}"\nurl = "{url}"')

    return act


def edit(old: str, new: str) -> Break:
    return lambda world: change(world, old, new)


def leave(world: World) -> None:
    world.slack.channels["C0ML"].member = False


def loosen(world: World) -> None:
    (world.folder / "config.toml").chmod(0o644)


def loosen_env(world: World) -> None:
    (world.folder / ".env").touch(mode=0o644)


def unscope(*lost: str) -> Break:
    def act(world: World) -> None:
        world.slack.scopes = ",".join(scope for scope in SCOPES if scope not in lost)

    return act


def expire_jira(world: World) -> None:
    world.jira.token = "another"


def read_badly(world: World) -> None:
    with world.services.database.write() as connection:
        connection.execute(text("INSERT INTO source_state (name, error) VALUES ('files', 'line 3 is no number')"))


def read_long_ago(world: World) -> None:
    with world.services.database.write() as connection:
        save_source_state(connection, "files", machine_clock() - timedelta(days=5, hours=1), "")


def break_template(world: World) -> None:
    (world.folder / "mine").mkdir()
    (world.folder / "mine/weekly.slack.j2").write_text("one\n{% for %}")
    change(world, "[[reports]]", f'[[reports]]\ntemplates = "{world.folder}/mine"')


def refuse_blocks(world: World) -> None:
    world.slack.judge = lambda blocks: ["unsupported type: header"]


def no_such_method(world: World) -> None:
    world.slack.faults.add("blocks.validate", "429", seconds=5)


def make_read_only(world: World) -> None:
    change(world, f"{world.folder}/scrumbut.db", f"file:{world.folder}/scrumbut.db?mode=ro&uri=true")


def give_up(world: World) -> None:
    with world.services.database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO task (key, name, args, state, attempt, created_at, not_before, error) "
                "VALUES ('k', 'n', '{}', 'failed', 8, 0, 0, 'x')"
            )
        )


def ask_for_more(world: World) -> None:
    world.type('new "Char tokens"')
    world.type("link EXP-1 ML-1")
    world.jira.required_fields.append("components")


def forget_webhook(world: World) -> None:
    change(world, 'pat = "jira', 'webhook_secret = "hush"\npat = "jira')
    world.jira.hooks.is_app = True


def let_webhook_expire(world: World) -> None:
    forget_webhook(world)
    assert world.services.tracker
    world.services.tracker.register_webhook("https://scrumbut.example.com/jira/webhook", "project = ML")
    world.clock.at += timedelta(days=-25, hours=-12)
    world.services.tracker.extend_webhooks([hook.id for hook in world.services.tracker.webhooks()])
    world.clock.at = machine_clock()


BROKEN: dict[str, tuple[Break, str]] = {
    "unknown key": (
        edit("channel =", "chanel ="),
        '"slack.chanel" is no key that scrumbut knows. Did you mean "channel"?',
    ),
    "swapped tokens": (edit("xoxb-sandbox", "xapp-sandbox"), 'begins with "xapp-" and belongs to app_token'),
    "open file": (loosen, "others on this machine may read it. → chmod 600"),
    "open .env": (loosen_env, "/.env holds secrets, and others on this machine may read it. → chmod 600"),
    "testing": (edit("[outbox]", "[testing]\nallow = true\n[outbox]"), "SCRUMBUT_NOW could set the clock"),
    "wrong bot token": (
        edit("xoxb-sandbox", "xoxb-old"),
        '✗ Slack: it refused with "invalid_auth". → Set [slack] bot_token',
    ),
    "scopes": (unscope("chat:write", "im:write"), "lacks chat:write, im:write. → Reinstall it"),
    "optional scope": (unscope("groups:read"), "! scopes: without groups:read (private channels by name)."),
    "app token": (
        edit("signing_secret =", 'app_token = "xapp-old"\nsigning_secret ='),
        '✗ mode: Socket Mode: it refused with "invalid_auth".',
    ),
    "not in channel": (leave, "✗ channels: the bot is not in #ml. → /invite @scrumbut there."),
    "unknown channel": (edit('"#ml"', '"#nowhere"'), 'there is no channel "#nowhere".'),
    "no channel": (edit('channel = "#ml"', ""), "! channels: no channel is configured"),
    "blocks": (refuse_blocks, '✗ blocks: it refused with "invalid_blocks"'),
    "blocks untried": (no_such_method, "! blocks: not tried: too many requests."),
    "no folder": (edit("/scrumbut.db", "/nowhere/scrumbut.db"), 'the folder "'),
    "read-only": (make_read_only, "✗ database: the database can be read and not be written."),
    "older schema": (schema("0001"), "! database: schema 0001; this version has"),
    "newer schema": (schema("9999"), '✗ database: schema "9999" is of a newer version'),
    "dead row": (
        lambda world: stuck(world, "dead"),
        "! outbox: 1 message to Slack or Jira need a person. → scrumbut outbox list",
    ),
    "task": (give_up, "! queue: 1 task failed eight times."),
    "template": (break_template, "weekly.slack.j2, line 2:"),
    "no templates": (
        edit("[[reports]]", '[[reports]]\ntemplates = "/nowhere"'),
        '✗ templates: "/nowhere" is no folder.',
    ),
    "no address": (edit("https://scrumbut.example.com", ""), "! address: [web] public_url is empty"),
    "wrong address": (
        edit("https://scrumbut.example.com", "scrumbut"),
        '✗ address: [web] public_url "scrumbut" is no address.',
    ),
    "Jira's token": (expire_jira, "✗ Jira: it answered 401"),
    "JQL": (edit("project = ML", "projct = ML"), "✗ Jira: [jira] jql:"),
    "empty scope": (edit("project = ML", "project = NONE"), "! Jira: no issue is in the scope"),
    "no such field": (
        edit('sprint = "customfield_10020"', 'sprint = "Sprints"'),
        '✗ mapping: Jira: it has no field named "Sprints". Give [jira.fields] sprint an id',
    ),
    "a screen": (ask_for_more, "! mapping: new Task in ML asks for components."),
    "no webhook": (forget_webhook, "! webhook: none for https://scrumbut.example.com/jira/webhook"),
    "webhook expires": (let_webhook_expire, "! webhook: it expires in 4 days."),
    "no file": (source("csv", "/nowhere.csv"), '✗ files: "/nowhere.csv" does not exist.'),
    "tracker down": (
        source("mlflow", f"http://127.0.0.1:{free_port()}"),
        "does not answer (ConnectError). → Check that it runs",
    ),
    "not allowed": (source("mlflow", "http://127.0.0.1:9", allow=False), "to [security] allow_hosts in config.toml."),
    "no variable": (source("mlflow", "http://$NO_SUCH_HOST"), "the environment variable NO_SUCH_HOST is not set"),
    "bad read": (read_badly, "! files: its last read failed: line 3 is no number"),
    "old read": (read_long_ago, "! files: csv answers, but was read 5 d ago, and is due every 15m."),
}


IN_THE_FILE = (
    "unknown key", "swapped tokens", "testing", "wrong bot token", "app token", "unknown channel", "no channel",
    "no folder", "no templates", "no address", "wrong address", "JQL", "empty scope", "no file", "tracker down",
    "no variable", "not allowed", "template", "read-only",
)  # fmt: skip


def check(world: World, name: str) -> None:
    breaks, says = BROKEN[name]
    breaks(world)
    lines = not_fine(world)
    assert any(says in line for line in lines), (name, lines)
    assert all(" → " in line and "docs/troubleshooting.md#" in line for line in lines), name
    assert not [line for line in lines if world.slack.bot_token in line or world.jira.token in line], name


def test_what_is_wrong_in_the_file_is_named_with_its_remedy(world: World) -> None:
    sound(world)
    path = world.folder / "config.toml"
    text = path.read_text()
    for name in IN_THE_FILE:
        path.write_text(text)
        check(world, name)


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in IN_THE_FILE])
def test_a_broken_set_up_is_named_with_its_remedy(world: World, name: str) -> None:
    sound(world)
    check(world, name)


def test_what_is_left_out_is_said_and_is_no_error(world: World) -> None:
    path = world.folder / "config.toml"
    path.write_text(f'[database]\nurl = "sqlite:///{world.folder}/s.db"\n')
    lines = not_fine(world)
    assert [line.split(":")[0] for line in lines] == ["! address", "! Slack", "! Jira", "! sources"]
    result = CliRunner().invoke(app, ["doctor", "--config", str(path)])
    assert result.exit_code == 0, result.output
    assert "scrumbut manifest prints the link" in result.output


def test_slack_and_jira_down_are_told_apart_from_refusals(world: World) -> None:
    sound(world)
    path = world.folder / "config.toml"
    path.write_text(re.sub(r"http://127\.0\.0\.1:\d+", f"http://127.0.0.1:{free_port()}", path.read_text()))
    topics = {finding.topic for finding in found(world) if finding.mark is Mark.WRONG}
    assert topics == {"slack-unreachable", "jira-unreachable"}


@pytest.mark.parametrize(
    ("off", "mark", "says"),
    [(-40, Mark.TROUBLE, "behind"), (300, Mark.WRONG, "ahead: Slack's requests are refused")],
)
def test_a_clock_that_is_off_is_measured_against_slacks(world: World, off: int, mark: Mark, says: str) -> None:
    world.clock.at = machine_clock()
    case = Case(world.settings, None, lambda: machine_clock() + timedelta(seconds=off), source_config)
    (clock,) = [finding for finding in examine(case) if finding.check == "clock"]
    assert clock.mark is mark
    assert re.sub(r"\d+ s", "N s", clock.fact).startswith(f"this machine's clock is N s {says}")


def test_mlflows_refusal_of_a_host_name_is_known_by_name(world: World) -> None:
    sound(world)
    with serving(Starlette(routes=[Route("/", refuse_host)])) as url:
        source("mlflow", url)(world)
        assert any("--allowed-hosts" in line for line in not_fine(world))


def test_scripts_get_json_and_an_exit_code(world: World) -> None:
    sound(world)
    leave(world)
    result = CliRunner().invoke(app, ["doctor", "--json", "--config", str(world.folder / "config.toml")])
    told: list[dict[str, Any]] = json.loads(result.output)
    assert result.exit_code == 1
    assert [one["topic"] for one in told if one["mark"] == "✗"] == ["not-in-channel"]


def send_test(world: World) -> list[str]:
    found = examine_file(world.folder / "config.toml", machine_clock, source_config, send_test=True)
    return [str(finding) for finding in found if finding.check.startswith("test")]


def test_a_test_message_is_posted_only_on_request_and_its_refusal_is_told(world: World) -> None:
    sound(world)
    assert send_test(world) == ["✓ test message: it arrived in #ml"]
    assert ["doctor --send-test" in text for text in world.channel()] == [True]
    leave(world)
    (refused,) = send_test(world)
    assert refused.startswith("✗ test message: #ml: ")
    assert refused.endswith("(docs/troubleshooting.md#test-refused)")
    change(world, "[database]", '[mail]\nhost = "127.0.0.1"\nport = 9\nfrom = "bot@example.com"\n[database]')
    assert [line for line in send_test(world) if line.startswith("✗ test mail: ")] != []


def test_an_admin_may_ask_in_slack_and_nobody_else(world: World) -> None:
    said = world.type("doctor")
    assert "1 wrong" in said or "fine" in said
    assert '✓ Slack: scrumbut in "Sandbox"' in said


def test_every_trouble_has_its_section_in_the_docs() -> None:
    sections = re.findall(r'<a id="([a-z-]+)">', (ROOT / "docs/troubleshooting.md").read_text())
    assert sorted(sections) == sorted(get_args(Topic))


def test_what_waits_for_a_person_can_be_looked_at_sent_again_and_dropped(world: World) -> None:
    world.slack.channels["C0ML"].member = False
    world.type('new "Char-level tokens raise recall"')
    world.type("block EXP-1 labels are late")
    assert "not_in_channel" in world.type("outbox list")
    assert '"name": "slack:card:EXP-1"' in world.type("outbox show 2")
    world.slack.channels["C0ML"].member = True
    assert "Row 1 is overtaken by row 2, which says what is true now." in world.type("outbox retry 1")
    assert "Row 2 is sent once more." in world.type("outbox retry 2")
    for number in (1, 3):
        assert f"Row {number} is dropped." in world.type(f"outbox drop {number}")
    assert "Nothing waits for a person." in world.type("outbox list")
    assert "Row 2 of the outbox does not wait for a person." in world.type("outbox retry 2")
    assert "There is no row 999" in world.type("outbox show 999")
    (card,) = world.channel()
    assert "blocked: labels are late" in card
