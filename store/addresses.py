"""E-mail addresses that want no more reports, and those whose server refused one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from store.dialect import insert
from store.tables import mail_address as table


def has_left(connection: Connection, address: str) -> bool:
    """Whether nobody there wants more."""
    left = select(table.c.address).where(table.c.address == address, table.c.left_at.is_not(None))
    return connection.scalar(left) is not None


def leave(connection: Connection, address: str, now: datetime) -> None:
    """Write to that address no more."""
    _save(connection, address, {"left_at": now})


def come_back(connection: Connection, address: str, now: datetime) -> None:
    """Write to it again."""
    _save(connection, address, {"left_at": None})


def note_bounce(connection: Connection, address: str, reason: str, now: datetime) -> None:
    """Remember that a server refused a letter to that address."""
    _save(connection, address, {"bounced_at": now, "reason": reason})


def left_out(connection: Connection) -> list[tuple[str, datetime | None, datetime | None, str]]:
    """(address, left at, refused at, why) of every address that left or was refused."""
    query = select(table).where(or_(table.c.left_at.is_not(None), table.c.bounced_at.is_not(None)))
    rows = connection.execute(query.order_by(table.c.address))
    return [(row.address, row.left_at, row.bounced_at, row.reason) for row in rows]


def _save(connection: Connection, address: str, values: Mapping[str, Any]) -> None:
    statement = insert(connection, table).values(address=address, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["address"], set_=dict(values)))
