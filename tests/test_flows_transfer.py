"""Export and import: the same state, or nothing; and ideas out of a spreadsheet."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backlog.errors import BacklogError
from bot.cli import app
from bot.flows.export_backlog import export_backlog
from bot.flows.import_backlog import import_backlog
from bot.flows.import_sheet import import_sheet, read_sheet
from bot.flows.services import Caller, Services
from store.experiments import load_experiments, load_timeline
from tests.conftest import CONFIG, World
from tests.test_flows import run_whole_experiment

ANA = Caller("ana", "ana")


@pytest.fixture
def told(world: World) -> World:
    """A backlog with a whole way, hostile text and every kind of field."""
    run_whole_experiment(world)
    world.type('new "Focal loss" --goal churn --follows EXP-1')
    world.type("note EXP-2 \"=HYPERLINK(1) 'quoted', new\nline; <!channel> \u202e\"")
    world.type('block EXP-2 "\'=labels" --until 2027-03-01')
    world.type("edit EXP-2 --learning 3 --impact 2 --confidence 5 --effort 1")
    world.type('risk add churn "vendor data ends in May" --impact high')
    world.type("watch recall --env dev --below 0.7")
    world.type("risk ack 1 seen")
    return world


@pytest.fixture
def empty(make_world: Callable[..., World]) -> Services:
    return make_world(config=CONFIG.replace("scrumbut.db", "empty.db")).services


def state(services: Services) -> object:
    with services.database.read() as connection:
        experiments = load_experiments(connection)
        return experiments, [load_timeline(connection, e.key) for e in experiments]


@pytest.mark.parametrize("form", ["JSON Lines", "CSV"])
def test_an_export_read_back_is_the_same_state(told: World, empty: Services, tmp_path: Path, form: str) -> None:
    export_backlog(told.services, tmp_path / "out")
    if form == "CSV":
        (tmp_path / "out/backlog.jsonl").unlink()
    assert not import_backlog(empty, tmp_path / "out").known
    assert state(empty) == state(told.services)
    export_backlog(told.services, tmp_path / "out")
    export_backlog(empty, tmp_path / "again")
    for file in (tmp_path / "out").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    assert import_backlog(empty, tmp_path / "again").known, "the same again changes nothing"


def test_what_is_imported_is_found_and_goes_on(told: World, make_world: Callable[..., World], tmp_path: Path) -> None:
    export_backlog(told.services, tmp_path / "out")
    other = make_world(config=CONFIG.replace("scrumbut.db", "other.db"))
    import_backlog(other.services, tmp_path / "out")
    assert "EXP-2" in other.type("find focal")
    assert "EXP-3 is on the backlog" in other.type('new "Another"')
    assert "Noted on EXP-2." in other.type("note EXP-2 seen again")
    assert "vendor data ends in May" in other.type("risk list churn")
    assert "recall" in other.type("watch")


def test_no_cell_of_the_csv_is_a_formula(told: World, tmp_path: Path) -> None:
    export_backlog(told.services, tmp_path / "out")
    for path in (tmp_path / "out").glob("*.csv"):
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [c for c in cells if c.startswith(("=", "+", "@", "\t"))] == []
        assert [c for c in cells if c.startswith("-") and not c[1:2].isdigit()] == []


def test_another_backlog_is_never_overwritten(told: World, empty: Services, tmp_path: Path) -> None:
    export_backlog(told.services, tmp_path / "out")
    told.type("note EXP-1 later")
    with pytest.raises(BacklogError, match="There is another backlog here already"):
        import_backlog(told.services, tmp_path / "out")


def without_learning(line: str) -> str:
    return line.replace("recall up 5 points", "recall up 50 points") if line.startswith('{"experiment"') else line


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [*lines, "{"], "Expecting property name"),
        (lambda lines: [*lines, "[1]"], "line"),
        (lambda lines: [*lines, '{"secret": {"id": 1}}'], '"secret" is no part of a backlog'),
        (lambda lines: [*lines, '{"person": {"id": "x", "age": 3}}'], 'person has no "age"'),
        (lambda lines: [*lines, '{"person": {"name": "x"}}'], "person without its id"),
        (lambda lines: [*lines, '{"experiment": {"number": "1"}}'], "number is '1', not int"),
        (lambda lines: [without_learning(line) for line in lines], "EXP-1 is not what its timeline says"),
        (lambda lines: [line for line in lines if '"act": "outcome"' not in line], "EXP-1 is not what its timeline"),
    ],
)
def test_a_changed_or_broken_export_changes_nothing(
    told: World, empty: Services, tmp_path: Path, change: Callable[[list[str]], list[str]], says: str
) -> None:
    export_backlog(told.services, tmp_path / "out")
    path = tmp_path / "out/backlog.jsonl"
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(BacklogError, match=says.replace("[", r"\[")):
        import_backlog(empty, path)
    assert state(empty) == ([], [])


def test_a_dry_run_imports_nothing(told: World, empty: Services, tmp_path: Path) -> None:
    export_backlog(told.services, tmp_path / "out")
    assert import_backlog(empty, tmp_path / "out", dry_run=True).rows > 10
    assert state(empty) == ([], [])


SHEET = """Summary;Goal;Size;Owner;Impact;Smallest effect;Remarks
Mixup for tabular;churn;m;Ana;4;0,01;tried in May
=SUM(A1);;;;;;
"""


def test_a_spreadsheet_is_mapped_looked_at_and_then_added_once(world: World, tmp_path: Path) -> None:
    world.type('goal add churn "keep active clients"')
    path = tmp_path / "ideas.csv"
    path.write_bytes(SHEET.encode("utf-8-sig"))
    sheet = read_sheet(world.services, path, {"note": "Remarks"}, goal="churn")
    assert dict(sheet.columns)["note"] == "Remarks"
    assert [row.title for row in sheet.rows] == ["Mixup for tabular", "=SUM(A1)"]
    assert state(world.services) == ([], []), "looking creates nothing"
    first, _ = import_sheet(world.services, ANA, sheet)
    assert (first.goal, first.appetite, first.owner, first.impact, first.min_effect) == ("churn", "M", "U0ANA", 4, 0.01)
    assert "tried in May" in world.type("show EXP-1")
    again = read_sheet(world.services, path, {"note": "Remarks"}, goal="churn")
    assert [row.known for row in again.rows] == ["EXP-1", "EXP-2"]
    assert import_sheet(world.services, ANA, again) == []


def test_a_line_that_cannot_be_read_keeps_the_whole_sheet_out(world: World, tmp_path: Path) -> None:
    path = tmp_path / "ideas.csv"
    path.write_text("title,kind\nGood idea,baseline\nAnother,guess\n🚀,baseline\n")
    sheet = read_sheet(world.services, path, {})
    assert [row.problem[:20] for row in sheet.rows] == ["", 'kind is "guess", not', "A title needs words."]
    with pytest.raises(BacklogError, match='Line 3: kind is "guess"'):
        import_sheet(world.services, ANA, sheet)
    assert state(world.services) == ([], [])


@pytest.mark.parametrize(
    ("text", "mapping", "says"),
    [
        ("Idea!\nx\n", {}, "No column holds the title"),
        ("title\nx\n", {"title": "Nope"}, 'neither a field nor a column here'),
        ("title\nx\n", {"colour": "title"}, 'neither a field nor a column here'),
    ],
)  # fmt: skip
def test_a_wrong_mapping_names_what_there_is(
    world: World, tmp_path: Path, text: str, mapping: dict[str, str], says: str
) -> None:
    path = tmp_path / "ideas.csv"
    path.write_text(text)
    with pytest.raises(BacklogError, match=says):
        read_sheet(world.services, path, mapping)


def test_the_command_line_exports_imports_and_looks_first(
    told: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(app, [*words])
        assert result.exit_code in (0, 1), result.output
        return result.output

    monkeypatch.setenv("SCRUMBUT_CONFIG", str(told.folder / "config.toml"))
    assert "backlog.jsonl, and one CSV a table" in run("export", "-o", str(tmp_path / "out"))
    assert "are here already; nothing changed." in run("import", str(tmp_path / "out"))
    other = tmp_path / "other.toml"
    other.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/o.db"\n')
    assert "Would import" in run("import", str(tmp_path / "out"), "--dry-run", "--config", str(other))
    assert run("exp", "list", "--json", "--config", str(other)) == "[]\n"
    assert "Imported" in run("import", str(tmp_path / "out"), "--config", str(other))
    listed = json.loads(run("exp", "list", "--json", "--config", str(other)))
    assert [line["key"] for line in listed] == ["EXP-2", "EXP-1"], "what is unfinished comes first"
    (tmp_path / "ideas.csv").write_text("Summary\nMixup\nFocal loss\n")
    looked = run("import", "--csv", str(tmp_path / "ideas.csv"), "--dry-run", "--config", str(other))
    assert looked.splitlines()[-2:] == ["2     new    Mixup", "3     EXP-2  Focal loss"]
    assert "Added 1 experiments; 1 were here already." in run(
        "import", "--csv", str(tmp_path / "ideas.csv"), "--config", str(other)
    )
