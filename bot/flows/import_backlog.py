"""An export, read back into an empty backlog: the same state, or nothing at all."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer

from backlog.errors import BacklogError
from bot.flows.export_backlog import JSON_LINES
from bot.flows.services import Services
from store.tables import Json
from store.transfer import BY_NAME, Row, check_row, holds, is_empty, restore_rows

CELL_MAX = 10_000_000  # characters; the csv module stops at 131,072 by itself


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows of the export were read, and whether they were there already."""

    rows: int
    known: bool


def import_backlog(
    services: Services, path: Path, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Imported:
    """Read a file of JSON Lines, or a folder of one CSV a table. All of it or nothing; the same export again changes
    nothing. Raises BacklogError with file and line for what does not fit, and where another backlog is here."""
    rows = sum(1 for _ in read_rows(path))  # every line is checked before the first is written
    if not rows:
        raise BacklogError(f"There is nothing to import in {path}.", "scrumbut export -o FOLDER writes what can be.")
    with services.database.write() as connection:
        if not is_empty(connection):
            if holds(connection, read_rows(path)):
                return Imported(rows, known=True)
            raise BacklogError(
                "There is another backlog here already.",
                "Name an empty database as [database] url, or add ideas with scrumbut import --csv FILE.",
            )
        restore_rows(connection, _watched(read_rows(path), progress))
        if dry_run:
            connection.rollback()
    return Imported(rows, known=False)


def _watched(rows: Iterator[Row], progress: Callable[[int], None]) -> Iterator[Row]:
    for row in rows:
        yield row
        progress(1)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of an export, each of them checked."""
    if path.is_dir():
        yield from _json_lines(path / JSON_LINES) if (path / JSON_LINES).exists() else _sheets(path)
    elif path.exists():
        yield from _json_lines(path)
    else:
        raise BacklogError(f"{path}: not found.", "Name the file or the folder that scrumbut export wrote.")


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                ((name, values),) = json.loads(line).items()
                check_row(name, values)
            except (ValueError, AttributeError, TypeError) as error:
                raise _unfit(path, number, error) from error
            yield name, values


def _sheets(folder: Path) -> Iterator[Row]:
    csv.field_size_limit(CELL_MAX)
    for name, table in BY_NAME.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            continue
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for cells in reader:
                try:
                    values = {key: _value(table.columns[key], cell) for key, cell in cells.items()}
                    check_row(name, values)
                except (ValueError, KeyError, TypeError) as error:
                    raise _unfit(path, reader.line_num, error) from error
                yield name, values


def _value(column: Column[Any], cell: str) -> Any:
    kind = column.type
    if cell == "" and column.nullable:
        return None
    if isinstance(kind, Json):
        return json.loads(cell)
    if isinstance(kind, Float):
        return float(cell)
    if isinstance(kind, Boolean):
        return {"True": True, "False": False}[cell]
    # An instant is an integer below, and a time in text here.
    if isinstance(kind, Integer | BigInteger):
        return int(cell)
    return cell.removeprefix("'")


def _unfit(path: Path, line: int, error: Exception) -> BacklogError:
    return BacklogError(f"{path}, line {line}: {error}.", "Nothing was imported. Mend the line, or export again.")
