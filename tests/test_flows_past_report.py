"""Reports of the past: what today's code says of them, and those that nobody wrote in time."""

from collections.abc import Callable
from datetime import UTC, datetime

from typer.testing import CliRunner

from bot.cli import app
from bot.flows.write_report import find_stored
from tests.conftest import CONFIG, World
from tests.test_flows import run_whole_experiment


def test_a_rerun_under_the_same_code_says_the_same_though_much_has_happened_since(world: World) -> None:
    run_whole_experiment(world)
    world.clock.at = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    world.settle()
    before = world.type("report show 2026-W48")
    world.clock.forward(minutes=1)
    world.type('goal edit churn --target 0.9 "new contract"')
    world.type('new "Another" --goal churn')
    world.type('note EXP-1 "seen again"')
    world.clock.forward(days=3)
    (world.folder / "readings.csv").open("a").write("2026-12-01T10:00:00,recall,0.79,r9,0,dev,EXP-1\n")
    world.settle()
    said = world.type("report rerun 2026-W48 --dry-run")
    assert "Today's code says the same of weekly-manager-2026-W48." in said
    assert world.type("report show 2026-W48") == before
    assert "A report does not change." in world.type("report rerun 2026-W48")


def test_a_rerun_shows_where_the_team_s_own_template_says_something_else_now(
    make_world: Callable[..., World],
) -> None:
    world = make_world(config=CONFIG.replace('"mon 09:00 UTC"', '"mon 09:00 UTC"\ntemplates = "{folder}/mine"'))
    world.type("report post weekly")
    (world.folder / "mine").mkdir()
    (world.folder / "mine/weekly.text.j2").write_text("Hello, {{ verdict }}\n")
    said = world.type("report rerun 2026-W47 --dry-run")
    assert "+Hello, No goal is stated yet" in said
    assert "-Weekly report" in said


def test_past_weeks_are_written_for_the_archive_and_not_sent(world: World) -> None:
    run_whole_experiment(world)
    world.clock.at = datetime(2026, 12, 30, 12, 0, tzinfo=UTC)
    world.type("schedule weekly mon 09:00 #ml-managers --audience team")
    said = world.type("report backfill 2026-W48 2026-W51 --audience team")
    assert "4 written for the archive, none sent." in said
    first, second = (world.type(f"report show weekly-team-2026-W{week}") for week in (48, 49))
    assert "Char-level tokens raise recall (EXP-1): good" in first
    assert "Char-level tokens raise recall (EXP-1): good" not in second, "each tells only its own week"
    assert "Each of them is there already." in world.type("report backfill 2026-W48 2026-W51 --audience team")
    assert 'No weekly report was due for "2027-W01" to "2027-W09".' in world.type("report backfill 2027-W01 2027-W09")
    world.type("report backfill 2026-W40 2026-W40 --audience team")
    assert "No goal is stated yet" in world.type("report show weekly-team-2026-W40"), "before anything was known"
    assert not [text for text in world.channel("ml-managers") if text.startswith("Weekly report")]


def test_an_old_report_is_written_to_a_file_byte_for_byte_by_the_command_line(world: World) -> None:
    run_whole_experiment(world)
    world.type("report post weekly")
    stored = find_stored(world.services, "2026-W47", "weekly")
    for surface, content in (("html", stored.html), ("text", stored.text), ("slack", stored.slack)):
        path = world.folder / f"old.{surface}"
        line = ["report", "show", "2026-W47", "--format", surface, "-o", str(path)]
        result = CliRunner().invoke(app, [*line, "--config", str(world.folder / "config.toml")])
        assert result.exit_code == 0, result.output
        assert path.read_bytes() == content.encode()
    shown = CliRunner().invoke(app, ["report", "show", "2026-W47", "--config", str(world.folder / "config.toml")])
    assert shown.stdout == stored.text
