"""The whole of config.toml and the environment; the first wrong key is named with file and remedy."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from dotenv import load_dotenv
from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from bot.config.connections import DatabaseSection, Jira, Mail, Slack, SourceSection, Web
from bot.config.process import Outbox, Queue, RetentionSection, Security, Sync, Testing, WorkspaceSection
from bot.config.team import Appetite, Limits, PolicySection, Priority, ReportSection, RolesSection, TeamSection
from bot.config.values import ConfigError


class Settings(BaseSettings):
    """All of config.toml; `SCRUMBUT_SECTION__KEY` in the environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="SCRUMBUT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    slack: Slack = Slack()
    web: Web = Web()
    jira: Jira = Jira()
    database: DatabaseSection = DatabaseSection()
    sources: tuple[SourceSection, ...] = ()
    reports: tuple[ReportSection, ...] = ()
    teams: tuple[TeamSection, ...] = ()
    policy: tuple[PolicySection, ...] = ()
    limits: Limits = Limits()
    roles: RolesSection = RolesSection()
    priority: Priority = Priority()
    appetite: Appetite = Appetite()
    outbox: Outbox = Outbox()
    queue: Queue = Queue()
    sync: Sync = Sync()
    security: Security = Security()
    retention: RetentionSection = RetentionSection()
    mail: Mail = Mail()
    workspaces: tuple[WorkspaceSection, ...] = ()
    testing: Testing = Testing()

    @model_validator(mode="after")
    def check_names(self) -> "Settings":
        """Names of sources and reports are what schedules and metrics refer to."""
        named = {
            "sources": [source.name for source in self.sources],
            "reports": [f"{report.name} for {report.audience}" for report in self.reports],
            "teams": [team.name for team in self.teams],
            "workspaces": [workspace.id for workspace in self.workspaces],
        }
        for section, names in named.items():
            double = next((name for name in names if names.count(name) > 1), None)
            if double:
                raise ValueError(f'[[{section}]]: "{double}" is there twice. Give each its own name.')
        stranger = next((r.team for r in self.reports if r.team and r.team not in named["teams"]), "")
        if stranger:
            raise ValueError(f'[[reports]] team: "{stranger}" is no team. Add it as [[teams]] with that name.')
        if not self.mail.host and any(report.emails for report in self.reports):
            raise ValueError("[[reports]] emails: nobody can send them. Set [mail] host and from.")
        if self.slack.distributed and not self.web.public_url:
            raise ValueError("[web] public_url: missing. Slack sends whoever installs the app back there.")
        if self.slack.distributed and not self.security.encryption_keys:
            raise ValueError("[security] encryption_keys: missing. The tokens of workspaces are sealed with the first.")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file; nothing else."""
        return env_settings, init_settings


def load_settings(path: Path) -> Settings:
    """The settings of that file, of .env beside it and of the environment, which wins. Raises ConfigError with file,
    key and remedy."""
    _load_env(path.with_name(".env"))
    content = content_of(path)
    if content is None:
        raise ConfigError(
            f"{path}: not found. Make one: scrumbut init. Or name another file: --config, SCRUMBUT_CONFIG."
        )
    return settings_of(content, path)


def settings_of(content: dict[str, Any], path: Path) -> Settings:
    """The settings of what stands in that file, and of the environment. Raises ConfigError."""
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from error


def _load_env(path: Path) -> None:
    """Into the process's environment, for sources name variables of it, too; what is set there already stays."""
    try:
        load_dotenv(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give it to the user that runs scrumbut.") from error


def content_of(path: Path) -> dict[str, Any] | None:
    """What stands in a file; None where there is none. Raises ConfigError."""
    try:
        return TomlConfigSettingsSource(Settings, path)() if path.exists() else None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}. Mend the TOML there.") from error


def keys_naming(settings: Settings, word: str) -> list[str]:
    """The keys whose value is that word or has it in a list, and the entries that are called so; secrets are none."""

    def walk(value: Any, key: str) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from [f"[{key}] {name}"] if name == word else walk(inner, f"{key}.{name}" if key else name)
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from walk(inner, key)
        elif value == word:
            yield key

    return sorted(set(walk(settings.model_dump(mode="json", by_alias=True), "")))


def first_problem(error: ValidationError) -> str:
    """The first wrong key, in our own words."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = [str(part) for part in problem["loc"]]
    key = ".".join(where)
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(where[-1], _known_keys(where[:-1]), n=1)
        hint = f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(_known_keys(where[:-1]))}."
        return f'"{key}" is no key that scrumbut knows. {hint}'
    if problem["type"] == "missing":
        return f'"{key}" is missing. See: scrumbut init --example'
    message = problem["msg"].removeprefix("Value error, ")
    return f"[{key}] {message}" if key else message


def _known_keys(where: list[str]) -> list[str]:
    fields = Settings.model_fields
    for part in where:
        if part.isdigit():
            continue
        annotation = fields[part].annotation if part in fields else None
        section = next((a for a in (annotation, *get_args(annotation)) if hasattr(a, "model_fields")), None)
        if section is None:
            return []
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
    return sorted(fields)
