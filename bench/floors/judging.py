"""The floor of judging: the worth of every run, straight from the file."""

import sqlite3
from pathlib import Path


def read_worths(path: Path) -> int:
    """How many runs there are, after reading what each is worth."""
    with sqlite3.connect(path) as connection:
        query = "SELECT series_id, max(at), max(value), count(value) FROM reading GROUP BY series_id"
        return len(connection.execute(query).fetchall())
