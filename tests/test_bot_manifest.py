"""The app's manifest, held against the official schema, and against what the product really asks of Slack."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from bot.cli import app
from bot.manifest import EVENTS, SCOPES

ROOT = Path(__file__).parent.parent
HTTP = """
[slack]
bot_token = "xoxb-1"
signing_secret = "0123456789abcdef0123456789abcdef"
command = "/lab"
[web]
public_url = "https://scrumbut.example.com"
[jira]
url = "https://team.atlassian.net"
email = "a@example.com"
token = "t"
jql = "project = ML"
"""


def printed(folder: Path, config: str, *options: str) -> str:
    path = folder / "config.toml"
    path.write_text(config)
    result = CliRunner().invoke(app, ["manifest", *options, "--config", str(path)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("config", [HTTP, HTTP.replace("signing_secret", 'app_token = "xapp-1"\nsigning_secret'), ""])
def test_the_manifest_is_valid_by_the_official_schema(shared: Path, tmp_path: Path, config: str) -> None:
    schema = json.loads((shared / "truth/slack/manifest.schema.json").read_text())
    assert [e.message for e in Draft7Validator(schema).iter_errors(json.loads(printed(tmp_path, config)))] == []


def test_it_names_the_configured_command_and_address(tmp_path: Path) -> None:
    made = json.loads(printed(tmp_path, HTTP))
    url = "https://scrumbut.example.com/slack/events"
    assert (made["features"]["slash_commands"][0]["command"], made["features"]["slash_commands"][0]["url"]) == (
        "/lab",
        url,
    )
    assert made["settings"]["event_subscriptions"]["request_url"] == url
    assert made["settings"]["interactivity"]["message_menu_options_url"] == url
    assert made["features"]["unfurl_domains"] == ["scrumbut.example.com", "team.atlassian.net"]


def test_over_socket_mode_it_names_no_address(tmp_path: Path) -> None:
    made = json.loads(printed(tmp_path, '[slack]\nbot_token = "xoxb-1"\napp_token = "xapp-1"\n'))
    assert made["settings"]["socket_mode_enabled"]
    assert "https://" not in json.dumps(made)


def test_the_link_carries_the_whole_manifest(tmp_path: Path) -> None:
    link = urlsplit(printed(tmp_path, HTTP, "--link").strip())
    carried = parse_qs(link.query)
    assert (link.netloc, link.path, carried["new_app"]) == ("api.slack.com", "/apps", ["1"])
    assert json.loads(carried["manifest_json"][0]) == json.loads(printed(tmp_path, HTTP))


def test_every_method_that_is_called_has_its_scope(shared: Path) -> None:
    """Slack's own description of each method names the scopes, of which one is enough."""
    source = (ROOT / "integrations/slack.py").read_text()
    called = {name.replace("_", ".") for name in re.findall(r"_client\.([a-z]+_[a-zA-Z_]+)", source)}
    for path in sorted((shared / "truth/slack/methods").glob("*.json")):
        if path.stem.lower() not in {name.lower() for name in called}:
            continue
        scopes = json.loads(path.read_text()).get("scope") or {}
        bot = scopes.get("bot", []) if isinstance(scopes, dict) else scopes
        assert not bot or set(bot) & set(SCOPES), f"{path.stem} needs one of {bot}"


def test_every_event_and_shortcut_that_is_listened_to_is_subscribed_to() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "bot/slack").rglob("*.py"))
    listened = set(re.findall(r'\.event\("([a-z_.]+)"\)', source))
    assert {event for event in listened if event != "message"} <= set(EVENTS)
