"""`scrumbut`: every command of the product. Exit codes: 0 fine, 1 something is wrong and named, 2 wrong use.

What is heavy (pandas, Slack, Jira, the web) is imported inside the command that needs it.
"""

import getpass
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from bot.printable import printable

if TYPE_CHECKING:
    from bot.config import Settings
    from bot.first_run import Question
    from bot.flows.services import Caller, Services

app = typer.Typer(
    name="scrumbut",
    help="Agile for machine-learning work: an untimeboxed experiment backlog between Slack, Jira and your tracker.",
    epilog="Exit codes: 0 fine, 1 something is wrong and named, 2 wrong use. Files: config.toml and .env beside it; a "
    "variable such as SCRUMBUT_SLACK__CHANNEL wins over both. The docs: docs/index.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

BEGIN, USE, RUN, KEEP = "Begin", "Use it", "Run it", "Keep the data"  # the parts of the help

ConfigOption = Annotated[
    Path,
    typer.Option("--config", envvar="SCRUMBUT_CONFIG", help="The configuration file."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data for scripts.")]
DEFAULT_CONFIG = Path("config.toml")
SurfaceName = Literal["slack", "html", "text", "md", "json", "pdf"]


@app.command(rich_help_panel=RUN, epilog="Example: scrumbut serve --config /etc/scrumbut/config.toml")
def serve(
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only web and clock, beside scrumbut work.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run the bot: Slack, the clock and the workers in one process."""
    from bot.serve import serve as run

    with suppress(SystemExit), _opened(config) as (settings, services):  # SIGTERM ends it so
        run(settings, services, workers=not no_worker)
    _leave()


@app.command(rich_help_panel=RUN)
def work(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run one more replica's clock and workers, on PostgreSQL; any number of them may run."""
    from bot.serve import work as run

    with _opened(config) as (settings, services):
        run(settings, services)
    _leave()


def _leave() -> NoReturn:
    """End at once: a thread in the middle of a request that hangs would keep the process for minutes, and what it
    works on is taken over."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@app.command(rich_help_panel=RUN, epilog="Example: scrumbut tick --once")
def tick(
    once: Annotated[bool, typer.Option("--once", help="Run what is due and end.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run all that is due now, and end when nothing is pending any more."""
    if not once:
        _fail("tick runs once: scrumbut tick --once. The clock that keeps ticking is scrumbut serve.", code=2)
    from backlog.cadence import read_span
    from bot.schedule import schedules_of
    from bot.work import run_until_settled

    with _opened(config) as (settings, services):
        run_until_settled(services, schedules_of(services, read_span(settings.sync.every)))


@app.command(rich_help_panel=RUN, epilog="Example: scrumbut sync --full")
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

    with _opened(config) as (settings, services):
        require_role(services, _caller(settings), "read Jira now")
        # Only the bar needs to know how many there are, so only a person at a terminal pays the request.
        waiting = count_changed(services, full) if sys.stderr.isatty() else 0
        with _progress("reading Jira", waiting) as step:
            said = synced(sync_backlog(services, full, step))
    typer.echo(to_json(said) if as_json else to_text(said))


@app.command(rich_help_panel=RUN, epilog="Example: scrumbut poll --dry-run")
def poll(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read once and show what came; store nothing.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read every metric source now."""
    from bot.flows.poll_metrics import poll_source

    with _opened(config) as (_, services):
        if not services.sources:
            _fail(f"{config}: there is no source to poll. Add one as [[sources]].")
        if dry_run:
            _try_sources(services, as_json)
        polled = [poll_source(services, plan, all_due=True) for plan in services.sources.values()]
    if as_json:
        typer.echo(json.dumps([{"source": p.source, "readings": p.readings, "error": p.error} for p in polled]))
    for done in polled:
        if done.error:
            _tell(done.error, err=True)
        elif not as_json:
            _tell(f"{done.source}: {done.metrics} metrics, {done.readings} new readings")
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
        _tell(f"{m.source}: {m.name} of {m.goal} in {m.environment} ({m.key}): {trial.count} readings")
        if trial.latest:
            _tell(readings_table(rows_of(trial)).aligned())
    for problem in errors:
        _tell(problem, err=True)
    raise typer.Exit(1 if errors else 0)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    rich_help_panel=USE,
    epilog="Example: scrumbut report weekly --format html -o report.html",
)
def report(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Which report, such as weekly; or a verb of /exp report.")] = "weekly",
    surface: Annotated[
        Literal["slack", "html", "text", "md", "json", "pdf"], typer.Option("--format", help="What to write.")
    ] = "text",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file; else standard output.")] = None,
    audience: Annotated[str, typer.Option(help="For whom, where a report has several audiences.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a report as it would be due now, nothing is posted or stored (`report experiment EXP-12` for one card); or
    run a verb: report show 2026-W47."""
    from bot.verbs.reporting import report as verbs

    as_file = name == "show" and (output is not None or surface != "text")
    if name in verbs.commands and not as_file:
        _run_verb(["report", name, *ctx.args, *(["--audience", audience] if audience else [])], config, as_json)
    from bot.flows.show_report import draft, write_out, write_out_stored
    from reports.pictures import NotInstalled

    subject = next(iter(ctx.args), "")

    try:
        with _opened(config) as (_, services):
            if as_file:
                body, note = write_out_stored(services, subject, audience, surface)
            else:
                body, note = write_out(*draft(services, name, audience, subject), surface)
    except NotInstalled as error:
        _fail(str(error))
    if note:
        _tell(note, err=True)
    if output is None:
        typer.echo(body if surface == "pdf" else printable(body.decode()), nl=surface != "pdf")
    else:
        with _readable_failures():
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_bytes(body)
        typer.echo(f"Wrote {output}.")


def _complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What a verb's next word may be, for the shell: a verb, or one of its options."""
    from bot.verbs import next_words

    known = next_words(ctx.params.get("words") or [])
    return [(word, about) for word, about in known if word.startswith(incomplete)]


@app.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    help="The verbs of /exp: scrumbut exp list. `scrumbut exp help` shows them all.",
    rich_help_panel=USE,
)
def exp(
    words: Annotated[list[str] | None, typer.Argument(help="A verb and its words.", autocompletion=_complete)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run one verb."""
    from bot.verbs import split_line

    # The shell took the quotes; a word with spaces gets them back, so that phone-typed dashes read alike everywhere.
    line = " ".join('"' + word.replace('"', '\\"') + '"' if " " in word or not word else word for word in words or [])
    _run_verb(split_line(line), config, as_json)


@app.command(
    rich_help_panel=BEGIN,
    epilog="Example: scrumbut init --no-ask --channel ml --zone Europe/Berlin",
)
def init(
    channel: Annotated[str | None, typer.Option(help="Channel for cards and reports, such as #ml.")] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the weekly report, such as Europe/Berlin.")] = None,
    public_url: Annotated[str | None, typer.Option(help="Address of this server; empty for Socket Mode.")] = None,
    jira_url: Annotated[str | None, typer.Option(help="Jira's address; empty for none.")] = None,
    jira_project: Annotated[str | None, typer.Option(help="Key of the project to follow, such as ML.")] = None,
    jira_email: Annotated[str | None, typer.Option(help="E-mail of the account in Jira Cloud.")] = None,
    source: Annotated[str | None, typer.Option(help="Kind of the first metric source, such as mlflow.")] = None,
    source_url: Annotated[str | None, typer.Option(help="Address or path of that source.")] = None,
    asks: Annotated[bool, typer.Option("--ask/--no-ask", help="Ask for what no option says.")] = True,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Ask a few questions, write the configuration and .env, and tell what comes next. Run again, it changes what is
    answered anew and nothing else in the files."""
    from bot import first_run
    from bot.config import ConfigError

    options = {
        "channel": channel, "zone": zone, "public_url": public_url, "jira_url": jira_url, "source": source,
        "jira_project": jira_project, "jira_email": jira_email, "source_url": source_url,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    try:
        content = first_run.open_config(config)
        known = first_run.known_answers(content)
        answers = first_run.fill_in(known, given, _ask if asks else None)
        link = first_run.link_of(answers, content, config)
        written = first_run.write(config, content, answers)
    except ConfigError as error:
        _fail(str(error))
    except ValueError as error:
        _fail(str(error), code=2)
    typer.echo(f"Wrote {' and '.join(map(str, written))}." if written else "Nothing changed.")
    for line in first_run.next_steps(config, answers, link):
        typer.echo(line)


def _ask(question: "Question", before: str) -> str:
    """What a person says to a question, asked again while it is wrong; a secret is not shown."""
    while True:
        hidden = bool(question.secret)
        said = typer.prompt(question.words, default=before, show_default=bool(before), hide_input=hidden)
        try:
            return question.check(str(said).strip())
        except ValueError as error:
            typer.echo(str(error), err=True)


@app.command(rich_help_panel=BEGIN, epilog="Example: scrumbut doctor --send-test")
def doctor(
    as_json: JsonOption = False,
    send_test: Annotated[bool, typer.Option("--send-test", help="Post a test message to each channel, too.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Look at the whole set-up and say what is wrong with it and how to mend it; changes nothing."""
    from bot.clock import machine_clock
    from bot.doctor import examine_file
    from bot.flows.finding import Mark
    from bot.logs import configure_logs
    from bot.wiring import source_config

    configure_logs()
    found = examine_file(config, machine_clock, source_config, send_test)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found]))
    for finding in () if as_json else found:
        _tell(str(finding))
    raise typer.Exit(1 if any(finding.mark is Mark.WRONG for finding in found) else 0)


@app.command(rich_help_panel=BEGIN, epilog="Example: scrumbut manifest --link")
def manifest(
    link: Annotated[bool, typer.Option("--link", help="Only the link that creates the app.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print the Slack app's manifest, and the link that creates the app from it."""
    from bot.config import ConfigError, load_settings
    from bot.manifest import app_manifest, creation_link

    try:
        made = app_manifest(load_settings(config))
    except ConfigError as error:
        _fail(str(error))
    if not link:
        typer.echo(json.dumps(made, indent=2))
        typer.echo("Create the app with this manifest:", err=True)
    typer.echo(creation_link(made), err=not link)


@app.command("env", rich_help_panel=USE, epilog='Example: eval "$(scrumbut env EXP-12)"')
def env_(
    key: Annotated[str, typer.Argument(help="The experiment, such as EXP-12, or its issue, such as ML-345.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print the environment in which MLflow and W&B tag their runs: eval "$(scrumbut env EXP-12)"."""
    from bot.flows.run_environment import run_environment

    with _opened(config) as (_, services):
        variables = run_environment(services, key, os.environ)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    typer.echo(json.dumps(variables) if as_json else "\n".join(lines))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    help="What waits for a person: scrumbut outbox list | show | retry | drop.",
    rich_help_panel=RUN,
)
def outbox(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run one of the outbox's verbs."""
    _run_verb(["outbox", *(ctx.args or ["list"])], config, as_json)


@app.command(rich_help_panel=KEEP, epilog="Example: scrumbut export -o backlog-export")
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")] = Path("backlog-export"),
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the whole backlog as JSON Lines and CSV."""
    from bot.flows.export_backlog import count_backlog, export_backlog

    with _readable_failures(), _opened(config) as (_, services), _progress("writing", count_backlog(services)) as step:
        rows = export_backlog(services, output, step)
    typer.echo(f"Wrote {rows} rows to {output}: backlog.jsonl, and one CSV a table.")


@app.command(rich_help_panel=KEEP)
def forget(
    person: Annotated[str, typer.Argument(help="A Slack id (U…), or a name as /exp shows it.")],
    text: Annotated[bool, typer.Option("--text", help="Drop their notes, comments and calls too.")] = False,
    name_is_a_word: Annotated[
        bool, typer.Option("--name-is-a-word", help="Leave the name in sentences; else it goes from everywhere.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show where they stand.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Put a pseudonym in the place of a person, everywhere."""
    from bot.config import keys_naming
    from bot.flows.forget_person import forget_person
    from bot.terminal import to_json, to_text
    from bot.verbs.administration import forgotten

    with _opened(config) as (settings, services):
        done = forget_person(
            services, _caller(settings), person, with_text=text, name_is_a_word=name_is_a_word, dry_run=dry_run
        )
        said = forgotten(done, dry_run, keys_naming(settings, done.person))
    typer.echo(to_json(said) if as_json else to_text(said))


@app.command(
    "import", rich_help_panel=KEEP, epilog="Example: scrumbut import --csv ideas.csv --map title=Summary --dry-run"
)
def import_(
    path: Annotated[Path, typer.Argument(help="What export wrote: its folder or backlog.jsonl; a sheet with --csv.")],
    sheet: Annotated[bool, typer.Option("--csv", help="It is a spreadsheet of ideas, one a line.")] = False,
    columns: Annotated[list[str] | None, typer.Option("--map", help="field=Column, such as title=Summary.")] = None,
    goal: Annotated[str, typer.Option(help="With --csv: the goal of lines that name none.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read an export into an empty backlog, or add the ideas of a spreadsheet."""
    from bot.flows.import_backlog import import_backlog, read_rows
    from bot.flows.services import require_role
    from bot.roles import Role

    with _opened(config) as (settings, services):
        caller = _caller(settings)
        if sheet:
            _import_sheet(services, caller, path, columns or [], goal, dry_run)
            return
        require_role(services, caller, "import a backlog", Role.ADMIN)
        with _progress("reading", sum(1 for _ in read_rows(path))) as step:
            done = import_backlog(services, path, dry_run, step)
    if done.known:
        typer.echo(f"All {done.rows} rows are here already; nothing changed.")
    else:
        typer.echo(f"{'Would import' if dry_run else 'Imported'} {done.rows} rows from {path}.")


def _import_sheet(
    services: "Services", caller: "Caller", path: Path, columns: list[str], goal: str, dry_run: bool
) -> None:
    from bot.flows.import_sheet import import_sheet, read_sheet
    from bot.verbs.answer import table_of

    mapping = dict(pair.split("=", 1) for pair in columns if "=" in pair)
    if len(mapping) < len(columns):
        _fail("--map needs field=Column, such as --map title=Summary.", code=2)
    read = read_sheet(services, path, mapping, goal)
    if dry_run:
        rows = [(row.line, row.problem or row.known or "new", row.title) for row in read.rows]
        _tell(", ".join(f"{name} ← {column}" for name, column in read.columns.items()))
        _tell(f"not read: {', '.join(read.ignored)}" if read.ignored else "every column is read")
        _tell(table_of(("line", "what", "title"), rows).aligned())
        raise typer.Exit(1 if any(row.problem for row in read.rows) else 0)
    made = import_sheet(services, caller, read)
    known = sum(bool(row.known) for row in read.rows)
    typer.echo(f"Added {len(made)} experiments; {known} were here already.")


@app.command(rich_help_panel=BEGIN, epilog="Example: scrumbut demo --page")
def demo(
    output: Annotated[Path, typer.Option("-o", help="Folder for the page.")] = Path("demo-out"),
    page: Annotated[bool, typer.Option("--page", help="Serve it in the browser instead, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of that page; 0 takes a free one.")] = 4040,
) -> None:
    """Play the main job offline against stand-ins of Slack and Jira on this machine."""
    from bot.logs import configure_logs

    configure_logs(logging.ERROR)
    if not page:
        from bot.demo.printed import play

        play(output)
        return
    from bot.demo.page import serve_page

    try:
        serve_page(port)
    except OSError as error:
        _fail(f"Port {port} cannot be used: {error.strerror}. Name another one: scrumbut demo --page --port 0")


@app.command(rich_help_panel=BEGIN, epilog="Example: scrumbut sandbox --slack-port 4010 --jira-port 4011")
def sandbox(
    slack_port: Annotated[int, typer.Option(help="Port of the Slack stand-in.")] = 4010,
    jira_port: Annotated[int, typer.Option(help="Port of the Jira stand-in.")] = 4011,
    load: Annotated[Path | None, typer.Option(help="Issues to load, JSON lines.")] = None,
) -> None:
    """Run the stand-ins of Slack and Jira until Ctrl-C."""
    from sandbox.serving import serve_forever

    try:
        serve_forever(slack_port, jira_port, load)
    except (OSError, ValueError) as error:
        _fail(str(error))


@app.command(rich_help_panel=KEEP, epilog="Example: scrumbut backtest --own")
def backtest(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of histories; docs/judgement.md has its files.")
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="Score the team's own history instead.")] = False,
    only: Annotated[str, typer.Option(help="Parts to score, such as A,B,D_gap; a letter is all its parts.")] = "",
    predictions: Annotated[Path | None, typer.Option(help="Write every prediction with its outcome, as CSV.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Hold every method of judgement against histories, its rivals beside it."""
    from backtest.parts import chosen

    if own == (folder is not None):
        _fail("Name a folder of histories, or ask for --own: scrumbut backtest FOLDER", code=2)
    try:
        parts = chosen(only)
    except ValueError as error:
        _fail(str(error), code=2)
    if folder is not None:
        if not folder.is_dir():
            _fail(f'"{folder}" is no folder. Its files are described in docs/judgement.md.')
        _backtest(folder, parts, predictions, as_json, own=False)
        return
    from bot.flows.own_histories import write_histories

    with _opened(config) as (_, services), TemporaryDirectory() as place:
        write_histories(services, Path(place))
        _backtest(Path(place), parts, predictions, as_json, own=True)


def _backtest(folder: Path, parts: list[str], predictions: Path | None, as_json: bool, own: bool) -> None:
    from backtest import telling
    from backtest.parts import score_part

    scored = {}
    with _progress("scoring", len(parts)) as step:
        for name in parts:
            scored[name] = score_part(name, folder, own)
            step(1)
    if predictions is not None:
        with _readable_failures():
            predictions.parent.mkdir(parents=True, exist_ok=True)
            telling.predictions_of(scored).to_csv(predictions, index=False)
    typer.echo(json.dumps(telling.as_json(scored), indent=2) if as_json else telling.told(scored))
    if any(part.wrong for part in scored.values()):
        raise typer.Exit(1)


database = typer.Typer(help="The database as a whole.", no_args_is_help=True)
app.add_typer(database, name="db")


@database.command("upgrade")
def db_upgrade(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the schema to this version; serve does so by itself."""
    from bot import upkeep

    with _mendable():
        typer.echo(upkeep.upgrade(upkeep.url_of(config)))


@database.command("check")
def db_check(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say whether the database holds together; changes nothing."""
    from bot import upkeep

    with _mendable():
        problems = upkeep.check(upkeep.url_of(config))
    typer.echo(json.dumps(problems) if as_json else "\n".join(problems) or "all is well")
    raise typer.Exit(1 if problems else 0)


@database.command("move")
def db_move(
    source: Annotated[str, typer.Argument(help="Its address, such as sqlite:///scrumbut.db.")],
    target: Annotated[str, typer.Argument(help="That of an empty one, such as postgresql+psycopg://user@host/name.")],
) -> None:
    """Carry a whole database over, with its queue and its outbox, and count what arrived."""
    from bot import upkeep

    with _mendable():
        rows = upkeep.move(source, target, _progress)
    typer.echo(f"Moved {rows} rows, each table counted on both sides. Set [database] url to the new address.")


@app.command(rich_help_panel=KEEP, epilog="Example: scrumbut backup backup.db")
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Write everything into one file while the service runs; it holds secrets."""
    from bot import upkeep

    with _mendable():
        rows = upkeep.back_up(upkeep.url_of(config), path, _progress)
    typer.echo(f"Wrote {rows} rows to {path}.")


@app.command(rich_help_panel=KEEP, epilog="Example: scrumbut restore backup.db")
def restore(
    path: Annotated[Path, typer.Argument(help="What backup wrote.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Read a backup into an empty database."""
    from bot import upkeep

    with _mendable():
        rows = upkeep.restore(path, upkeep.url_of(config), _progress)
    typer.echo(f"Restored {rows} rows from {path}.")


@contextmanager
def _mendable() -> "Iterator[None]":
    """What a person can mend ends the command with one line and exit code 1."""
    from sqlalchemy.exc import OperationalError

    from backlog.errors import BacklogError
    from bot.config import ConfigError
    from integrations.http import IntegrationError
    from store.database import DatabaseError

    try:
        yield
    except (ConfigError, BacklogError, IntegrationError, DatabaseError) as error:
        _fail(str(error))
    except OperationalError as error:
        _fail(f"The database cannot be reached ({error.orig}). Check its address.")


def _run_verb(words: list[str], config: Path, as_json: bool) -> None:
    from bot.terminal import to_json, to_text
    from bot.verbs import Request, answer, help_for, split_line

    if help_ := help_for(words):
        typer.echo(to_json(help_) if as_json else to_text(help_))
        return
    asks = sys.stdin.isatty() and not as_json
    with _opened(config) as (settings, services):
        request = Request(services, _caller(settings), may_ask=asks, progress=_progress)
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
def _progress(label: str, length: int) -> "Iterator[Callable[[int], None]]":
    """A bar on standard error, where a person sees it; else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def _caller(settings: "Settings") -> "Caller":
    from bot.flows.services import Caller

    name = getpass.getuser()
    return Caller(name, name, role=settings.roles.cli)


@contextmanager
def _opened(config: Path) -> "Iterator[tuple[Settings, Services]]":
    """Settings and services for one command; what a person can mend ends it with one line and exit code 1."""
    from backlog.errors import BacklogError
    from bot.clock import clock_from
    from bot.config import ConfigError, load_settings
    from bot.logs import configure_logs
    from bot.wiring import open_named, open_services
    from integrations.http import IntegrationError

    configure_logs()
    try:
        settings = load_settings(config)
        services = open_services(settings, clock_from(os.environ.get("SCRUMBUT_NOW", ""), settings.testing.allow))
        if workspace := os.environ.get("SCRUMBUT_WORKSPACE", ""):
            settings, services = open_named(settings, services, workspace)
        try:
            yield settings, services
        finally:
            services.database.close()
    except (ConfigError, BacklogError, IntegrationError) as error:
        _fail(str(error))


@contextmanager
def _readable_failures() -> "Iterator[None]":
    """A file or folder that cannot be written ends the command with its name."""
    try:
        yield
    except OSError as error:
        _fail(f'"{error.filename}" cannot be written: {error.strerror}. Name another place.')


def _tell(text: str, err: bool = False) -> None:
    """Print what may hold anybody's words."""
    typer.echo(printable(text), err=err)


def _fail(text: str, code: int = 1) -> NoReturn:
    _tell(text, err=True)
    raise typer.Exit(code)


def main() -> None:
    """The entry point of the `scrumbut` command."""
    # A pipe that closes early (`scrumbut exp list | head`) is no error worth a traceback.
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
