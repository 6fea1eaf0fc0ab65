"""Opens what the configuration names; the only place that picks concrete classes."""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from string import Template

from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from backlog.cadence import read_cadence, read_span
from backlog.policy import PolicyItem, Rules
from backlog.priority import Weights
from backlog.team import Team
from bot.clock import Clock
from bot.config import (
    ConfigError,
    DatabaseSection,
    ReportSection,
    RetentionSection,
    Settings,
    SourceSection,
    workspace_settings,
)
from bot.doctor import examine
from bot.doctor.case import Case, open_jira
from bot.flows.installations import Installer, WorkspaceToken, uninstall
from bot.flows.links import Links
from bot.flows.pace import Pace
from bot.flows.report_plans import check_rhythm
from bot.flows.services import Mailer, Messenger, ReportPlan, Retention, Services, SourcePlan
from bot.manifest import SCOPES
from bot.roles import Role, Roles
from integrations.mail import Mailer as SmtpMailer
from integrations.slack import Installation, SlackClient
from integrations.slack_install import SlackInstall
from integrations.sources import SOURCES, open_source
from integrations.sources.source import SourceConfig
from store.database import Database, DatabaseError, open_database, workspace_url
from store.installations import Installation as Installed
from store.installations import load_installations
from store.secrets import find_secret, keep_secret

WORKSPACES = "/w/"  # before the id, in the addresses of other workspaces' pages


@dataclass(frozen=True, slots=True)
class Guest:
    """A workspace that installed the app, and what keeps its token."""

    installer: Installer
    id: str
    known: Installation | None = None

    @property
    def token(self) -> WorkspaceToken:
        """Its token, as it changes."""
        return WorkspaceToken(self.installer, self.id)


def open_services(settings: Settings, clock: Clock) -> Services:
    """Everything the flows need, opened; the caller closes `services.database`. Nothing is asked over the network
    yet. Raises ConfigError where the database cannot be opened."""
    database = _database(settings.database.url)
    installer = _installer(settings, database, clock) if settings.slack.distributed else None
    home = Guest(installer, settings.slack.home) if installer and settings.slack.home else None
    return replace(_services(settings, clock, database, home), installer=installer)


def open_workspace(
    settings: Settings, home: Services, installed: Installed, open_its: Callable[[str], Database]
) -> tuple[Settings, Services]:
    """The same for a workspace that installed the app: with settings, keys and a database of its own, which `open_its`
    opens. Raises ConfigError."""
    assert home.installer is not None
    own = workspace_settings(settings, installed.id)
    url = workspace_url(settings.database.url, installed.id)
    try:
        database = open_its(installed.id)
    except DBAPIError as error:
        what = f"there is no place for workspace {installed.id} ({error.orig})."
        raise ConfigError(f"[database] url: {what} Its account must be allowed to create schemas.") from error
    except DatabaseError as error:
        raise ConfigError(str(error)) from error
    public = f"{home.public_url}{WORKSPACES}{installed.id}"
    at = {"database": DatabaseSection(url=url), "web": own.web.model_copy(update={"public_url": public})}
    own = own.model_copy(update=at)
    whose = Installation(installed.team, installed.enterprise, installed.bot_user)
    guest = Guest(home.installer, installed.id, whose)
    return own, _services(own, home.now, database, guest)


def open_named(settings: Settings, home: Services, workspace: str) -> tuple[Settings, Services]:
    """The workspace of that id, for the command line. Raises ConfigError where it never installed the app."""
    known: list[Installed] = []
    if home.installer:
        with home.database.read() as connection:
            known = load_installations(connection)
    url = settings.database.url
    found = next((one for one in known if one.id == workspace), None)
    if found is None:
        there = ", ".join(one.id for one in known) or "none"
        raise ConfigError(f'SCRUMBUT_WORKSPACE: "{workspace[:40]}" has not installed the app. There are: {there}.')
    if workspace == settings.slack.home:
        return settings, home
    own, services = open_workspace(settings, home, found, lambda id_: open_database(workspace_url(url, id_)))
    return own, replace(services, neighbour=lambda id_: open_named(settings, home, id_)[1])


def _services(settings: Settings, clock: Clock, database: Database, guest: Guest | None) -> Services:
    keys = _link_keys(settings, database, guest.id if guest and guest.known else "")
    return Services(
        database=database,
        links=Links(keys, timedelta(days=settings.web.link_days)),
        now=clock,
        rules=_rules(settings),
        roles=Roles({role: frozenset(getattr(settings.roles, role)) for role in Role}, settings.roles.cli),
        messenger=_messenger(settings, clock, guest),
        mailer=_mailer(settings),
        tracker=open_jira(settings.jira, settings.outbox.timeout_s),
        retention=_retention(settings.retention),
        sources={section.name: _source(settings, section, clock) for section in settings.sources},
        reports=tuple(_report(report, settings) for report in settings.reports or (ReportSection(),)),
        statuses=settings.jira.status_map,
        issue_types=settings.jira.types_by_kind,
        jql=settings.jira.jql,
        webhook=bool(settings.jira.webhook_secret.get_secret_value() and settings.web.public_url),
        channel=settings.slack.channel,
        public_url=settings.web.public_url.rstrip("/") or f"http://{settings.web.host}:{settings.web.port}",
        examine=lambda: examine(Case(_with_token(settings, guest), None, clock, source_config)),
        timeout=timedelta(seconds=settings.outbox.timeout_s),
        quiet=timedelta(seconds=settings.outbox.quiet_s),
        leave=(lambda at: uninstall(guest.installer, guest.id, at)) if guest else (lambda at: None),
        stall=timedelta(seconds=settings.queue.stall_s),
        queue_limit=settings.queue.limit,
        persons=Pace(settings.limits.requests_person),
        addresses=Pace(settings.limits.requests_address),
    )


def _installer(settings: Settings, database: Database, clock: Clock) -> Installer:
    from store.vault import Vault  # cryptography takes a moment to load, and few need it

    vault = Vault([key.get_secret_value() for key in settings.security.encryption_keys])
    slack = settings.slack
    oauth = SlackInstall(
        slack.api_url, slack.client_id, slack.client_secret.get_secret_value(), SCOPES, settings.outbox.timeout_s
    )
    return Installer(database, vault, oauth, clock)


def _with_token(settings: Settings, guest: Guest | None) -> Settings:
    if guest is None:
        return settings
    token = SecretStr(guest.token.current())
    return settings.model_copy(update={"slack": settings.slack.model_copy(update={"bot_token": token})})


def _database(url: str) -> Database:
    try:
        return open_database(url)
    except DatabaseError as error:
        raise ConfigError(str(error)) from error


def _link_keys(settings: Settings, database: Database, workspace: str) -> list[bytes]:
    """What signs links: of each workspace another, so that no link of one opens a page of the next."""
    keys = [key.get_secret_value() for key in settings.security.encryption_keys]
    if not keys:
        with database.read() as connection:
            kept = find_secret(connection, "links")
        if kept is None:
            with database.write() as connection:
                kept = keep_secret(connection, "links")
        keys = [kept]
    if workspace:
        keys = [hmac.new(key.encode(), f"links of {workspace}".encode(), "sha256").hexdigest() for key in keys]
    return [key.encode() for key in keys]


def _retention(section: RetentionSection) -> Retention:
    records = {kind: read_span(text) for kind, text in section.records.items()}
    return Retention(read_span(section.raw), read_span(section.hourly), records)


def _rules(settings: Settings) -> Rules:
    return Rules(
        wip_person=settings.limits.wip_person,
        wip_goal=settings.limits.wip_goal,
        extensions=settings.limits.extensions,
        blocked_days=settings.limits.blocked_days,
        appetite_days=settings.appetite.model_dump(),
        weights=Weights(**settings.priority.model_dump()),
        policy=tuple(PolicyItem(item.but, item.because, item.instead) for item in settings.policy),
    )


def _messenger(settings: Settings, clock: Clock, guest: Guest | None) -> Messenger | None:
    token = guest.token if guest else settings.slack.bot_token.get_secret_value()
    if not token:
        return None
    whose = guest.known if guest else None
    return SlackClient(token, settings.slack.api_url, settings.outbox.timeout_s, clock, whose)


def _mailer(settings: Settings) -> Mailer | None:
    mail = settings.mail
    if not mail.host:
        return None
    password = mail.password.get_secret_value()
    return SmtpMailer(mail.host, mail.port, mail.user, password, mail.sender, settings.outbox.timeout_s, mail.tls)


def source_config(settings: Settings, section: SourceSection, clock: Clock) -> SourceConfig:
    """What a source is opened with. Raises ConfigError where the environment lacks what it names."""
    try:
        return SourceConfig(
            section.name,
            _filled(section.url),
            read_span(section.every),
            {name: _filled(value) for name, value in section.headers.items()},
            _filled(section.auth.get_secret_value()),
            section.timeout_s,
            section.rate,
            section.concurrency,
            section.options,
            frozenset(host.lower() for host in settings.security.allow_hosts),
            clock,
        )
    except ValueError as error:
        raise ConfigError(f'[[sources]] "{section.name}": {error}') from error


def _source(settings: Settings, section: SourceSection, clock: Clock) -> SourcePlan:
    config = source_config(settings, section, clock)
    try:
        return SourcePlan(section.name, section.kind, config.every, open_source(section.kind, config))
    except ValueError as error:
        raise ConfigError(f'[[sources]] "{section.name}": {error}') from error
    except ImportError as error:
        remedy = f"pip install 'scrumbut[{section.kind}]'" if section.kind in SOURCES else "install it again"
        raise ConfigError(f'[[sources]] "{section.name}" needs {error.name or error}: {remedy}.') from error


def _filled(text: str) -> str:
    """With the environment variables it names, so that no secret need be in the file."""
    try:
        return Template(text).substitute(os.environ)
    except KeyError as error:
        raise ValueError(
            f"the environment variable {error.args[0]} is not set. Set it where scrumbut starts."
        ) from None
    except ValueError:
        raise ValueError('a lone "$" stands in url, headers or auth. Write $NAME, or $$ for the sign.') from None


def _report(section: ReportSection, settings: Settings) -> ReportPlan:
    team = next((team for team in settings.teams if team.name == section.team), None)
    templates = Path(section.templates) if section.templates else None
    cadence = read_cadence(section.schedule)
    check_rhythm(section.name, cadence)
    return ReportPlan(
        section.name,
        section.audience,
        cadence,
        section.channel or (team.channel if team else ""),
        templates,
        section.emails,
        section.reviewer,
        read_span(section.preview),
        team=Team(team.name, team.goals) if team else None,
    )
