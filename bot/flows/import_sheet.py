"""Ideas out of a spreadsheet: its columns mapped to an experiment's fields, looked at before anything is created."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Experiment, Kind, clean_title
from backlog.priority import SCORES
from bot.flows.services import Caller, Services, acting
from store.experiments import add_experiment, load_titles, save_entry
from store.goals import find_goal
from store.people import person_named

# What each field of an experiment may be called in a sheet; --map names any other column.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "summary", "name", "idea", "experiment"),
    "goal": ("goal",),
    "kind": ("kind", "type"),
    "owner": ("owner", "assignee"),
    "appetite": ("appetite", "size"),
    "hypothesis": ("hypothesis",),
    "metric": ("metric",),
    "eval_set": ("eval_set", "eval set", "evaluation set"),
    "min_effect": ("min_effect", "min effect", "smallest effect"),
    "serves": ("serves", "decision"),
    "note": ("note", "notes", "description", "comment"),
    "learning_value": ("learning_value", "learning value", "learning"),
    "impact": ("impact",),
    "confidence": ("confidence",),
    "effort": ("effort",),
}
FRAMED = ("hypothesis", "metric", "eval_set", "min_effect", "serves")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One line of the sheet: what it would become, the key of what it is already, or why it cannot be read."""

    line: int
    title: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    known: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it would be imported: field → column, the columns that nothing reads, and its lines."""

    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    rows: tuple[SheetRow, ...]


def read_sheet(services: Services, path: Path, mapping: Mapping[str, str], goal: str = "") -> Sheet:
    """What importing would do; nothing is created. `mapping` gives columns by field, `goal` serves rows without one.
    Raises BacklogError for a file that cannot be read and a column that is not there."""
    header, lines = _lines(path)
    columns = _columns(header, mapping)
    with services.database.read() as connection:
        titles = load_titles(connection)
        rows = tuple(_row(connection, services, columns, goal, titles, *line) for line in lines)
    used = set(columns.values())
    return Sheet(columns, tuple(name for name in header if name and name not in used), rows)


def import_sheet(services: Services, caller: Caller, sheet: Sheet) -> list[Experiment]:
    """Create what is not there yet, all of it or nothing, and quietly: a card comes with the first act on each.
    Raises BacklogError where a line cannot be read."""
    wrong = next((row for row in sheet.rows if row.problem), None)
    if wrong:
        raise BacklogError(
            f"Line {wrong.line}: {wrong.problem}", "Nothing was imported. Mend the sheet, or look with --dry-run first."
        )
    with acting(services, caller) as connection:
        return [_create(connection, services, caller, row) for row in sheet.rows if not row.known]


def _create(connection: Connection, services: Services, caller: Caller, row: SheetRow) -> Experiment:
    now = services.now()
    given = dict(row.fields)
    begin = {name: given.pop(name) for name in ("goal", "kind", "owner", "appetite") if name in given}
    experiment = add_experiment(connection, lifecycle.create(row.title, caller.id, now, **begin))
    framing = {name: given.pop(name) for name in FRAMED if name in given}
    if framing:
        experiment = save_entry(connection, experiment, lifecycle.frame(experiment, caller.id, now, framing))
    if given:
        experiment = save_entry(connection, experiment, lifecycle.edit(experiment, caller.id, now, given))
    if row.note:
        experiment = save_entry(connection, experiment, lifecycle.note(experiment, caller.id, now, row.note))
    return experiment


def _lines(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BacklogError(f"{path}: {error.strerror}.", "Name a CSV file: scrumbut import --csv ideas.csv") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")  # what Excel writes where it does not say UTF-8
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:4_096], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(text.splitlines(keepends=True), dialect=dialect)
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    try:
        lines = [
            (reader.line_num, {name: (cell or "").strip() for name, cell in cells.items() if isinstance(name, str)})
            for cells in reader
        ]
    except csv.Error as error:
        raise BacklogError(f"{path}, line {reader.line_num}: {error}.", "Save the sheet as CSV again.") from error
    return header, [(number, cells) for number, cells in lines if any(cells.values())]


def _columns(header: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    by_name = {name.lower(): name for name in header}
    unknown = [f for f in mapping if f not in COLUMNS] or [c for c in mapping.values() if c.lower() not in by_name]
    if unknown:
        raise BacklogError(
            f'--map: "{unknown[0][:60]}" is neither a field nor a column here.',
            f"Fields: {', '.join(COLUMNS)}. Columns: {', '.join(header)}.",
        )
    guessed = {name: next((by_name[c] for c in called if c in by_name), "") for name, called in COLUMNS.items()}
    named = {name: by_name[column.lower()] for name, column in mapping.items()}
    columns = {name: column for name, column in {**guessed, **named}.items() if column}
    if "title" not in columns:
        raise BacklogError("No column holds the title.", f'--map title="{header[0] if header else "Summary"}"')
    return columns


def _row(
    connection: Connection,
    services: Services,
    columns: Mapping[str, str],
    goal: str,
    titles: Mapping[str, str],
    line: int,
    cells: Mapping[str, str],
) -> SheetRow:
    given = {name: cells.get(column, "") for name, column in columns.items()}
    try:
        title = clean_title(given.pop("title"))
        note, fields = _fields(connection, services, {"goal": goal, **{k: v for k, v in given.items() if v}})
    except BacklogError as error:
        return SheetRow(line, cells.get(columns["title"], "")[:60], problem=str(error))
    return SheetRow(line, title, fields, note, known=titles.get(title, ""))


def _fields(connection: Connection, services: Services, given: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The note and the fields, each as its type. Raises BacklogError for a value that is none."""
    notes = [given.pop("note", "")]
    fields: dict[str, Any] = {name: value for name, value in given.items() if value}
    if "goal" in fields:
        fields["goal"] = find_goal(connection, fields["goal"]).key
    if "kind" in fields:
        fields["kind"] = Kind(_one_of("kind", fields["kind"].lower(), [*Kind]))
    if "appetite" in fields:
        fields["appetite"] = _one_of("appetite", fields["appetite"].upper(), [*services.rules.appetite_days])
    if "owner" in fields:
        name = fields.pop("owner")
        known = person_named(connection, name)
        # On the first day nobody has used the bot yet; a name is no id, but it must not be lost.
        notes.append("" if known else f"Owner in the sheet: {name}")
        fields |= {"owner": known} if known else {}
    if "min_effect" in fields:
        fields["min_effect"] = _number("min_effect", fields["min_effect"])
    for name in SCORES:
        if name in fields:
            fields[name] = int(_one_of(name, fields[name], ["1", "2", "3", "4", "5"]))
    return "\n".join(note for note in notes if note), fields


def _one_of(name: str, value: str, allowed: list[Any]) -> str:
    if value not in allowed:
        raise BacklogError(f'{name} is "{value[:40]}", not one of {", ".join(map(str, allowed))}.')
    return value


def _number(name: str, value: str) -> float:
    try:
        return float(value.replace(",", "."))
    except ValueError as error:
        raise BacklogError(f'{name} is "{value[:40]}", not a number.') from error
