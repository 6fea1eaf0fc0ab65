"""Checks of everything else outside: the clock against theirs, Jira, the metric sources."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from backlog.cadence import read_span
from bot.config import ConfigError, SourceSection
from bot.doctor.case import Case
from bot.flows.finding import Finding, Topic, fine, trouble, wrong
from bot.flows.read_mapping import mapping_of
from bot.flows.read_sources import MISSED, since_read
from integrations.http import FORBIDDEN, IntegrationError
from integrations.slack import Identity
from store.database import DatabaseError
from store.metrics import source_states

SKEW = timedelta(seconds=30)  # from here on, times in reports are visibly wrong
SKEW_MAX = timedelta(minutes=4)  # Slack's signatures are good for five
EXPIRES_SOON = timedelta(days=5)  # it should have been extended by then
FILES = ("csv", "jsonl", "parquet", "dvclive", "tensorboard")


def check_clock(case: Case) -> Iterator[Finding]:
    """Our clock agrees with Slack's, or else with Jira's; signatures and merges depend on it."""
    said = _said_at(case)
    if said is None:
        return
    skew = case.skew(said)
    ahead = f"{abs(skew).total_seconds():.0f} s {'ahead' if skew > timedelta() else 'behind'}"
    if abs(skew) >= SKEW_MAX:
        fact = f"this machine's clock is {ahead}: Slack's requests are refused as too old."
        yield wrong("clock", fact, "timedatectl set-ntp true", "clock-skew")
    elif abs(skew) >= SKEW:
        yield trouble("clock", f"this machine's clock is {ahead}.", "timedatectl set-ntp true", "clock-skew")
    else:
        yield fine("clock", "in line")


def _said_at(case: Case) -> datetime | None:
    if isinstance(case.identity, Identity) and case.identity.said_at:
        return case.identity.said_at
    return case.jira.server_time if case.jira else None


def check_jira(case: Case) -> Iterator[Finding]:
    """Jira accepts the account, and the scope is one it understands."""
    if case.jira is None:
        fact = "[jira] url is empty: experiments have no issues."
        yield trouble("Jira", fact, "Set [jira] url, email, token and jql.", "jira-off")
        return
    try:
        case.jira.check_account()
    except IntegrationError as error:
        topic: Topic = "jira-refuses" if error.permanent else "jira-unreachable"
        yield wrong("Jira", error.what, error.remedy or "Check the network and [jira] url.", topic)
        return
    yield fine("Jira", case.settings.jira.url)
    try:
        ids = case.jira.census(case.settings.jira.jql)
    except IntegrationError as error:
        yield wrong("Jira", f"[jira] jql: {error.what}", "Try the same JQL in Jira's search.", "jql-refused")
        return
    if ids:
        yield fine("Jira", f"{len(ids)} issues in scope")
    else:
        fact = f"no issue is in the scope of jql = {case.settings.jira.jql!r}."
        yield trouble("Jira", fact, "Check the project's key, and that the account may browse it.", "jql-empty")


def check_mapping(case: Case) -> Iterator[Finding]:
    """Which statuses stand for which stages, and what that means for the issues that are there."""
    if case.jira is None:
        return
    stages = "; ".join(f"{stage}: {target}" for stage, target in case.settings.jira.stages.items())
    yield fine("mapping", stages or "no stage has a status: statuses are left alone")
    try:
        if case.schema.current != case.schema.head:
            return
        with case.database() as connection:
            shown = mapping_of(connection, case.jira, case.settings.jira.status_map, case.settings.jira.types_by_kind)
    except (IntegrationError, DatabaseError) as error:
        remedy = getattr(error, "remedy", "") or "Check [jira.fields] and [jira.users]."
        yield wrong("mapping", str(error), remedy, "mapping-wrong")
        return
    alone = ", ".join(f'"{line.status}" ({line.issues} issues)' for line in shown.statuses if not line.stages)
    if alone:
        yield fine("mapping", f"left alone: {alone}")
    if any(shown.would.values()):
        yield fine("mapping", "; ".join(f"{count} linked issues would {what}" for what, count in shown.would.items()))
    for where, names in shown.screens.items():
        fix = "Name the resolution in [jira.stages]; give any other field a default in Jira."
        yield trouble("mapping", f"{where} asks for {', '.join(names)}.", fix, "screen-asks")


def check_webhook(case: Case) -> Iterator[Finding]:
    """Jira tells us of changes, where it lets us see whether it does."""
    if case.jira is None or not case.settings.jira.webhook_secret.get_secret_value():
        return
    url = f"{case.settings.web.public_url.rstrip('/')}/jira/webhook"
    try:
        own = [hook for hook in case.jira.webhooks() if hook.url == url]
    except IntegrationError as error:
        if error.code == FORBIDDEN:
            yield fine("webhook", f"an admin's own, for {url}; this account may not see it")
        else:
            yield trouble("webhook", error.what, error.remedy or "Polling goes on without it.", "webhook-missing")
        return
    left = min((hook.expires - case.now() for hook in own), default=None)
    if left is None:
        yield trouble(
            "webhook", f"none for {url}: changes arrive by polling.", "Start scrumbut serve.", "webhook-missing"
        )
    elif left < EXPIRES_SOON:
        yield trouble(
            "webhook", f"it expires in {left.days} days.", "Check that scrumbut serve runs.", "webhook-missing"
        )
    else:
        yield fine("webhook", f"alive for {left.days} days")


def check_sources(case: Case) -> Iterator[Finding]:
    """Each metric source answers, and its last read went well."""
    last = _last_reads(case)
    if not case.settings.sources:
        fact = "no metric source is configured: nothing is measured."
        yield trouble("sources", fact, "Add one as [[sources]].", "no-source")
    for section in case.settings.sources:
        try:
            _ask(case, section)
        except (IntegrationError, ConfigError) as error:
            yield _unread(section.name, error)
            continue
        lag, failed = last.get(section.name, (None, ""))
        fix = "scrumbut exp metric test NAME shows it again; its metrics are stale until then."
        if failed:
            yield trouble(section.name, f"its last read failed: {failed}", fix, "source-failed")
        elif lag is not None and lag > MISSED * read_span(section.every):
            fact = f"{section.kind} answers, but was {since_read(lag)}, and is due every {section.every}."
            yield trouble(section.name, fact, "Check that scrumbut serve runs.", "source-failed")
        else:
            yield fine(section.name, f"{section.kind} answers, {since_read(lag)}")


def _ask(case: Case, section: SourceSection) -> None:
    config = case.source_config(case.settings, section, case.now)
    if config.url.startswith(("http://", "https://")):
        config.open_session().check_reachable(config.url)
    elif section.kind in FILES and not Path(config.url.removeprefix("file://")).exists():
        what = f'"{config.url}" does not exist.'
        raise IntegrationError(section.name, what, f'Check url of the source "{section.name}" in config.toml.')


def _unread(name: str, error: IntegrationError | ConfigError) -> Finding:
    if isinstance(error, ConfigError):
        return wrong(name, str(error), "Set it where scrumbut starts.", "source-variable")
    if "Invalid Host header" in error.what:
        fix = "Start it with --allowed-hosts naming the host that scrumbut asks for."
        return wrong(name, "it refuses the host's name (403 Invalid Host header).", fix, "mlflow-host")
    return wrong(name, error.what, error.remedy or f'Check url of the source "{name}".', "source-down")


def _last_reads(case: Case) -> dict[str, tuple[timedelta | None, str]]:
    """By source: how long ago its last good read is, and the error of the last one."""
    try:
        if case.schema.current != case.schema.head:
            return {}
    except DatabaseError:
        return {}
    with case.database() as connection:
        states = source_states(connection)
    now = case.now()
    return {name: (now - read_at if read_at else None, error) for name, (read_at, error) in states.items()}
