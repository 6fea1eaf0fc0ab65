"""Watches on metrics."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select, update

from backlog.watch import Side, Watch
from store.dialect import insert
from store.tables import watch as table

OWN = ("metric_id", "side")  # one watch of a metric on each side; asking again changes it


def save_watch(connection: Connection, watch: Watch) -> Watch:
    """Add it, or change the one there is on the same side of the same metric; a changed one starts afresh."""
    values = {name: getattr(watch, name) for name in Watch.__slots__ if name != "number"}
    statement = insert(connection, table).values(**values)
    changed = {name: value for name, value in values.items() if name not in OWN}
    saved = statement.on_conflict_do_update(index_elements=OWN, set_=changed).returning(table)
    return _watch(connection.execute(saved).mappings().one())


def load_watches(connection: Connection, metrics: Sequence[int] | None = None) -> list[Watch]:
    """All watches, or those of some metrics, oldest first."""
    query = select(table).order_by(table.c.number)
    rows = connection.execute(query if metrics is None else query.where(table.c.metric_id.in_(metrics))).mappings()
    return [_watch(row) for row in rows]


def keep_state(connection: Connection, watch: Watch) -> None:
    """Remember what a look found."""
    state = {"since": watch.since, "fired": watch.fired, "silent": watch.silent}
    connection.execute(update(table).where(table.c.number == watch.number).values(**state))


def delete_watches(connection: Connection, numbers: Sequence[int]) -> None:
    """Watch no more."""
    connection.execute(table.delete().where(table.c.number.in_(numbers)))


def _watch(row: RowMapping) -> Watch:
    return Watch(**{**row, "side": Side(row["side"])})
