"""What is kept for a while only: settled effects, the ledger, tasks given up, comments of issues, reports.

Experiments, goals and their timelines are not among it, whatever is asked. Deletes are in slices, so that people's
commands need not wait for their end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, select, tuple_

from store import outbox, queue, tables


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose rows go when `at` is old and `done`, where there is one, holds; and the tables whose rows go with
    them by their key."""

    table: Table
    at: Column[datetime]
    done: ColumnElement[bool] | None = None
    with_it: tuple[Column[str], ...] = ()


KINDS: Mapping[str, Kept] = {
    # What waits for a person stays until they decide.
    "outbox": Kept(tables.outbox, tables.outbox.c.created_at, tables.outbox.c.state.in_((outbox.SENT, outbox.DROPPED))),
    "ledger": Kept(tables.occurrence, tables.occurrence.c.made_at),
    "comments": Kept(tables.issue_comment, tables.issue_comment.c.at),
    "reports": Kept(
        tables.report,
        tables.report.c.made_at,
        with_it=(tables.report_sent.c.report_id, tables.report_review.c.report_id, tables.feedback.c.report_id),
    ),
}


def drop_old(connection: Connection, kind: str, before: datetime) -> int:
    """Delete a slice of a kind's rows from before then; returns how many, 0 when there are no more."""
    if kind == "tasks":
        return queue.drop_failed(connection, before)
    kept = KINDS[kind]
    keys = list(kept.table.primary_key.columns)
    gone = (kept.at < before,) if kept.done is None else (kept.at < before, kept.done)
    old = connection.execute(select(*keys).where(*gone).limit(queue.SLICE)).all()
    for column in kept.with_it:
        connection.execute(delete(column.table).where(column.in_([row[0] for row in old])))
    if old:
        connection.execute(delete(kept.table).where(tuple_(*keys).in_([tuple(row) for row in old])))
    return len(old)
