"""Keep the data: every method of judgement held against histories."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bot.commands.options import DEFAULT_CONFIG, KEEP, ConfigOption, JsonOption
from bot.commands.session import fail, opened, progress, writing

commands = typer.Typer()


@commands.command(rich_help_panel=KEEP, epilog="Example: scrumbut backtest --own")
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
        fail("Name a folder of histories, or ask for --own: scrumbut backtest FOLDER", code=2)
    try:
        parts = chosen(only)
    except ValueError as error:
        fail(str(error), code=2)
    if folder is not None:
        if not folder.is_dir():
            fail(f'"{folder}" is no folder. Its files are described in docs/judgement.md.')
        _backtest(folder, parts, predictions, as_json, own=False)
        return
    from bot.flows.own_histories import write_histories

    with opened(config) as (_, services), TemporaryDirectory() as place:
        write_histories(services, Path(place))
        _backtest(Path(place), parts, predictions, as_json, own=True)


def _backtest(folder: Path, parts: list[str], predictions: Path | None, as_json: bool, own: bool) -> None:
    from backtest import telling
    from backtest.parts import score_part

    scored = {}
    with progress("scoring", len(parts)) as step:
        for name in parts:
            scored[name] = score_part(name, folder, own)
            step(1)
    if predictions is not None:
        with writing():
            predictions.parent.mkdir(parents=True, exist_ok=True)
            telling.predictions_of(scored).to_csv(predictions, index=False)
    typer.echo(json.dumps(telling.as_json(scored), indent=2) if as_json else telling.told(scored))
    if any(part.wrong for part in scored.values()):
        raise typer.Exit(1)
