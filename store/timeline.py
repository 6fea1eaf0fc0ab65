"""The timeline of experiments and goals: appended to in the transaction that did what it tells, and read on from an id.

PostgreSQL numbers an entry when it is written and shows it when its transaction ends, which may be in another order.
"""

from sqlalchemy import Connection, func, select

from backlog.experiment import Entry
from store.dialect import others_ended, take_part
from store.tables import timeline

WRITING = "timeline"
LAST = select(func.max(timeline.c.id))


def add_entry(connection: Connection, subject: str, entry: Entry) -> None:
    """Append an entry to what happened to an experiment (its key) or a goal (`goal:churn`)."""
    take_part(connection, WRITING)  # before the entry has a number: whoever waits for us knows all lower ones
    row = {"subject": subject, "at": entry.at, "who": entry.who, "act": entry.act, "text": entry.text}
    connection.execute(timeline.insert().values(**row, changes=dict(entry.changes)))


def last_entry_id(connection: Connection) -> int:
    """The highest id there is yet; 0 for none. A lower one may still come."""
    return connection.scalar(LAST) or 0


def settled_until(connection: Connection) -> int | None:
    """An id up to which all entries are there for good, and none will come any more; None while an act takes long."""
    last = last_entry_id(connection)
    return last if others_ended(connection, WRITING) else None
