"""Reads the files of a folder of histories: their columns in the types that are needed, or a sentence on what is wrong
and where.

A cell that is empty, not finite or too large to have been measured counts as missing; a cell that cannot be read is
named with its line.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

LARGEST = 1e100  # what is beyond was not measured, and its square would be no number
T = TypeVar("T")


class HistoryError(Exception):
    """A file cannot be scored; the message names it, what is wrong, and what should be there."""


def read_table(
    folder: Path,
    name: str,
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
    instants: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> pd.DataFrame:
    """Those columns of a CSV file: text ("" where empty), numbers (NaN), and instants in UTC without a zone (NaT); of
    the numbers those in `optional` may not be there. Raises HistoryError."""
    raw = _read_csv(folder / name, name)
    needed = [column for column in (*text, *numbers, *instants) if column not in optional]
    lacking = [column for column in needed if column not in raw.columns]
    if lacking:
        raise HistoryError(f'{name} has no column "{lacking[0]}". It needs: {", ".join(needed)}.')
    columns = {column: raw[column].fillna("").str.strip() for column in text}
    columns |= {column: _numbers(raw[column], name) for column in numbers if column in raw.columns}
    columns |= {column: _instants(raw[column], name) for column in instants}
    return pd.DataFrame(columns, index=raw.index)


def columns_of(folder: Path, name: str) -> list[str]:
    """The columns of a CSV file. Raises HistoryError."""
    return [str(column) for column in _read_csv(folder / name, name).columns]


def _read_csv(path: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, encoding="utf-8-sig").dropna(how="all")
    except pd.errors.EmptyDataError:
        raise HistoryError(f"{name} is empty. Its first line names its columns: docs/judgement.md.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise HistoryError(f"{name} cannot be read as CSV in UTF-8 ({_short(error)}).") from None


def _numbers(cells: pd.Series, name: str) -> pd.Series:
    values = pd.to_numeric(cells, errors="coerce")
    _refuse(cells, values.isna() & ~cells.str.strip().str.lower().isin(["", "nan"]), name, "number")
    return values.where(values.abs() <= LARGEST)


def _instants(cells: pd.Series, name: str) -> pd.Series:
    values = pd.to_datetime(cells.str.strip(), errors="coerce", utc=True, format="ISO8601")
    _refuse(cells, values.isna() & (cells.str.strip() != ""), name, "date")
    return values.dt.tz_localize(None)


def _refuse(cells: pd.Series, wrong: pd.Series, name: str, wanted: str) -> None:
    wrong = wrong & cells.notna()
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        line, cell = int(str(cells.index[place])) + 2, str(cells.iloc[place])
        raise HistoryError(f'{name}, line {line}: {cells.name} "{cell[:40]}" is no {wanted}.')


def read_json(folder: Path, name: str, shape: TypeAdapter[T]) -> T:
    """A JSON file of that shape. Raises HistoryError."""
    try:
        return shape.validate_python(json.loads((folder / name).read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise HistoryError(f"{name}: {where[:80]}: {first['msg']}.") from None
    except (ValueError, OSError) as error:
        raise HistoryError(f"{name} cannot be read as JSON ({_short(error)}).") from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def filled(values: Sequence[float | None]) -> list[float]:
    """A series whose gaps are filled from their neighbours; empty where there is nothing at all."""
    known = np.array(values, float)
    known[~(abs(known) <= LARGEST)] = np.nan
    there = np.flatnonzero(~np.isnan(known))
    return np.interp(np.arange(len(known)), there, known[there]).tolist() if len(there) else []
