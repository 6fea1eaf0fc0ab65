"""Reports as they were made: snapshot and rendered bytes, never changed afterwards."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, func, select

from backlog.errors import NotFound
from backlog.snapshot import Snapshot
from store.dialect import insert
from store.tables import feedback, report_review, report_sent
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


def list_reports(connection: Connection, limit: int = 400) -> list[tuple[str, str, datetime]]:
    """(id, period, made at) of the reports, the latest period first."""
    order = (table.c.period.desc(), table.c.made_at.desc())
    query = select(table.c.id, table.c.period, table.c.made_at).order_by(*order).limit(limit)
    return [(row.id, row.period, row.made_at) for row in connection.execute(query)]


def claim_place(connection: Connection, report_id: str, place: str, now: datetime) -> bool:
    """Whether this call is the one that sends the report there."""
    statement = insert(connection, report_sent).values(report_id=report_id, place=place[:250], at=now)
    claimed = statement.on_conflict_do_nothing().returning(report_sent.c.place)
    return connection.execute(claimed).first() is not None


@dataclass(frozen=True, slots=True)
class Review:
    """What people said of a report before it went out: their bottom line, and whether it shall go."""

    line: str = ""
    line_by: str = ""
    verdict: str = ""
    verdict_by: str = ""


def find_review(connection: Connection, report_id: str) -> Review:
    """What was said of that report; empty where nobody said anything."""
    columns = [report_review.c[name] for name in Review.__slots__]
    row = connection.execute(select(*columns).where(report_review.c.report_id == report_id)).mappings().first()
    return Review(**row) if row else Review()


def save_review(connection: Connection, report_id: str, **said: str) -> None:
    """Remember what is said of a report: fields of Review; those not named stay."""
    statement = insert(connection, report_review).values(report_id=report_id, **said)
    connection.execute(statement.on_conflict_do_update(index_elements=["report_id"], set_=said))


def save_feedback(
    connection: Connection, report_id: str, section: str, person: str, verdict: str, now: datetime
) -> None:
    """Remember what a person thinks of a section; thinking again replaces it."""
    values = {"verdict": verdict, "at": now}
    statement = insert(connection, feedback).values(report_id=report_id, section=section, person=person, **values)
    keys = ["report_id", "section", "person"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


def count_feedback(connection: Connection, name: str = "") -> dict[str, dict[str, int]]:
    """How many people said what of each section, over all reports or those of that name."""
    query = select(feedback.c.section, feedback.c.verdict, func.count()).group_by(
        feedback.c.section, feedback.c.verdict
    )
    if name:
        query = query.join(table, table.c.id == feedback.c.report_id).where(table.c.report == name)
    counts: dict[str, dict[str, int]] = {}
    for section, verdict, count in connection.execute(query.order_by(feedback.c.section)):
        counts.setdefault(section, {})[verdict] = count
    return counts


def _report(row: RowMapping) -> StoredReport:
    return StoredReport(**{**row, "snapshot": SNAPSHOT.validate_json(row["snapshot"])})
