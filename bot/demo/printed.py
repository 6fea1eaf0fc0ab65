"""The demo in a terminal: plays the story, then prints the conversation and the report."""

import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import typer

from bot.demo.story import Story, chapters_of, open_story
from sandbox.transcript import transcript
from store.reports import find_report_of

SHOWN_SINCE = datetime(2026, 11, 19, tzinfo=UTC)


def play(output: Path) -> None:
    """Play the story, print the conversation and the report, write the page to `output`/report.html."""
    began = time.perf_counter()
    with ExitStack() as running:
        story = open_story(Path(running.enter_context(tempfile.TemporaryDirectory())), running)
        tell(story)
        _show(story, output)
    typer.echo(f"{story.trained} models trained, ten weeks played in {time.perf_counter() - began:.0f} s.")


def tell(story: Story) -> None:
    """Let the ten weeks happen, under a bar."""
    with typer.progressbar(chapters_of(story), label="ten weeks", file=typer.get_text_stream("stderr")) as bar:
        for day, happens in bar:
            story.at(day)
            happens()


def _show(story: Story, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    typer.echo(transcript(story.slack, SHOWN_SINCE.timestamp()))
    plan = story.services.reports[0]
    with story.services.database.read() as connection:
        report = find_report_of(connection, plan.name, plan.audience, "2026-W47")
    if report is None:
        raise RuntimeError("the weekly report was not written")
    typer.echo("── The weekly report, as a terminal shows it " + "─" * 52)
    typer.echo(report.text)
    (output / "report.html").write_text(report.html, encoding="utf-8")
    (output / "report.slack.json").write_text(report.slack, encoding="utf-8")
    typer.echo(
        "The people and the dates are a story, the stand-ins are not Slack and not Jira; every model was trained."
    )
    typer.echo(f"The page: {output / 'report.html'}")
