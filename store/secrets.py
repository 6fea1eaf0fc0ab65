"""What this installation made up for itself and must keep."""

import secrets

from sqlalchemy import Connection, select

from store.dialect import insert
from store.tables import own_secret


def keep_secret(connection: Connection, name: str) -> str:
    """The secret of that name, made at its first use. Whoever reads this database reads what it protects as well."""
    fresh = insert(connection, own_secret).values(name=name, value=secrets.token_urlsafe(32))
    connection.execute(fresh.on_conflict_do_nothing())
    return str(connection.execute(select(own_secret.c.value).where(own_secret.c.name == name)).scalar_one())


def find_secret(connection: Connection, name: str) -> str | None:
    """The same without making one."""
    return connection.scalar(select(own_secret.c.value).where(own_secret.c.name == name))
