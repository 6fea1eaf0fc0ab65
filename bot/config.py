"""config.toml and the environment, as frozen settings; the first wrong key is named with file and remedy.

A key is declared here with the feature that uses it, and in `config.example.toml`; unknown ones are refused.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from dotenv import load_dotenv
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from backlog.address import check_address
from backlog.cadence import read_cadence, read_span
from backlog.errors import BacklogError
from backlog.experiment import Kind, Stage
from backlog.issue import ISSUE_TYPE
from backlog.policy import APPETITE_DAYS
from backlog.status import StatusMap, read_target
from bot.roles import Role, check_person
from integrations.mail import Tls
from integrations.sources import source_kinds
from reports.contents import REPORTS

JiraField = Literal["sprint", "epic", "stage", "hypothesis", "metric", "appetite", "outcome", "decision"]


KEY_MIN = 32  # characters; what `secrets.token_urlsafe(32)` gives is longer


class ConfigError(Exception):
    """The configuration cannot be used: file, key and remedy."""


def _checked_by(read: Any) -> AfterValidator:
    def check(text: str) -> str:
        try:
            read(text)
        except BacklogError as error:
            raise ValueError(str(error)) from error
        return text

    return AfterValidator(check)


Span = Annotated[str, _checked_by(read_span)]
SpanOrEver = Literal[""] | Span
CadenceText = Annotated[str, _checked_by(read_cadence)]


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < KEY_MIN:
        make = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise ValueError(f"a key needs {KEY_MIN} characters or more. Make one: {make}")
    return key


Weight = Annotated[float, Field(ge=0, le=5)]
Email = Annotated[str, _checked_by(check_address)]
PersonId = Annotated[str, _checked_by(check_person)]
WorkspaceId = Annotated[str, Field(pattern=r"^[TE][A-Z0-9]{2,30}$")]


Key = Annotated[SecretStr, AfterValidator(_long_enough)]


def _scheduled(name: str) -> str:
    known = [kind for kind, report in REPORTS.items() if report.periods]
    if name not in known:
        raise ValueError(f'"{name}" is no report that goes out by itself. Known: {", ".join(known)}.')
    return name


class Section(BaseModel):
    """A table of config.toml; what it does not declare is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Slack(Section):
    """`[slack]`"""

    bot_token: SecretStr = SecretStr("")
    signing_secret: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    api_url: str = "https://slack.com/api/"
    command: str = "/exp"
    channel: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    distributed: bool = False
    home: Literal[""] | WorkspaceId = ""

    @model_validator(mode="after")
    def check_tokens(self) -> "Slack":
        """Each token begins as Slack begins it; a swapped one is told where it belongs."""
        starts = {"xoxb-": "bot_token", "xapp-": "app_token", "xoxp-": "nowhere here: a user token is not needed"}
        for name in ("bot_token", "app_token", "signing_secret"):
            value = getattr(self, name).get_secret_value()
            own = {"bot_token": "xoxb-", "app_token": "xapp-"}.get(name)
            found = next((start for start in starts if value.startswith(start)), None)
            if value and found != own:
                found_words = f'begins with "{found}" and belongs to {starts[found]}' if found else "is no Slack token"
                wanted = f'One that begins with "{own}"' if own else "The signing secret (Basic Information)"
                raise ValueError(f"{name}: what is there {found_words}. {wanted} belongs here.")
        if not self.api_url.endswith("/api/"):
            raise ValueError(f'api_url: "{self.api_url}" must end in /api/, such as https://slack.com/api/.')
        if not self.command.startswith("/"):
            raise ValueError(f'command: "{self.command}" must begin with a slash, such as /exp.')
        if self.bot_token.get_secret_value() and not (
            self.signing_secret.get_secret_value() or self.app_token.get_secret_value()
        ):
            raise ValueError(
                "signing_secret: missing. Set it (HTTP mode, Basic Information → Signing Secret) "
                "or app_token (Socket Mode)."
            )
        return self

    @model_validator(mode="after")
    def check_distribution(self) -> "Slack":
        """What other workspaces need in order to install the app is there, and each backlog has one workspace."""
        if self.distributed:
            for name in ("client_id", "client_secret", "signing_secret"):
                if not getattr(self, name):
                    raise ValueError(f"{name}: missing. Other workspaces install with it (Basic Information).")
            if self.app_token.get_secret_value():
                raise ValueError("app_token: Socket Mode serves one workspace. Take it out, or distributed.")
        if self.home and self.bot_token.get_secret_value():
            raise ValueError(f'home: bot_token names its workspace already. Take bot_token out, or home "{self.home}".')
        if self.home and not self.distributed:
            raise ValueError("home: needs distributed = true; the workspace installs the app as every other one does.")
        return self


class Web(Section):
    """`[web]`"""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 3000
    public_url: str = ""
    link_days: Annotated[int, Field(ge=1, le=3650)] = 90


class Jira(Section):
    """`[jira]`"""

    url: str = ""
    email: str = ""
    token: SecretStr = SecretStr("")
    pat: SecretStr = SecretStr("")
    jql: str = ""
    deployment: Literal["cloud", "server"] = "cloud"
    webhook_secret: SecretStr = SecretStr("")
    issue_type: str = ISSUE_TYPE
    stages: dict[Stage, str] = Field(default_factory=dict)
    users: dict[str, str] = Field(default_factory=dict)
    fields: dict[JiraField, str] = Field(default_factory=dict)
    issue_types: dict[Kind, str] = Field(default_factory=dict)
    scoped: bool = False
    gateway: str = "https://api.atlassian.com"

    @property
    def status_map(self) -> StatusMap:
        """The stages with their statuses."""
        return StatusMap({stage: read_target(text) for stage, text in self.stages.items()})

    @property
    def types_by_kind(self) -> dict[Kind, str]:
        """The issue type of each kind."""
        return {kind: self.issue_types.get(kind, self.issue_type) for kind in Kind}

    @model_validator(mode="after")
    def check_account(self) -> "Jira":
        """Where Jira is used, the account and the scope are complete."""
        if not self.url:
            return self
        if not self.url.startswith(("https://", "http://")):
            raise ValueError(f'url: "{self.url}" must begin with https://.')
        if self.deployment == "cloud" and not (self.email and self.token.get_secret_value()):
            raise ValueError("email and token: Jira Cloud needs both (id.atlassian.com → API tokens).")
        if self.deployment == "server" and not self.pat.get_secret_value():
            raise ValueError("pat: Jira Data Center needs a personal access token (Profile → PATs).")
        if not self.jql.strip():
            raise ValueError('jql: missing. Name the issues to follow, such as jql = "project = ML".')
        return self


class DatabaseSection(Section):
    """`[database]`"""

    url: str = "sqlite:///scrumbut.db"


class SourceSection(Section):
    """One `[[sources]]`"""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    kind: str
    url: str
    every: Span = "15m"
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    auth: SecretStr = SecretStr("")
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    rate: Annotated[float, Field(gt=0, le=1000)] = 50
    concurrency: Annotated[int, Field(ge=1, le=16)] = 4
    options: dict[str, str | int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def check_kind(self) -> "SourceSection":
        """A kind is our own, or that of an installed distribution."""
        kinds = source_kinds()
        if self.kind not in kinds:
            near = get_close_matches(self.kind, kinds, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"There are: {', '.join(kinds)}."
            raise ValueError(f'kind: "{self.kind[:40]}" is no kind of source. {hint}')
        return self


class ReportSection(Section):
    """One `[[reports]]`"""

    name: Annotated[str, AfterValidator(_scheduled)] = "weekly"
    audience: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)] = "manager"
    schedule: CadenceText = "mon 09:00 UTC"
    channel: str = ""
    emails: tuple[Email, ...] = ()
    reviewer: Literal[""] | PersonId = ""
    preview: Span = "4h"
    templates: str = ""
    team: str = ""


class TeamSection(Section):
    """One `[[teams]]`"""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    goals: tuple[str, ...] = ()
    channel: str = ""


class PolicySection(Section):
    """One `[[policy]]`"""

    but: str
    because: str
    instead: str


class Limits(Section):
    """`[limits]`"""

    wip_person: Annotated[int, Field(ge=1)] = 2
    wip_goal: Annotated[int, Field(ge=1)] = 5
    extensions: Annotated[int, Field(ge=0)] = 2
    requests_person: Annotated[int, Field(ge=0)] = 1200
    requests_address: Annotated[int, Field(ge=0)] = 300
    blocked_days: Annotated[int, Field(ge=0)] = 3


class WorkspaceSection(Section):
    """One `[[workspaces]]`"""

    id: WorkspaceId
    config: str


class RolesSection(Section):
    """`[roles]`"""

    viewer: tuple[PersonId, ...] = ()
    member: tuple[PersonId, ...] = ()
    decider: tuple[PersonId, ...] = ()
    admin: tuple[PersonId, ...] = ()
    cli: Role = Role.ADMIN


class Priority(Section):
    """`[priority]`"""

    learning_value: Weight = 1
    impact: Weight = 1
    confidence: Weight = 1
    effort: Weight = 1


class Appetite(Section):
    """`[appetite]`"""

    S: Annotated[int, Field(ge=1)] = APPETITE_DAYS["S"]
    M: Annotated[int, Field(ge=1)] = APPETITE_DAYS["M"]
    L: Annotated[int, Field(ge=1)] = APPETITE_DAYS["L"]


class Outbox(Section):
    """`[outbox]`"""

    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10
    quiet_s: Annotated[float, Field(gt=0, le=3600)] = 60


class Queue(Section):
    """`[queue]`"""

    stall_s: Annotated[float, Field(ge=3, le=600)] = 30
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000


class Sync(Section):
    """`[sync]`"""

    every: Span = "10m"


class Mail(Section):
    """`[mail]`"""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = Field(default="", alias="from")
    tls: Tls = "auto"

    @model_validator(mode="after")
    def check_sender(self) -> "Mail":
        """Where mail is sent, it comes from somebody."""
        if self.host:
            check_address(parseaddr(self.sender)[1])
        return self


class Security(Section):
    """`[security]`"""

    encryption_keys: tuple[Key, ...] = ()
    allow_hosts: tuple[Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\[\]:/@ ]+):\d{1,5}$")], ...] = ()


class RetentionSection(Section):
    """`[retention]`"""

    raw: Span = "30d"
    hourly: Span = "400d"
    outbox: SpanOrEver = "90d"
    ledger: SpanOrEver = "400d"
    tasks: SpanOrEver = "90d"
    comments: SpanOrEver = ""
    reports: SpanOrEver = ""

    @property
    def records(self) -> dict[str, str]:
        """The spans of what does not stay for ever, readings apart."""
        kinds = ("outbox", "ledger", "tasks", "comments", "reports")
        return {kind: getattr(self, kind) for kind in kinds if getattr(self, kind)}

    @model_validator(mode="after")
    def check_order(self) -> "RetentionSection":
        """What is kept by the hour was kept one by one before."""
        if read_span(self.hourly) <= read_span(self.raw):
            raise ValueError(f'hourly: "{self.hourly}" must be longer than raw, "{self.raw}".')
        return self


class Testing(Section):
    """`[testing]`"""

    allow: bool = False


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
    content = _content(path)
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
        raise ConfigError(f"{path}: {_first_problem(error)}") from error


def _load_env(path: Path) -> None:
    """Into the process's environment, for sources name variables of it, too; what is set there already stays."""
    try:
        load_dotenv(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give it to the user that runs scrumbut.") from error


def _content(path: Path) -> dict[str, Any] | None:
    try:
        return TomlConfigSettingsSource(Settings, path)() if path.exists() else None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}. Mend the TOML there.") from error


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
    own: dict[str, Any] = dict(_content(path) or {}) if path else {}
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
        raise ConfigError(f"{path}: {_first_problem(error)}") from error


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


def _first_problem(error: ValidationError) -> str:
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
