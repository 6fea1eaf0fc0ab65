"""Reports as they were made: snapshot and rendered bytes, never changed afterwards."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, select

from backlog.errors import NotFound
from backlog.snapshot import Snapshot
from store.dialect import insert
from store.tables import report as table

SNAPSHOT = TypeAdapter(Snapshot)


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report of one period; `slack` is the JSON payload, `note` tells of a template that failed."""

    id: str
    report: str
    audience: str
    period: str
    made_at: datetime
    snapshot: Snapshot
    slack: str
    html: str
    text: str
    note: str = ""


def add_report(connection: Connection, report: StoredReport) -> bool:
    """Store a report once; False when its period has one already, which stays as it is."""
    values = {column.name: getattr(report, column.name) for column in table.c}
    values["snapshot"] = SNAPSHOT.dump_json(report.snapshot).decode()
    statement = insert(connection, table).values(**values).on_conflict_do_nothing().returning(table.c.id)
    return connection.execute(statement).first() is not None


def find_report(connection: Connection, report_id: str) -> StoredReport:
    """The report of that id. Raises NotFound."""
    row = connection.execute(select(table).where(table.c.id == report_id)).mappings().first()
    if row is None:
        raise NotFound(f'There is no report "{report_id[:80]}".', "See /reports/ for those there are.")
    return _report(row)


def find_report_of(connection: Connection, report: str, audience: str, period: str) -> StoredReport | None:
    """The report of that name, audience and period."""
    where = (table.c.report == report, table.c.audience == audience, table.c.period == period)
    row = connection.execute(select(table).where(*where)).mappings().first()
    return _report(row) if row else None


def previous_report(connection: Connection, report: str, audience: str, period: str) -> StoredReport | None:
    """The latest report before that period, for the arrows."""
    where = (table.c.report == report, table.c.audience == audience, table.c.period < period)
    query = select(table).where(*where).order_by(table.c.period.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return _report(row) if row else None


def list_reports(connection: Connection, limit: int = 104) -> list[tuple[str, str, datetime]]:
    """(id, period, made at) of the latest reports, the newest first; two years of weeks unless told."""
    query = select(table.c.id, table.c.period, table.c.made_at).order_by(table.c.made_at.desc()).limit(limit)
    return [(row.id, row.period, row.made_at) for row in connection.execute(query)]


def _report(row: RowMapping) -> StoredReport:
    return StoredReport(**{**row, "snapshot": SNAPSHOT.validate_json(row["snapshot"])})
