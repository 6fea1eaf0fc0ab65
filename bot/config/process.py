"""The tables of config.toml that say how the process works: outbox, queue, sync, keys, retention, workspaces."""

from typing import Annotated

from pydantic import Field, model_validator

from backlog.cadence import read_span
from bot.config.values import Key, Section, Span, SpanOrEver, WorkspaceId


class WorkspaceSection(Section):
    """One `[[workspaces]]`"""

    id: WorkspaceId
    config: str


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
