"""Run it: the service, a replica's work, and the rounds it makes by itself, made now."""

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.commands.options import DEFAULT_CONFIG, RUN, ConfigOption, JsonOption
from bot.commands.session import fail, opened, progress, run_verb, system_caller, tell

if TYPE_CHECKING:
    from bot.flows.services import Services

commands = typer.Typer()


@commands.command(rich_help_panel=RUN, epilog="Example: scrumbut serve --config /etc/scrumbut/config.toml")
def serve(
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only web and clock, beside scrumbut work.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run the bot: Slack, the clock and the workers in one process."""
    from bot.serve import serve as run

    with suppress(SystemExit), opened(config) as (settings, services):  # SIGTERM ends it so
        run(settings, services, workers=not no_worker)
    _leave()


@commands.command(rich_help_panel=RUN)
def work(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run one more replica's clock and workers, on PostgreSQL; any number of them may run."""
    from bot.serve import work as run

    with opened(config) as (settings, services):
        run(settings, services)
    _leave()


def _leave() -> NoReturn:
    """End at once: a thread in the middle of a request that hangs would keep the process for minutes, and what it
    works on is taken over."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@commands.command(rich_help_panel=RUN, epilog="Example: scrumbut tick --once")
def tick(
    once: Annotated[bool, typer.Option("--once", help="Run what is due and end.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run all that is due now, and end when nothing is pending any more."""
    if not once:
        fail("tick runs once: scrumbut tick --once. The clock that keeps ticking is scrumbut serve.", code=2)
    from backlog.cadence import read_span
    from bot.schedule import schedules_of
    from bot.work import run_until_settled

    with opened(config) as (settings, services):
        run_until_settled(services, schedules_of(services, read_span(settings.sync.every)))


@commands.command(rich_help_panel=RUN, epilog="Example: scrumbut sync --full")
def sync(
    full: Annotated[bool, typer.Option("--full", help="Everything in scope, not only what changed.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read Jira now."""
    from bot.flows.services import require_role
    from bot.flows.sync_backlog import count_changed, sync_backlog
    from bot.terminal import to_json, to_text
    from bot.verbs.syncing import synced

    with opened(config) as (settings, services):
        require_role(services, system_caller(settings), "read Jira now")
        # Only the bar needs to know how many there are, so only a person at a terminal pays the request.
        waiting = count_changed(services, full) if sys.stderr.isatty() else 0
        with progress("reading Jira", waiting) as step:
            said = synced(sync_backlog(services, full, step))
    typer.echo(to_json(said) if as_json else to_text(said))


@commands.command(rich_help_panel=RUN, epilog="Example: scrumbut poll --dry-run")
def poll(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read once and show what came; store nothing.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read every metric source now."""
    from bot.flows.poll_metrics import poll_source

    with opened(config) as (_, services):
        if not services.sources:
            fail(f"{config}: there is no source to poll. Add one as [[sources]].")
        if dry_run:
            _try_sources(services, as_json)
        polled = [poll_source(services, plan, all_due=True) for plan in services.sources.values()]
    if as_json:
        typer.echo(json.dumps([{"source": p.source, "readings": p.readings, "error": p.error} for p in polled]))
    for done in polled:
        if done.error:
            tell(done.error, err=True)
        elif not as_json:
            tell(f"{done.source}: {done.metrics} metrics, {done.readings} new readings")
    raise typer.Exit(1 if any(done.error for done in polled) else 0)


def _try_sources(services: "Services", as_json: bool) -> None:
    from bot.flows.manage_metrics import Trial, try_source
    from bot.verbs.metrics import readings_table, rows_of
    from integrations.http import IntegrationError

    trials, errors = list[Trial](), list[str]()
    for plan in services.sources.values():
        try:
            trials += try_source(services, plan)
        except IntegrationError as error:
            errors.append(str(error))
    errors += [f"{trial.metric.name} ({trial.metric.environment}): {trial.error}" for trial in trials if trial.error]
    if as_json:
        named = [
            (t.metric.source, t.metric.goal, t.metric.name, t.metric.environment, t.count, rows_of(t)) for t in trials
        ]
        columns = ("source", "goal", "metric", "environment", "count", "latest")
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in named]))
    for trial in () if as_json else trials:
        m = trial.metric
        tell(f"{m.source}: {m.name} of {m.goal} in {m.environment} ({m.key}): {trial.count} readings")
        if trial.latest:
            tell(readings_table(rows_of(trial)).aligned())
    for problem in errors:
        tell(problem, err=True)
    raise typer.Exit(1 if errors else 0)


@commands.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    help="What waits for a person: scrumbut outbox list | show | retry | drop.",
    rich_help_panel=RUN,
)
def outbox(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run one of the outbox's verbs."""
    run_verb(["outbox", *(ctx.args or ["list"])], config, as_json)
