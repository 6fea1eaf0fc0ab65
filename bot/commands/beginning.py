"""Begin: a first configuration, what is wrong with it, the Slack app, and the product played offline."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.commands.options import BEGIN, DEFAULT_CONFIG, ConfigOption, JsonOption
from bot.commands.session import fail, mendable, tell

if TYPE_CHECKING:
    from bot.first_run import Question

commands = typer.Typer()


@commands.command(
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
    shows: Annotated[bool, typer.Option("--example", help="Only print every key with its unit and default.")] = False,
    asks: Annotated[bool, typer.Option("--ask/--no-ask", help="Ask for what no option says.")] = True,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Ask a few questions, write the configuration and .env, and tell what comes next. Run again, it changes what is
    answered anew and nothing else in the files."""
    from bot import first_run

    if shows:
        typer.echo(first_run.example(), nl=False)
        return
    options = {
        "channel": channel, "zone": zone, "public_url": public_url, "jira_url": jira_url, "source": source,
        "jira_project": jira_project, "jira_email": jira_email, "source_url": source_url,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    with mendable():
        content = first_run.open_config(config)
        known = first_run.known_answers(content)
        try:
            answers = first_run.fill_in(known, given, _ask if asks else None)
        except ValueError as error:
            fail(str(error), code=2)
        link = first_run.link_of(answers, content, config)
        written = first_run.write(config, content, answers)
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


@commands.command(rich_help_panel=BEGIN, epilog="Example: scrumbut doctor --send-test")
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
        tell(str(finding))
    raise typer.Exit(1 if any(finding.mark is Mark.WRONG for finding in found) else 0)


@commands.command(rich_help_panel=BEGIN, epilog="Example: scrumbut manifest --link")
def manifest(
    link: Annotated[bool, typer.Option("--link", help="Only the link that creates the app.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print the Slack app's manifest, and the link that creates the app from it."""
    from bot.config import load_settings
    from bot.manifest import app_manifest, creation_link

    with mendable():
        made = app_manifest(load_settings(config))
    if not link:
        typer.echo(json.dumps(made, indent=2))
        typer.echo("Create the app with this manifest:", err=True)
    typer.echo(creation_link(made), err=not link)


@commands.command(rich_help_panel=BEGIN, epilog="Example: scrumbut demo --page")
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
        fail(f"Port {port} cannot be used: {error.strerror}. Name another one: scrumbut demo --page --port 0")


@commands.command(rich_help_panel=BEGIN, epilog="Example: scrumbut sandbox --slack-port 4010 --jira-port 4011")
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
        fail(str(error))
