"""`scrumbut`: every command of the product, from `bot.commands`."""

import sys

import typer

from bot.commands import beginning, judging, keeping, running, using

app = typer.Typer(
    name="scrumbut",
    help="Agile for machine-learning work: an untimeboxed experiment backlog between Slack, Jira and your tracker.",
    epilog="Exit codes: 0 fine, 1 something is wrong and named, 2 wrong use. Files: config.toml and .env beside it; a "
    "variable such as SCRUMBUT_SLACK__CHANNEL wins over both. The docs: docs/index.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for family in (beginning, using, running, keeping, judging):
    app.add_typer(family.commands)


def main() -> None:
    """The entry point of the `scrumbut` command."""
    # A pipe that closes early (`scrumbut exp list | head`) is no error worth a traceback.
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
