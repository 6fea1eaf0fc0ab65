"""Checks of this machine: the file, the packages, the database and what is stuck in it, templates, the address."""

import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from bot.doctor.case import Case
from bot.flows.finding import Finding, fine, trouble, wrong
from reports.templating import template_problem
from store import outbox, queue
from store.database import DatabaseError

PACKAGES = ("backlog", "bot", "integrations", "reports", "store")
HOME = Path(__file__).parent.parent.parent


def check_file(case: Case) -> Iterator[Finding]:
    """The file can be read by us alone where it holds secrets."""
    if case.path is None:
        return
    mode = case.path.stat().st_mode
    secrets = (case.settings.slack.bot_token, case.settings.jira.token, case.settings.jira.pat)
    if mode & (stat.S_IRGRP | stat.S_IROTH) and any(secret.get_secret_value() for secret in secrets):
        fact = f"{case.path} holds secrets, and others on this machine may read it."
        yield trouble("configuration", fact, f"chmod 600 {case.path}", "config-readable")
    else:
        yield fine("configuration", f"{case.path} is understood")
    env = case.path.with_name(".env")
    if env.exists() and env.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        fact = f"{env} holds secrets, and others on this machine may read it."
        yield trouble("configuration", fact, f"chmod 600 {env}", "config-readable")
    if case.settings.testing.allow:
        fact = "[testing] allow = true: SCRUMBUT_NOW could set the clock."
        yield trouble("configuration", fact, "Set it to false where people work.", "testing-allowed")


def check_packages(case: Case) -> Iterator[Finding]:
    """Our packages are ours: their names are short enough for somebody else to have had them, too."""
    origins = {name: spec.origin or "" for name in PACKAGES if (spec := find_spec(name))}
    foreign = next((name for name, origin in origins.items() if not Path(origin).is_relative_to(HOME)), None)
    if foreign is not None:
        fact = f'the package "{foreign}" comes from {origins[foreign]}, which is not scrumbut\'s.'
        yield wrong("packages", fact, "Install scrumbut into an environment of its own.", "foreign-package")
    else:
        yield fine("packages", f"from {HOME}")


def check_database(case: Case) -> Iterator[Finding]:
    """The database can be opened and written, and its schema is one this version knows."""
    url = "the database"
    try:
        schema = case.schema
    except DatabaseError as error:
        yield wrong("database", str(error), "Mend [database] url, or what it names.", "database-unusable")
        return
    if not schema.writable:
        fix = "Give the user that runs scrumbut the right to write it."
        yield wrong("database", f"{url} can be read and not be written.", fix, "database-read-only")
    elif schema.current is None:
        yield fine("database", "not there yet; it is made at the first start")
    elif schema.current == schema.head:
        yield fine("database", f"schema {schema.current}, may be written")
    elif schema.known:
        fact = f"schema {schema.current}; this version has {schema.head}."
        yield trouble("database", fact, "Copy the file, then start: it is migrated by itself.", "schema-older")
    else:
        fact = f'schema "{schema.current}" is of a newer version than this one ({schema.head}).'
        yield wrong("database", fact, "Upgrade scrumbut, or restore a backup.", "schema-newer")


def check_outbox(case: Case) -> Iterator[Finding]:
    """Nothing waits for a person."""
    try:
        if case.schema.current != case.schema.head:
            return
    except DatabaseError:
        return  # said already
    with case.database() as connection:
        states = outbox.count_by_state(connection)
        failed = queue.count_by_state(connection).get(queue.FAILED, 0)
    stuck = sum(states.get(state, 0) for state in (outbox.DEAD, outbox.UNKNOWN))
    if stuck:
        fact = f"{stuck} message{'s' if stuck > 1 else ''} to Slack or Jira need a person."
        yield trouble("outbox", fact, "scrumbut outbox list", "outbox-stuck")
    if failed:
        fact = f"{failed} task{'s' if failed > 1 else ''} failed eight times."
        yield trouble("queue", fact, 'Read "task given up" in the log; the line before it says why.', "task-given-up")
    if not stuck and not failed:
        yield fine("outbox", f"{sum(states.get(state, 0) for state in outbox.UNSETTLED)} on their way, none stuck")


def check_templates(case: Case) -> Iterator[Finding]:
    """One's own templates exist and can be read as templates."""
    for folder in dict.fromkeys(Path(report.templates) for report in case.settings.reports if report.templates):
        if not folder.is_dir():
            fact = f'"{folder}" is no folder.'
            yield wrong("templates", fact, "Mend templates under [[reports]].", "templates-missing")
            continue
        problems = [problem for path in sorted(folder.glob("*.j2")) if (problem := template_problem(path))]
        for problem in problems:
            yield trouble("templates", problem, "Until then the built-in one is used.", "template-broken")
        if not problems:
            yield fine("templates", f"{len(list(folder.glob('*.j2')))} of your own in {folder}")


def check_address(case: Case) -> Iterator[Finding]:
    """The address that links in Slack and Jira lead to is one that people can reach."""
    url = case.settings.web.public_url
    if not url:
        fact = "[web] public_url is empty: links in Slack and Jira lead to this machine alone."
        yield trouble("address", fact, 'public_url = "https://your-host"', "public-url-empty")
    elif not url.startswith(("https://", "http://")) or not urlsplit(url).hostname:
        yield wrong(
            "address", f'[web] public_url "{url}" is no address.', "Begin it with https://.", "public-url-wrong"
        )
    else:
        yield fine("address", url)
