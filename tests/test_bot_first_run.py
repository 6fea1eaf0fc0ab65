"""`scrumbut init`: a new set-up, the same again without loss, and answers that are wrong."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.config import load_settings
from bot.first_run import EXAMPLE
from bot.manifest import SCOPES

FLAGS = ("--no-ask", "--channel", "ml", "--zone", "Europe/Berlin", "--public-url", "https://bot.example.com")
JIRA = ("--jira-url", "https://team.atlassian.net", "--jira-email", "bot@example.com")
SOURCE = ("--source", "mlflow", "--source-url", "http://10.0.0.7:5000")


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """What .env brings into the process leaves it with the test."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("SCRUMBUT_")]:
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


def init(folder: Path, *words: str, said: str = "") -> Result:
    return CliRunner().invoke(app, ["init", *words, "--config", str(folder / "config.toml")], input=said)


def manifest_in(text: str) -> dict[str, Any]:
    link = next(word for word in text.split() if word.startswith("https://api.slack.com/apps?"))
    return dict(json.loads(parse_qs(urlsplit(link).query)["manifest_json"][0]))


def test_a_new_set_up_is_whole_and_its_secrets_are_nobody_elses(tmp_path: Path) -> None:
    done = init(tmp_path, *FLAGS, *SOURCE)
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path / "config.toml")
    assert (settings.slack.channel, settings.reports[0].schedule) == ("#ml", "mon 09:00 Europe/Berlin")
    assert (settings.sources[0].kind, settings.security.allow_hosts) == ("mlflow", ("10.0.0.7:5000",))
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("config.toml", ".env")] == [0o600, 0o600]
    app_of_link = manifest_in(done.output)
    assert set(app_of_link["oauth_config"]["scopes"]["bot"]) == set(SCOPES)
    assert app_of_link["features"]["slash_commands"][0]["url"] == "https://bot.example.com/slack/events"
    assert "SCRUMBUT_SLACK__BOT_TOKEN, SCRUMBUT_SLACK__SIGNING_SECRET" in done.output


def test_without_an_address_the_link_makes_an_app_for_socket_mode(tmp_path: Path) -> None:
    made = manifest_in(init(tmp_path, "--no-ask").output)
    assert made["settings"]["socket_mode_enabled"] is True
    assert "url" not in made["features"]["slash_commands"][0]


def test_a_person_is_asked_and_no_secret_is_shown_or_put_into_the_config(tmp_path: Path) -> None:
    answers = ["#ml", "Mars/Base", "Europe/Berlin", "https://bot.example.com", "team.atlassian.net",
               "https://team.atlassian.net", "ML", "bot@example.com", "", "xapp-wrong", "xoxb-1-secret", "0fsecret",
               "jira-secret"]  # fmt: skip
    done = init(tmp_path, said="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert '"Mars/Base" is no time zone' in done.output
    assert '"team.atlassian.net" is no address' in done.output
    assert "What belongs here begins with xoxb-" in done.output
    assert "secret" not in done.output.replace("signing secret", "") + (tmp_path / "config.toml").read_text()[200:]
    settings = load_settings(tmp_path / "config.toml")
    assert settings.slack.bot_token.get_secret_value() == "xoxb-1-secret"
    assert (settings.jira.token.get_secret_value(), settings.jira.jql) == ("jira-secret", "project = ML")
    assert "Create the Slack app" not in done.output, "it is there: its secrets were given"


def test_run_again_it_changes_what_is_answered_and_keeps_everything_else(tmp_path: Path) -> None:
    init(tmp_path, *FLAGS, *JIRA, *SOURCE)
    config, env = tmp_path / "config.toml", tmp_path / ".env"
    ours = "# our own words\n[limits]\nwip_person = 3  # two were too few\n"
    config.write_text(config.read_text() + ours)
    env.write_text('# kept\nMLFLOW_PASSWORD="p"\nSCRUMBUT_SLACK__BOT_TOKEN="xoxb-old"\n')
    env.chmod(0o644)
    before = config.read_text()
    assert "Nothing changed." not in init(tmp_path, "--no-ask").output, "the mode of .env was mended"
    assert init(tmp_path, "--no-ask").output.startswith("Nothing changed.")
    assert (config.read_text(), env.stat().st_mode & 0o777) == (before, 0o600)
    entered = ["", "Asia/Tokyo", "", "", "", "", "", "", "xoxb-new", "0f", "token"]
    done = init(tmp_path, said="\n".join(entered) + "\n")
    assert done.exit_code == 0, done.output
    assert config.read_text() == before.replace("Europe/Berlin", "Asia/Tokyo")
    lines = env.read_text().splitlines()
    assert lines[:3] == ["# kept", 'MLFLOW_PASSWORD="p"', 'SCRUMBUT_SLACK__BOT_TOKEN="xoxb-new"']
    assert "SCRUMBUT_JIRA__TOKEN" in lines[-1]


def test_every_key_is_shown_without_writing_anything(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", "--example", "--config", str(tmp_path / "config.toml")])
    assert done.output == (Path(__file__).parent.parent / EXAMPLE).read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_jira_of_ones_own_is_data_center(tmp_path: Path) -> None:
    done = init(tmp_path, "--no-ask", "--jira-url", "https://jira.example.com/", "--jira-project", "ABC")
    assert "SCRUMBUT_JIRA__PAT" in done.output
    text = (tmp_path / "config.toml").read_text()
    assert 'url = "https://jira.example.com"\njql = "project = ABC"\ndeployment = "server"' in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--zone", "Mars/Base"), '"Mars/Base" is no time zone. Write it like Europe/Berlin'),
        (("--jira-url", "jira"), '"jira" is no address. Begin it with https://.'),
        (("--source", "mlfow"), '"mlfow" is no kind of source. There are: mlflow'),
    ],
)
def test_a_wrong_option_is_wrong_use_and_writes_nothing(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = init(tmp_path, "--no-ask", *words)
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert said in done.stderr


def test_a_file_that_is_no_toml_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[slack\n")
    done = init(tmp_path, "--no-ask")
    assert (done.exit_code, (tmp_path / "config.toml").read_text()) == (1, "[slack\n")
    assert "Mend the TOML there; nothing was changed." in done.stderr


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["init", "--no-ask", "--config", str(tmp_path / "file/config.toml")])
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr
    assert "--config" in done.stderr


def test_the_environment_wins_over_the_file_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text('[slack]\nsigning_secret = "0f"\n')
    (tmp_path / ".env").write_text('SCRUMBUT_SLACK__BOT_TOKEN="xoxb-file"\nSCRUMBUT_SLACK__CHANNEL="#a$b"\n')
    monkeypatch.setenv("SCRUMBUT_SLACK__BOT_TOKEN", "xoxb-environment")
    settings = load_settings(tmp_path / "config.toml")
    assert (settings.slack.bot_token.get_secret_value(), settings.slack.channel) == ("xoxb-environment", "#a$b")
