"""Readings from CSV and JSON Lines files: columns time, metric, value; optionally run, step, environment (else
dev), experiment.

Reads line by line; a line still being written, without its newline, is left for the next poll.
"""

import csv
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from backlog.metric import DEV, Metric, Reading
from integrations.http import IntegrationError

REQUIRED = ("time", "metric", "value")
Signature = tuple[int, int]  # modification time in ns, size in bytes


class _Files(ABC):
    """A file, or all files of a folder in the order of their names."""

    suffix: ClassVar[str]

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._path = Path(url.removeprefix("file://"))
        self._read: dict[Path, tuple[Signature, datetime | None]] = {}

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> dict[int, list[Reading]]:
        """See `Source.fetch`. A file that changed is read whole: lines may be added late with old times. Naive times
        are UTC; a value that is not finite is kept as NaN."""
        found: dict[int, list[Reading]] = {metric.id: [] for metric in metrics}
        for path in self._paths(since):
            for number, row in self._rows(path):
                wanted = [metric for metric in metrics if _concerns(metric, row)]
                if not wanted:
                    continue
                reading = self._reading(row, f"{path.name}, line {number}")
                for metric in wanted:
                    found[metric.id].append(reading)
        return found

    def _paths(self, since: datetime | None) -> list[Path]:
        if not self._path.exists():
            raise IntegrationError(
                self.name,
                f'"{self._path}" does not exist.',
                f'Check url of the source "{self.name}" in config.toml.',
                permanent=True,
            )
        paths = sorted(self._path.glob(f"*{self.suffix}")) if self._path.is_dir() else [self._path]
        return [path for path in paths if since is None or self._changed(path, since)]

    def _changed(self, path: Path, since: datetime) -> bool:
        """Whether the file was written since it was read. `since` moves only when a poll was stored, so a file whose
        readings were lost on the way is read again."""
        stat = path.stat()
        signature = (stat.st_mtime_ns, stat.st_size)
        known, before = self._read.get(path, (None, None))
        if known == signature and before != since:
            return False
        self._read[path] = (signature, since)
        return True

    @abstractmethod
    def _rows(self, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """(line number, columns) of each whole line."""

    def _reading(self, row: Mapping[str, Any], where: str) -> Reading:
        for column in REQUIRED:
            if row.get(column) in (None, ""):
                raise self._wrong(where, f'has no "{column}"', f"Every line needs {', '.join(REQUIRED)}.")
        return Reading(
            at=self._time(row["time"], where),
            value=self._number(row["value"], where),
            run=str(row.get("run") or ""),
            step=self._step(row.get("step"), where),
            experiment=str(row.get("experiment") or ""),
        )

    def _time(self, text: Any, where: str) -> datetime:
        try:
            at = datetime.fromisoformat(str(text))
        except ValueError:
            raise self._wrong(where, f'has the time "{text}"', "Write it in ISO 8601.") from None
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)

    def _number(self, text: Any, where: str) -> float:
        try:
            value = float(text)
        except (TypeError, ValueError):
            raise self._wrong(where, f'has the value "{text}"', "Write a number.") from None
        return value if math.isfinite(value) else math.nan

    def _step(self, text: Any, where: str) -> int:
        try:
            return int(text) if text not in (None, "") else 0
        except (TypeError, ValueError):
            raise self._wrong(where, f'has the step "{text}"', "Write a whole number.") from None

    def _wrong(self, where: str, what: str, remedy: str) -> IntegrationError:
        return IntegrationError(self.name, f"{where} {what}.", remedy, permanent=True)


def _concerns(metric: Metric, row: Mapping[str, Any]) -> bool:
    return row.get("metric") == metric.key and (row.get("environment") or DEV) == metric.environment


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield line


class CsvFiles(_Files):
    """Kind "csv": a header line names the columns."""

    suffix = ".csv"

    def _rows(self, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
        rows = csv.DictReader(_lines(path))
        if rows.fieldnames is not None and not set(REQUIRED) <= set(rows.fieldnames):
            lacking = ", ".join(column for column in REQUIRED if column not in rows.fieldnames)
            raise self._wrong(path.name, f"has no column {lacking}", f"Its first line must name {', '.join(REQUIRED)}.")
        for row in rows:
            yield rows.line_num, row


class JsonLinesFiles(_Files):
    """Kind "jsonl": one object a line."""

    suffix = ".jsonl"

    def _rows(self, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise self._wrong(f"{path.name}, line {number}", "is not JSON", "Write one object a line.") from None
            if not isinstance(row, dict):
                raise self._wrong(f"{path.name}, line {number}", "is no object", "Write one object a line.")
            yield number, row
