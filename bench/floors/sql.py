"""The floor of reading the backlog: the same rows by bare SQL through the standard library's driver."""

import sqlite3
from pathlib import Path

QUERIES = {
    "list": "SELECT * FROM experiment ORDER BY stage IN ('concluded', 'monitored'), number LIMIT 30",
    "mine": "SELECT * FROM experiment WHERE owner = 'U7' AND stage NOT IN ('concluded', 'monitored') "
    "ORDER BY number LIMIT 30",
    "show": "SELECT * FROM timeline WHERE subject = 'EXP-5000' ORDER BY id",
    "find": "SELECT e.* FROM memory JOIN experiment e ON e.number = memory.rowid "
    'WHERE memory MATCH \'"focal"* AND "loss"*\' ORDER BY rank LIMIT 20',
    "near": "SELECT e.* FROM memory JOIN experiment e ON e.number = memory.rowid "
    "WHERE memory MATCH 'focal OR loss OR raises OR recall OR of OR an OR encoder' ORDER BY rank LIMIT 3",
}


def read_rows(database: Path, verb: str) -> int:
    """Fetch the rows that a verb shows; returns how many."""
    connection = sqlite3.connect(database)
    try:
        return len(connection.execute(QUERIES[verb]).fetchall())
    finally:
        connection.close()
