"""The register of risks, and what people said of goals' health."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from backlog.errors import NotFound
from backlog.experiment import Entry
from backlog.register import Answer, Registered
from backlog.snapshot import Health, HealthCall, Risk
from store.tables import risk as table
from store.tables import timeline
from store.timeline import add_entry

TOLD = ("rule", "subject", "cause", "effect", "evidence", "owner", "action", "exposure")
CALLED = "health"  # the act on a goal's timeline


def load_register(connection: Connection, *, standing: bool = False) -> list[Registered]:
    """All risks there have been, or those that stand, oldest first."""
    query = select(table).order_by(table.c.number)
    rows = connection.execute(query.where(table.c.resolved_at.is_(None)) if standing else query).mappings()
    return [_registered(row) for row in rows]


def load_settled(connection: Connection, since: datetime) -> list[Registered]:
    """The risks that resolved since then, oldest first."""
    query = select(table).where(table.c.resolved_at >= since).order_by(table.c.number)
    return [_registered(row) for row in connection.execute(query).mappings()]


def find_registered(connection: Connection, number: int) -> Registered:
    """The standing risk of that number. Raises NotFound."""
    row = connection.execute(select(table).where(table.c.number == number)).mappings().first()
    if row is None or row["resolved_at"] is not None:
        gone = f" It resolved on {row['resolved_at']:%d %b %Y}." if row is not None else ""
        raise NotFound(f"There is no open risk {number}.{gone}", "/exp risk list")
    return _registered(row)


def open_risk(connection: Connection, risk: Risk, now: datetime) -> int:
    """Put a risk into the register; returns its number."""
    values = {**_told(risk), "review_on": risk.review_on.isoformat(), "opened_at": now, "seen_at": now}
    key = connection.execute(table.insert().values(**values)).inserted_primary_key
    return int(key[0]) if key else 0


def continue_risks(connection: Connection, entries: Iterable[Registered], now: datetime) -> None:
    """Renew what is told of risks that were found again."""
    for entry in entries:
        values = {**_told(entry.risk), "review_on": entry.risk.review_on.isoformat(), "seen_at": now}
        connection.execute(update(table).where(table.c.number == entry.number).values(**values))


def resolve_risks(connection: Connection, entries: Iterable[Registered], now: datetime) -> None:
    """Mark risks as gone."""
    numbers = [entry.number for entry in entries]
    connection.execute(update(table).where(table.c.number.in_(numbers)).values(resolved_at=now))


def answer_risk(connection: Connection, number: int, answer: Answer, who: str, why: str, until: date) -> None:
    """Remember what a person said of a risk, and until when it holds."""
    values = {"answer": answer, "answered_by": who, "why": why, "answer_until": until.isoformat()}
    connection.execute(update(table).where(table.c.number == number).values(**values))


def add_health_call(connection: Connection, goal: str, call: HealthCall) -> None:
    """Put a person's call onto the goal's timeline."""
    add_entry(connection, f"goal:{goal}", Entry(call.at, call.who, CALLED, call.why, {"health": str(call.health)}))


def load_health_calls(connection: Connection) -> dict[str, HealthCall]:
    """What was last said of each goal's health, by goal."""
    query = select(timeline).where(timeline.c.act == CALLED).order_by(timeline.c.id)
    rows = connection.execute(query).mappings()
    return {
        row["subject"].removeprefix("goal:"): HealthCall(
            Health(row["changes"]["health"]), row["text"], row["who"], row["at"]
        )
        for row in rows
    }


def _told(risk: Risk) -> dict[str, Any]:
    return {name: getattr(risk, name) for name in TOLD}


def _registered(row: RowMapping) -> Registered:
    told = {name: row[name] for name in TOLD}
    until = row["answer_until"]
    return Registered(
        number=row["number"],
        risk=Risk(**told, review_on=date.fromisoformat(row["review_on"]), trend="continuing", number=row["number"]),
        opened_at=row["opened_at"],
        seen_at=row["seen_at"],
        resolved_at=row["resolved_at"],
        answer=Answer(row["answer"]),
        answered_by=row["answered_by"],
        why=row["why"],
        answer_until=date.fromisoformat(until) if until else None,
    )
