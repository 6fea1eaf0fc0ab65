"""The tables of config.toml that say what scrumbut talks to: Slack, browsers, Jira, its database, sources, mail."""

from difflib import get_close_matches
from email.utils import parseaddr
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from backlog.address import check_address
from backlog.experiment import Kind, Stage
from backlog.issue import ISSUE_TYPE
from backlog.status import StatusMap, read_target
from bot.config.values import Section, Span, WorkspaceId
from integrations.mail import Tls
from integrations.sources import source_kinds

JiraField = Literal["sprint", "epic", "stage", "hypothesis", "metric", "appetite", "outcome", "decision"]


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
