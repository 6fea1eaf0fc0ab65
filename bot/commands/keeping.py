"""Keep the data: the backlog carried out and in, a person forgotten, and the database as a whole."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.commands.options import DEFAULT_CONFIG, KEEP, ConfigOption, JsonOption
from bot.commands.session import fail, mendable, opened, progress, system_caller, tell, writing

if TYPE_CHECKING:
    from bot.flows.services import Caller, Services
    from bot.upkeep import Workspace

commands = typer.Typer()


@commands.command(rich_help_panel=KEEP, epilog="Example: scrumbut export -o backlog-export")
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")] = Path("backlog-export"),
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the whole backlog as JSON Lines and CSV."""
    from bot.flows.export_backlog import count_backlog, export_backlog

    with writing(), opened(config) as (_, services), progress("writing", count_backlog(services)) as step:
        rows = export_backlog(services, output, step)
    typer.echo(f"Wrote {rows} rows to {output}: backlog.jsonl, and one CSV a table.")


@commands.command(rich_help_panel=KEEP)
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

    with opened(config) as (settings, services):
        done = forget_person(
            services, system_caller(settings), person, with_text=text, name_is_a_word=name_is_a_word, dry_run=dry_run
        )
        said = forgotten(done, dry_run, keys_naming(settings, done.person))
    typer.echo(to_json(said) if as_json else to_text(said))


@commands.command(
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

    with opened(config) as (settings, services):
        caller = system_caller(settings)
        if sheet:
            _import_sheet(services, caller, path, columns or [], goal, dry_run)
            return
        require_role(services, caller, "import a backlog", Role.ADMIN)
        with progress("reading", sum(1 for _ in read_rows(path))) as step:
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
        fail("--map needs field=Column, such as --map title=Summary.", code=2)
    read = read_sheet(services, path, mapping, goal)
    if dry_run:
        rows = [(row.line, row.problem or row.known or "new", row.title) for row in read.rows]
        tell(", ".join(f"{name} ← {column}" for name, column in read.columns.items()))
        tell(f"not read: {', '.join(read.ignored)}" if read.ignored else "every column is read")
        tell(table_of(("line", "what", "title"), rows).aligned())
        raise typer.Exit(1 if any(row.problem for row in read.rows) else 0)
    made = import_sheet(services, caller, read)
    known = sum(bool(row.known) for row in read.rows)
    typer.echo(f"Added {len(made)} experiments; {known} were here already.")


@commands.command(rich_help_panel=KEEP, epilog="Example: scrumbut workspaces --json")
def workspaces(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Who installed the app, and how it is with each: what waits, what was given up, what needs a person."""
    from bot.terminal import to_json, to_text
    from bot.upkeep import look_at
    from bot.verbs.answer import Answer, table_of
    from store.installations import load_installations

    with opened(config) as (settings, services):
        if services.installer is None:
            fail("No other workspace may install the app: [slack] distributed is not set. See docs/operations.md.")
        with services.database.read() as connection:
            known = load_installations(connection)
        with progress("looking", len(known)) as step:
            found = []
            for installed in known:
                found.append(look_at(settings.database.url, installed, installed.id == settings.slack.home))
                step(1)
    rows = [_row(workspace) for workspace in found]
    headings = ("id", "name", "installed", "state", "tasks waiting", "given up", "need a person")
    more = ("SCRUMBUT_WORKSPACE=ID scrumbut … works in one of them.",) if rows else ()
    data = [dict(zip(headings, row, strict=True)) for row in rows]
    said = Answer(f"{len(rows)} workspaces", table=table_of(headings, rows) if rows else None, more=more, data=data)
    typer.echo(to_json(said) if as_json else to_text(said))


def _row(workspace: "Workspace") -> tuple[object, ...]:
    one = workspace.installed
    state = f"left {one.gone_at:%Y-%m-%d}" if one.gone_at else workspace.problem or "served"
    counts = (workspace.waiting, workspace.failed, workspace.stuck)
    return (one.id, one.name, f"{one.installed_at:%Y-%m-%d}", state, *counts)


database = typer.Typer(help="The database as a whole.", no_args_is_help=True)


commands.add_typer(database, name="db", rich_help_panel=KEEP)


@database.command("upgrade")
def db_upgrade(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the schema to this version; serve does so by itself."""
    from bot import upkeep

    with mendable():
        typer.echo(upkeep.upgrade(upkeep.url_of(config)))


@database.command("check")
def db_check(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say whether the database holds together; changes nothing."""
    from bot import upkeep

    with mendable():
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

    with mendable():
        rows = upkeep.move(source, target, progress)
    typer.echo(f"Moved {rows} rows, each table counted on both sides. Set [database] url to the new address.")


@commands.command(rich_help_panel=KEEP, epilog="Example: scrumbut backup backup.db")
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Write everything into one file while the service runs; it holds secrets."""
    from bot import upkeep

    with mendable():
        rows = upkeep.back_up(upkeep.url_of(config), path, progress)
    typer.echo(f"Wrote {rows} rows to {path}.")


@commands.command(rich_help_panel=KEEP, epilog="Example: scrumbut restore backup.db")
def restore(
    path: Annotated[Path, typer.Argument(help="What backup wrote.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Read a backup into an empty database."""
    from bot import upkeep

    with mendable():
        rows = upkeep.restore(path, upkeep.url_of(config), progress)
    typer.echo(f"Restored {rows} rows from {path}.")
