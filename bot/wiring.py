"""Opens what the configuration names; the only place that picks concrete classes."""

import os
from datetime import timedelta
from pathlib import Path
from string import Template

from backlog.cadence import read_cadence, read_span
from backlog.policy import PolicyItem, Rules
from backlog.priority import Weights
from bot.clock import Clock
from bot.config import ConfigError, ReportSection, Settings, SourceSection
from bot.doctor import examine
from bot.doctor.case import Case, open_jira
from bot.flows.links import Links
from bot.flows.report_plans import check_rhythm
from bot.flows.services import Mailer, Messenger, ReportPlan, Retention, Services, SourcePlan
from bot.roles import Role, Roles
from integrations.mail import Mailer as SmtpMailer
from integrations.slack import SlackClient
from integrations.sources import SOURCES, open_source
from integrations.sources.source import SourceConfig
from store.database import Database, DatabaseError, open_database
from store.secrets import find_secret, keep_secret


def open_services(settings: Settings, clock: Clock) -> Services:
    """Everything the flows need, opened; the caller closes `services.database`. Nothing is asked over the network
    yet. Raises ConfigError where the database cannot be opened."""
    database = _database(settings)
    return Services(
        database=database,
        links=Links(_link_keys(settings, database), timedelta(days=settings.web.link_days)),
        now=clock,
        rules=_rules(settings),
        roles=Roles({role: frozenset(getattr(settings.roles, role)) for role in Role}, settings.roles.cli),
        messenger=_messenger(settings, clock),
        mailer=_mailer(settings),
        tracker=open_jira(settings.jira, settings.outbox.timeout_s),
        retention=Retention(read_span(settings.retention.raw), read_span(settings.retention.hourly)),
        sources={section.name: _source(settings, section, clock) for section in settings.sources},
        reports=tuple(_report(report) for report in settings.reports or (ReportSection(),)),
        statuses=settings.jira.status_map,
        issue_types=settings.jira.types_by_kind,
        jql=settings.jira.jql,
        webhook=bool(settings.jira.webhook_secret.get_secret_value() and settings.web.public_url),
        channel=settings.slack.channel,
        public_url=settings.web.public_url.rstrip("/") or f"http://{settings.web.host}:{settings.web.port}",
        examine=lambda: examine(Case(settings, None, clock, source_config)),
        timeout=timedelta(seconds=settings.outbox.timeout_s),
        quiet=timedelta(seconds=settings.outbox.quiet_s),
    )


def _database(settings: Settings) -> Database:
    try:
        return open_database(settings.database.url)
    except DatabaseError as error:
        raise ConfigError(str(error)) from error


def _link_keys(settings: Settings, database: Database) -> list[bytes]:
    keys = [key.get_secret_value() for key in settings.security.encryption_keys]
    if not keys:
        with database.read() as connection:
            kept = find_secret(connection, "links")
        if kept is None:
            with database.write() as connection:
                kept = keep_secret(connection, "links")
        keys = [kept]
    return [key.encode() for key in keys]


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


def _messenger(settings: Settings, clock: Clock) -> Messenger | None:
    token = settings.slack.bot_token.get_secret_value()
    return SlackClient(token, settings.slack.api_url, settings.outbox.timeout_s, clock) if token else None


def _mailer(settings: Settings) -> Mailer | None:
    mail = settings.mail
    if not mail.host:
        return None
    password = mail.password.get_secret_value()
    return SmtpMailer(mail.host, mail.port, mail.user, password, mail.sender, settings.outbox.timeout_s)


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


def _report(section: ReportSection) -> ReportPlan:
    templates = Path(section.templates) if section.templates else None
    cadence = read_cadence(section.schedule)
    check_rhythm(section.name, cadence)
    return ReportPlan(
        section.name,
        section.audience,
        cadence,
        section.channel,
        templates,
        section.emails,
        section.reviewer,
        read_span(section.preview),
    )
