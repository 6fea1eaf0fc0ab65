"""`scrumbut doctor`: looks at a set-up and says what is wrong with it; changes nothing, and needs no running service.

A new check is one function that yields Findings, and one entry in CHECKS; each kind of trouble has its section in
docs/troubleshooting.md.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bot.clock import Clock
from bot.config import ConfigError, load_settings
from bot.doctor.case import Case, SourceOpener
from bot.doctor.here import (
    check_address,
    check_database,
    check_file,
    check_outbox,
    check_packages,
    check_templates,
)
from bot.doctor.outside import check_clock, check_jira, check_mapping, check_sources, check_webhook
from bot.doctor.sending import send_mail, send_message
from bot.doctor.slack import check_app_token, check_blocks, check_channels, check_scopes, check_token
from bot.flows.finding import Finding, trouble, wrong

Check = Callable[[Case], Iterator[Finding]]
CHECKS: Sequence[Check] = (
    check_file,
    check_packages,
    check_database,
    check_outbox,
    check_templates,
    check_address,
    check_token,
    check_scopes,
    check_app_token,
    check_channels,
    check_blocks,
    check_jira,
    check_mapping,
    check_webhook,
    check_clock,
    check_sources,
)
SENDING: Sequence[Check] = (send_message, send_mail)


def examine_file(path: Path, clock: Clock, source_config: SourceOpener, send_test: bool = False) -> list[Finding]:
    """Everything there is to say about the set-up in that file; only that one thing where it cannot be read. With
    `send_test` one message goes to each channel and one mail to the bot's own address, and nothing else changes."""
    try:
        settings = load_settings(path)
    except ConfigError as error:
        return [
            wrong("configuration", str(error), "Mend that key; scrumbut init --example shows all of them.", "config")
        ]
    return examine(Case(settings, path, clock, source_config), (*CHECKS, *SENDING) if send_test else CHECKS)


def examine(case: Case, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """The findings of the checks, in their order; a check that breaks is a finding itself."""
    return [finding for check in checks for finding in _findings(check, case)]


def _findings(check: Check, case: Case) -> list[Finding]:
    try:
        return list(check(case))
    except Exception as error:  # the doctor is there for what nobody thought of
        name = check.__name__.removeprefix("check_")
        return [
            trouble(name, f"the check itself failed: {type(error).__name__}: {error}", "Please report it.", "check")
        ]
