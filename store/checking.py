"""Whether a database holds together; changes nothing."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from backlog.experiment import replay
from store.database import Database
from store.dialect import is_postgresql
from store.experiments import load_experiments, load_timeline
from store.tables import metadata

OTHERS = ("memory", "procrastinate_")  # the full-text index, and the tables of the queue's engine


def check_backlog(database: Database) -> list[str]:
    """What is wrong, one line each with its remedy; empty where all is well."""
    with database.snapshot() as connection:
        return [*_damage(connection), *_tables(connection), *_timelines(connection)]


def _damage(connection: Connection) -> list[str]:
    if is_postgresql(connection):
        return []  # its pages are the server's to check
    said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    return [] if said == ["ok"] else [f"The file is damaged: {line}. Restore a backup." for line in said]


def _tables(connection: Connection) -> list[str]:
    options = {"include_name": lambda name, kind, _: kind != "table" or not str(name).startswith(OTHERS)}
    differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return [f"The tables differ from this version's: {one!s:.200}. Restore a backup." for one in differences]


def _timelines(connection: Connection) -> list[str]:
    told = []
    for experiment in load_experiments(connection):
        timeline = load_timeline(connection, experiment.key)
        if not timeline or replay(experiment.number, timeline) != experiment:
            told.append(f"{experiment.key} is not what its timeline says. Restore a backup, or tell us.")
    return told
