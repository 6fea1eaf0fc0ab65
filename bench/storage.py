"""Readings written and read: into either database, beside bare sqlite3 and COPY, and a million of them into a frame.

The bars of the frame (1.6 s and 80 MB more) are absolute, so people judge them.
"""

import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from backlog.metric import Better, Metric, Reading
from bench.measured import Measured, judged
from store.columns import read_frame
from store.database import open_database
from store.metrics import add_metric, save_readings
from tests import postgres

START = datetime(2026, 1, 1, tzinfo=UTC)
WRITTEN, READ = 50_000, 1_000_000
RUNS = 5
SECONDS_MAX, MEGABYTES_MAX = 1.6, 80.0


def storage(folder: Path, running: ExitStack) -> Iterator[Measured]:
    """Both databases, SQLite always and PostgreSQL where it is installed."""
    places: dict[str, Callable[[object], str]] = {"SQLite": lambda number: f"sqlite:///{folder}/storage-{number}.db"}
    found = postgres.binaries()
    if found:
        server = running.enter_context(postgres.running(found))
        places["PostgreSQL"] = lambda _: postgres.fresh_database(server)
    for name, place in places.items():
        bare = _write_sqlite if name == "SQLite" else _copy
        pairs = [(_rate(_save, place(number)), _rate(bare, place(f"bare-{number}"))) for number in range(RUNS)]
        ours, floor = [1e6 / mine for mine, _ in pairs], [1e6 / theirs for _, theirs in pairs]
        yield judged(f"1,000 readings into {name}", ours, floor, "ms", None)
        yield from _frames(name, place("million"))


def _rate(work: Callable[[str, list[Reading]], float], url: str) -> float:
    """Readings a second."""
    open_database(url).close()
    return WRITTEN / work(url, _readings(WRITTEN))


def _readings(count: int) -> list[Reading]:
    return [Reading(START + timedelta(minutes=n), n / count, f"run-{n % 50}", n) for n in range(count)]


def _save(url: str, readings: list[Reading]) -> float:
    with closing(open_database(url)) as database:
        with database.write() as connection:
            metric = add_metric(connection, Metric("churn", "recall", "dev", "m", "k", Better.UP))
        began = time.perf_counter()
        with database.write() as connection:
            save_readings(connection, metric, readings, {})
        return time.perf_counter() - began


def _rows(readings: list[Reading]) -> list[tuple[int, int, int, float]]:
    return [(n % 50, n * 60_000_000, n, reading.value) for n, reading in enumerate(readings)]


def _write_sqlite(url: str, readings: list[Reading]) -> float:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        began = time.perf_counter()
        connection.executemany("INSERT INTO reading VALUES (?, ?, ?, ?)", _rows(readings))
        connection.commit()
        return time.perf_counter() - began


def _copy(url: str, readings: list[Reading]) -> float:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        began = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy("COPY reading FROM STDIN") as copy:
            for row in _rows(readings):
                copy.write_row(row)
        connection.commit()
        return time.perf_counter() - began


def _frames(name: str, url: str) -> Iterator[Measured]:
    open_database(url).close()
    fill = _write_sqlite if url.startswith("sqlite") else _copy
    fill(url, _readings(READ))
    told = [_in_a_process_of_its_own(url) for _ in range(RUNS)]
    seconds, megabytes = ([one[place] for one in told] for place in (0, 1))
    yield judged(f"1,000,000 readings of {name} into a frame", seconds, [SECONDS_MAX] * RUNS, "s", None)
    yield judged("its memory", megabytes, [MEGABYTES_MAX] * RUNS, "MB", None)


def _in_a_process_of_its_own(url: str) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (url,))


def _measure(url: str) -> tuple[float, float]:
    """Seconds, and by how many megabytes the most memory grew."""
    with closing(open_database(url)) as database, database.read() as connection:
        read_frame(connection, [0])  # what is loaded once
        Path("/proc/self/clear_refs").write_text("5")
        before, began = _status("VmRSS"), time.perf_counter()
        frame: Any = read_frame(connection)
        took = time.perf_counter() - began
        assert len(frame) == READ
        return took, (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
