"""What every command does alike: opens the product, tells, shows its progress, and ends.

Exit codes: 0 fine, 1 something is wrong and named, 2 wrong use.
"""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from bot.printable import printable

if TYPE_CHECKING:
    from bot.config import Settings
    from bot.flows.services import Caller, Services


@contextmanager
def opened(config: Path) -> "Iterator[tuple[Settings, Services]]":
    """Settings and services for one command, of the workspace that SCRUMBUT_WORKSPACE names; failures as `mendable`."""
    from bot.clock import clock_from
    from bot.config import load_settings
    from bot.logs import configure_logs
    from bot.wiring import open_named, open_services

    configure_logs()
    with mendable():
        settings = load_settings(config)
        services = open_services(settings, clock_from(os.environ.get("SCRUMBUT_NOW", ""), settings.testing.allow))
        if workspace := os.environ.get("SCRUMBUT_WORKSPACE", ""):
            settings, services = open_named(settings, services, workspace)
        with closing(services.database):
            yield settings, services


@contextmanager
def mendable() -> "Iterator[None]":
    """What a person can mend ends the command with one line and exit code 1; anything else is a bug, and shows."""
    try:
        yield
    except Exception as error:
        if told := _remedy(error):
            fail(told)
        raise


def _remedy(error: Exception) -> str:
    """What to tell about an error; empty for one that nobody foresaw. Only who failed pays for these imports."""
    from sqlalchemy.exc import OperationalError

    from backlog.errors import BacklogError
    from bot.config import ConfigError
    from integrations.http import IntegrationError
    from reports.pictures import NotInstalled
    from store.database import DatabaseError

    if isinstance(error, OperationalError):
        return f"The database cannot be reached ({error.orig}). Check [database] url, and that its server is up."
    foreseen = (ConfigError, BacklogError, IntegrationError, DatabaseError, NotInstalled)
    return str(error) if isinstance(error, foreseen) else ""


@contextmanager
def writing() -> "Iterator[None]":
    """A file or folder that cannot be written ends the command with its name."""
    try:
        yield
    except OSError as error:
        fail(f'"{error.filename}" cannot be written: {error.strerror}. Name another place.')


def run_verb(words: list[str], config: Path, as_json: bool) -> None:
    """Run a verb of `/exp`, asking a person at a terminal where it is unsure, print its answer and end."""
    from bot.terminal import to_json, to_text
    from bot.verbs import Request, answer, help_for, split_line

    if help_ := help_for(words):
        typer.echo(to_json(help_) if as_json else to_text(help_))
        return
    asks = sys.stdin.isatty() and not as_json
    with opened(config) as (settings, services):
        request = Request(services, system_caller(settings), may_ask=asks, progress=progress)
        said = answer(words, request)
        if said.problem == "unsure":
            label, line = said.offers[0]
            typer.confirm(f"{to_text(said)}\n{label}?", abort=True, err=True)
            said = answer(split_line(line), request)
    text = to_json(said) if as_json else to_text(said)
    if text:
        typer.echo(text, err=bool(said.problem) and not as_json)
    raise typer.Exit({"": 0, "refused": 1, "unsure": 1, "wrong use": 2, "incomplete": 2}[said.problem])


@contextmanager
def progress(label: str, length: int) -> "Iterator[Callable[[int], None]]":
    """A bar on standard error, where a person sees it; else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def system_caller(settings: "Settings") -> "Caller":
    """Who sits at the command line: the system's user, in the role of `[roles] cli`."""
    from bot.flows.services import Caller

    name = getpass.getuser()
    return Caller(name, name, role=settings.roles.cli)


def tell(text: str, err: bool = False) -> None:
    """Print what may hold anybody's words."""
    typer.echo(printable(text), err=err)


def fail(text: str, code: int = 1) -> NoReturn:
    """Tell what is wrong and end; 2 for wrong use."""
    tell(text, err=True)
    raise typer.Exit(code)
