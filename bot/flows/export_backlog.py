"""The whole backlog to files that people and other programs read: JSON Lines, and one CSV a table."""

import csv
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bot.flows.services import Services
from store.transfer import BY_NAME, count_rows, dump_rows

JSON_LINES = "backlog.jsonl"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # what a spreadsheet would run or swallow at a cell's start


def export_backlog(services: Services, folder: Path, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write `backlog.jsonl` and one CSV a table into the folder; returns how many rows. `progress` hears how many of
    them are written with each. Memory does not grow with the backlog."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with services.database.read() as connection, ExitStack() as opened:
        lines = opened.enter_context((folder / JSON_LINES).open("w", encoding="utf-8"))
        sheets = {}
        for name, table in BY_NAME.items():
            file = opened.enter_context((folder / f"{name}.csv").open("w", encoding="utf-8", newline=""))
            sheets[name] = csv.DictWriter(file, [column.name for column in table.columns])
            sheets[name].writeheader()
        for name, values in dump_rows(connection):
            lines.write(_json_line(name, values))
            sheets[name].writerow({key: _cell(value) for key, value in values.items()})
            count += 1
            progress(1)
    return count


def count_backlog(services: Services) -> int:
    """How many rows an export writes."""
    with services.database.read() as connection:
        return count_rows(connection)


def _json_line(name: str, values: Mapping[str, Any]) -> str:
    """One row as a line: `{"experiment": {"number": 12, …}}`."""
    return json.dumps({name: values}, ensure_ascii=False, allow_nan=False) + "\n"


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return repr(value) if isinstance(value, float) else value
