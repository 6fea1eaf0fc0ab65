"""A whole database into another that is empty: moving, backing up and restoring are this one thing. A backup is a file
of SQLite, whatever the database is.
"""

from collections.abc import Callable
from itertools import islice

from sqlalchemy import Connection, Table, func, select

from store import queue
from store.database import Database, DatabaseError
from store.dialect import is_postgresql
from store.experiments import load_experiments
from store.memory import remember
from store.tables import metadata, queue_migration, task
from store.transfer import continue_numbers

SLICE = 2_000  # rows a statement
CARRIED = [table for table in metadata.sorted_tables if table not in (queue_migration, task)]


def count_rows(database: Database) -> int:
    """How many rows will be carried."""
    with database.snapshot() as connection:
        return sum(_count(connection, table) for table in CARRIED) + len(queue.load_waiting(connection))


def copy_database(source: Database, target: Database, step: Callable[[int], object]) -> int:
    """Carry all rows over, in one transaction, as they were at one moment; `step` hears how many more are there.
    Returns how many there were. Raises DatabaseError where the target is not empty, and where a table does not hold
    afterwards what it held before."""
    with source.snapshot() as old, target.write() as new:
        full = next((table.name for table in CARRIED if _count(new, table)), None)
        if full:
            raise DatabaseError(f'The database {target.name} is not empty: "{full}" has rows. Name an empty one.')
        counted = {table.name: _copy(old, new, table, step) for table in CARRIED}
        waiting = queue.load_waiting(old)
        for work, since in waiting:
            queue.defer(new, work.key, work.name, work.args, since)
        queue.wake(new)
        step(len(waiting))
        for experiment in load_experiments(new):
            remember(new, experiment)
        for table in CARRIED:
            if _count(new, table) != counted[table.name]:
                raise DatabaseError(f'"{table.name}" would hold {_count(new, table)} rows of {counted[table.name]}.')
    return sum(counted.values()) + len(waiting)


def _copy(old: Connection, new: Connection, table: Table, step: Callable[[int], object]) -> int:
    copied = 0
    rows = iter(old.execute(select(table).execution_options(yield_per=SLICE)).mappings())
    while batch := [dict(row) for row in islice(rows, SLICE)]:
        new.execute(table.insert(), batch)
        copied += len(batch)
        step(len(batch))
    if is_postgresql(new):
        continue_numbers(new, table)
    return copied


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
