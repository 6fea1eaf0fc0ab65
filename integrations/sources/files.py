"""Readings from CSV, JSON Lines and Parquet files, with the columns of `rows`.

A text file is read line by line; a line still being written, without its newline, is left for the next poll.
"""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from backlog.metric import Metric
from integrations.http import IntegrationError
from integrations.sources.rows import Row, check_columns, read_rows, wrong
from integrations.sources.source import Found, Seen, SourceConfig

LINE_MAX = 1 << 20  # characters; more is no line but noise
BATCH = 10_000  # rows of a Parquet file in memory at once


def existing_path(config: SourceConfig) -> Path:
    """The path a source's url names. Raises IntegrationError where nothing is there."""
    path = Path(config.url.removeprefix("file://"))
    if not path.exists():
        remedy = f'Check url of the source "{config.name}" in config.toml.'
        raise IntegrationError(config.name, f'"{path}" does not exist.', remedy, permanent=True)
    return path


def mark_of(path: Path) -> tuple[int, int]:
    """What tells that a file was written to: modification time in ns, size in bytes."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def whole_lines(path: Path) -> Iterator[str]:
    """The lines that are there to their newline."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        while line := lines.readline(LINE_MAX):
            if line.endswith("\n"):
                yield line
            elif len(line) >= LINE_MAX:
                raise IntegrationError(path.name, f"a line is longer than {LINE_MAX >> 20} MiB.", permanent=True)


class _Files(ABC):
    """A file, or all files of a folder in the order of their names."""

    suffix: ClassVar[str]

    def __init__(self, config: SourceConfig) -> None:
        config.check_options()
        self.name = config.name
        self._config = config
        self._seen = Seen()

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. A file that changed is read whole: lines may be added late with old times."""
        path = existing_path(self._config)
        paths = sorted(path.glob(f"*{self.suffix}")) if path.is_dir() else [path]
        for file in paths:
            mark = mark_of(file)
            due = [m for m in metrics if not self._seen.unchanged(file, m, mark, since)]
            if due:
                yield from read_rows(self.name, due, self._rows(file))

    @abstractmethod
    def _rows(self, path: Path) -> Iterator[tuple[str, Row]]:
        """(where it is, columns) of each whole row."""


class CsvFiles(_Files):
    """Kind "csv": a header line names the columns."""

    suffix = ".csv"

    def _rows(self, path: Path) -> Iterator[tuple[str, Row]]:
        rows = csv.DictReader(whole_lines(path))
        try:
            if rows.fieldnames is not None:
                check_columns(self.name, rows.fieldnames, path.name)
            for row in rows:
                yield f"{path.name}, line {rows.line_num}", row
        except csv.Error as error:
            raise wrong(self.name, f"{path.name}, line {rows.line_num}", f"is not CSV ({error})", "Mend it.") from None


class JsonLinesFiles(_Files):
    """Kind "jsonl": one object a line."""

    suffix = ".jsonl"

    def _rows(self, path: Path) -> Iterator[tuple[str, Row]]:
        for number, line in enumerate(whole_lines(path), 1):
            if not line.strip():
                continue
            where = f"{path.name}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise wrong(self.name, where, "is not JSON", "Write one object a line.") from None
            if not isinstance(row, dict):
                raise wrong(self.name, where, "is no object", "Write one object a line.")
            yield where, row


class ParquetFiles(_Files):
    """Kind "parquet"; needs the extra `scrumbut[parquet]`."""

    suffix = ".parquet"

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        import pyarrow.parquet  # here, so that a missing extra is named at the start and nobody else pays for it

        self._parquet = pyarrow.parquet

    def _rows(self, path: Path) -> Iterator[tuple[str, Row]]:
        try:
            with self._parquet.ParquetFile(path) as file:
                check_columns(self.name, file.schema_arrow.names, path.name)
                rows = (columns for batch in file.iter_batches(BATCH) for columns in batch.to_pylist())
                for number, columns in enumerate(rows, 1):
                    yield f"{path.name}, row {number}", columns
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
            remedy = "Write it elsewhere and move it here when it is whole."
            raise wrong(self.name, path.name, f"is no whole Parquet file ({error})", remedy) from None
