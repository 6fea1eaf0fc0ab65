"""What a check may look at, and the clients it asks; each is opened once, and none is asked before a check does."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection

from bot.clock import Clock
from bot.config import Jira, Settings, SourceSection
from integrations.http import IntegrationError
from integrations.jira.client import JiraClient
from integrations.slack import Identity, SlackClient
from integrations.sources.source import SourceConfig
from store.database import Schema, inspect_database, open_unchanged

TIMEOUT_S = 5.0  # a person waits


def open_jira(jira: Jira, timeout_s: float) -> JiraClient | None:
    """The account that `[jira]` names, or None; nothing is asked yet."""
    if not jira.url:
        return None
    return JiraClient(
        jira.url,
        email=jira.email,
        token=jira.token.get_secret_value(),
        pat=jira.pat.get_secret_value(),
        deployment=jira.deployment,
        timeout_s=timeout_s,
        fields={str(name): field for name, field in jira.fields.items()},
        users=jira.users,
        gateway=jira.gateway if jira.scoped else "",
    )


SourceOpener = Callable[[Settings, SourceSection, Clock], SourceConfig]


@dataclass(frozen=True)
class Case:
    """The settings, the file they came from where that is known, and the clock that the product runs by."""

    settings: Settings
    path: Path | None
    now: Clock
    source_config: SourceOpener

    @cached_property
    def slack(self) -> SlackClient | None:
        """Slack, or None where it is not configured."""
        token = self.settings.slack.bot_token.get_secret_value()
        return SlackClient(token, self.settings.slack.api_url, TIMEOUT_S) if token else None

    @cached_property
    def identity(self) -> Identity | IntegrationError | None:
        """What Slack says of the token, or why it says nothing."""
        try:
            return self.slack.identity() if self.slack else None
        except IntegrationError as error:
            return error

    @cached_property
    def jira(self) -> JiraClient | None:
        """Jira, or None where it is not configured."""
        return open_jira(self.settings.jira, TIMEOUT_S)

    @cached_property
    def schema(self) -> Schema:
        """What schema the database has. Raises DatabaseError where it cannot be used."""
        return inspect_database(self.settings.database.url)

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A connection that only reads; the schema must be this version's."""
        opened = open_unchanged(self.settings.database.url)
        try:
            with opened.read() as connection:
                yield connection
        finally:
            opened.close()

    def skew(self, said: datetime) -> timedelta:
        """How far our clock is ahead of another one that was read just now."""
        return self.now() - said

    @property
    def channels(self) -> Sequence[str]:
        """Every channel that the configuration names, once."""
        named = (self.settings.slack.channel, *(report.channel for report in self.settings.reports))
        return list(dict.fromkeys(channel for channel in named if channel))
