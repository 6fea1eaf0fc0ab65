"""Use it: the verbs of `/exp`, a report in any format, and what ties a training run to its experiment."""

import json
import os
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.commands.options import DEFAULT_CONFIG, USE, ConfigOption, JsonOption
from bot.commands.session import opened, run_verb, tell, writing
from bot.printable import printable

commands = typer.Typer()


@commands.command(
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
        run_verb(["report", name, *ctx.args, *(["--audience", audience] if audience else [])], config, as_json)
    from bot.flows.show_report import draft, write_out, write_out_stored

    subject = next(iter(ctx.args), "")
    with opened(config) as (_, services):
        if as_file:
            body, note = write_out_stored(services, subject, audience, surface)
        else:
            body, note = write_out(*draft(services, name, audience, subject), surface)
    if note:
        tell(note, err=True)
    if output is None:
        typer.echo(body if surface == "pdf" else printable(body.decode()), nl=surface != "pdf")
    else:
        with writing():
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_bytes(body)
        typer.echo(f"Wrote {output}.")


def _complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What a verb's next word may be, for the shell: a verb, or one of its options."""
    from bot.verbs import next_words

    known = next_words(ctx.params.get("words") or [])
    return [(word, about) for word, about in known if word.startswith(incomplete)]


@commands.command(
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
    run_verb(split_line(line), config, as_json)


@commands.command("env", rich_help_panel=USE, epilog='Example: eval "$(scrumbut env EXP-12)"')
def env_(
    key: Annotated[str, typer.Argument(help="The experiment, such as EXP-12, or its issue, such as ML-345.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print the environment in which MLflow and W&B tag their runs: eval "$(scrumbut env EXP-12)"."""
    from bot.flows.run_environment import run_environment

    with opened(config) as (_, services):
        variables = run_environment(services, key, os.environ)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    typer.echo(json.dumps(variables) if as_json else "\n".join(lines))
