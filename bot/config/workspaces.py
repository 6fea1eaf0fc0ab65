"""The settings of further workspaces of one process: what they inherit, and what their own files may say."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.config.settings import Settings, content_of, first_problem
from bot.config.values import ConfigError


class _FileSettings(Settings):
    """A workspace's own file. The environment is the operator's and is not read: it holds their Jira's token."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file alone."""
        return (init_settings,)


# How the process is run, which no workspace's own file may say; and what a workspace has from the operator unless its
# file says otherwise. Everything else (Jira, sources, reports, roles) is a workspace's own or is not there.
OPERATORS = ("web", "database", "security", "outbox", "mail", "retention", "workspaces", "testing")
INHERITED = ("limits", "priority", "appetite", "policy", "sync")


def workspace_settings(home: Settings, workspace: str) -> Settings:
    """The settings of another workspace of the same process: those of its own file, if `[[workspaces]]` names one.
    Raises ConfigError with file, key and remedy."""
    path = next((Path(section.config) for section in home.workspaces if section.id == workspace), None)
    own: dict[str, Any] = dict(content_of(path) or {}) if path else {}
    if path and not path.exists():
        raise ConfigError(f'{path}: not found. [[workspaces]] names it for "{workspace}" in config.toml.')
    for name in OPERATORS:
        if name in own:
            raise ConfigError(f'{path}: "{name}" is the operator\'s and stands in config.toml. Take it out here.')
    slack = own.pop("slack", {})
    if set(slack) - {"channel"}:
        raise ConfigError(f"{path}: [slack] may only name a channel here; the rest stands in config.toml.")
    shared = {name: getattr(home, name) for name in (*OPERATORS, *INHERITED) if name not in own}
    app = {"bot_token": SecretStr(""), "channel": slack.get("channel", ""), "distributed": False, "home": ""}
    try:
        return _FileSettings(**own, **shared, slack=home.slack.model_copy(update=app))
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from error
