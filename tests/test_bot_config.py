"""The configuration: the example is complete, the environment wins."""

import re
from pathlib import Path

import pytest

from bot.config import ConfigError, Settings, load_settings

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def keys_of(model: type, prefix: str = "") -> set[str]:
    """Every key the settings declare, lists of tables included."""
    found: set[str] = set()
    for name, field in model.model_fields.items():  # type: ignore[attr-defined]
        section = next(
            (a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if hasattr(a, "model_fields")),
            None,
        )
        found |= keys_of(section, f"{name}.") if section else {prefix + (field.alias or name)}
    return found


PAIRS = {"jira.fields", "jira.issue_types", "jira.stages", "jira.users"}  # tables whose keys are the team's own


def test_the_example_shows_every_key_and_no_other(tmp_path: Path) -> None:
    shown, section = set(), ""
    for line in EXAMPLE.read_text().splitlines():
        if match := re.match(r"#? ?\[+([a-z_.]+)\]+", line):
            section = match[1]
            if section in PAIRS:
                shown.add(section)
        elif (match := re.match(r"#? ?([a-zA-Z_]+) = ", line)) and section not in PAIRS:
            shown.add(f"{section}.{match[1]}")
    assert shown == keys_of(Settings)


def test_the_example_loads_as_it_is_and_with_every_line_switched_on(tmp_path: Path) -> None:
    assert load_settings(EXAMPLE) == Settings()
    text = re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    path = tmp_path / "config.toml"
    path.write_text(text.replace('signing_secret = "…"', 'signing_secret = "0f"').replace('pat = "…"', ""))
    settings = load_settings(path)
    assert (settings.sources[0].kind, settings.reports[0].name, settings.policy[0].but) == (
        "mlflow",
        "weekly",
        "sprints",
    )


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[slack]\nbot_token = "xoxb-file"\nsigning_secret = "0f"\nchannel = "#ml"\n')
    monkeypatch.setenv("SCRUMBUT_SLACK__BOT_TOKEN", "xoxb-environment")
    settings = load_settings(path)
    assert settings.slack.bot_token.get_secret_value() == "xoxb-environment"
    assert settings.slack.channel == "#ml"


def test_a_wrong_key_in_the_environment_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    monkeypatch.setenv("SCRUMBUT_SLACK__BOT_TOKE", "xoxb-x")
    with pytest.raises(
        ConfigError, match=r'"slack\.bot_toke" is no key that scrumbut knows\. Did you mean "bot_token"'
    ):
        load_settings(path)


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not found\. Make one: scrumbut init"):
        load_settings(tmp_path / "config.toml")


def test_a_report_of_a_team_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[[reports]]\nteam = "Visoin"\n[[teams]]\nname = "Vision"\n')
    with pytest.raises(ConfigError, match=r'"Visoin" is no team\. Add it as \[\[teams\]\] with that name'):
        load_settings(path)


def test_secrets_do_not_show_in_the_settings_words(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[slack]\nbot_token = "xoxb-secret"\nsigning_secret = "0f0f"\n')
    assert "xoxb-secret" not in repr(load_settings(path))
