"""Workspaces that installed the app, with their tokens sealed and bound to the row they are in.

Asked of the home database only; nothing here knows Slack.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, RowMapping, or_, select, update

from store.dialect import insert
from store.tables import installation as table

PLAIN = ("id", "team", "enterprise", "name", "bot_user", "scopes", "installed_by", "installed_at", "gone_at")


class SealBroken(Exception):
    """A secret does not open: it was changed, belongs to another row, or its key is not here."""


class Vault(Protocol):
    """What seals: see `store.vault.Vault`."""

    def seal(self, text: str, *bound_to: str) -> str: ...
    def open(self, sealed: str, *bound_to: str) -> str: ...
    def is_current(self, sealed: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Installation:
    """One workspace, or one organisation with all of its own, as it was last installed; `gone_at` since it is not."""

    id: str
    team: str
    enterprise: str
    name: str
    bot_user: str
    scopes: str
    installed_by: str
    installed_at: datetime
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """A bot token; one that expires comes with the refresh token for the next, which is spent at its first use."""

    token: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    expires_at: datetime | None = None


def save_installation(connection: Connection, vault: Vault, installed: Installation, tokens: Tokens) -> None:
    """Remember an installation; one that was there before is replaced, and back if it had gone."""
    values = {name: getattr(installed, name) for name in PLAIN} | {"gone_at": None}
    values |= _sealed(vault, installed.id, tokens)
    changed = {name: value for name, value in values.items() if name != "id"}
    statement = insert(connection, table).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


def find_installation(connection: Connection, enterprise: str, team: str) -> Installation | None:
    """The workspace's own installation, else that of its organisation; also one that has gone."""
    wanted = [id_ for id_ in (team, enterprise) if id_]
    rows = connection.execute(select(table).where(table.c.id.in_(wanted))).mappings()
    found = {row["id"]: _installation(row) for row in rows}
    there = [found[id_] for id_ in wanted if id_ in found]
    return next((one for one in there if one.gone_at is None), there[0] if there else None)


def load_installations(connection: Connection) -> list[Installation]:
    """All of them, gone ones too, in the order of their ids."""
    return [_installation(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]


def load_tokens(connection: Connection, vault: Vault, id_: str) -> Tokens | None:
    """The tokens of a workspace; None where it is not installed. Raises SealBroken."""
    columns = (table.c.token, table.c.refresh, table.c.expires_at)
    row = connection.execute(select(*columns).where(table.c.id == id_, table.c.gone_at.is_(None))).first()
    if row is None:
        return None
    refresh = vault.open(row.refresh, id_, "refresh") if row.refresh else ""
    return Tokens(vault.open(row.token, id_, "token"), refresh, row.expires_at)


def end_installation(connection: Connection, id_: str, at: datetime) -> bool:
    """Forget the tokens of a workspace that the app was taken out of at that time; False where it was put in again
    since, or is gone already."""
    there = (table.c.id == id_, table.c.gone_at.is_(None), table.c.installed_at <= at)
    ended = {"gone_at": at, "token": "", "refresh": "", "expires_at": None, "renewing_until": None}
    return connection.execute(update(table).where(*there).values(**ended).returning(table.c.id)).first() is not None


def claim_renewal(connection: Connection, id_: str, now: datetime, until: datetime) -> bool:
    """Whether this caller is the one that renews the token now; another may when it has not done so by `until`."""
    free = or_(table.c.renewing_until.is_(None), table.c.renewing_until <= now)
    mine = update(table).where(table.c.id == id_, table.c.gone_at.is_(None), free).values(renewing_until=until)
    return connection.execute(mine.returning(table.c.id)).first() is not None


def save_renewal(connection: Connection, vault: Vault, id_: str, tokens: Tokens) -> None:
    """Remember the tokens of a renewal and let go of it."""
    values = _sealed(vault, id_, tokens)
    connection.execute(update(table).where(table.c.id == id_, table.c.gone_at.is_(None)).values(**values))


def release_renewal(connection: Connection, id_: str) -> None:
    """Let go of a renewal that certainly did not happen."""
    connection.execute(update(table).where(table.c.id == id_).values(renewing_until=None))


def seal_anew(connection: Connection, vault: Vault) -> int:
    """Seal with the first key whatever an older one sealed; returns how many workspaces."""
    query = select(table.c.id, table.c.token).where(table.c.gone_at.is_(None))
    old = [id_ for id_, token in connection.execute(query) if not vault.is_current(token)]
    for id_ in old:
        tokens = load_tokens(connection, vault, id_)
        if tokens is not None:
            connection.execute(update(table).where(table.c.id == id_).values(**_sealed(vault, id_, tokens)))
    return len(old)


def _sealed(vault: Vault, id_: str, tokens: Tokens) -> Mapping[str, Any]:
    return {
        "token": vault.seal(tokens.token, id_, "token"),
        "refresh": vault.seal(tokens.refresh, id_, "refresh") if tokens.refresh else "",
        "expires_at": tokens.expires_at,
        "renewing_until": None,
    }


def _installation(row: RowMapping) -> Installation:
    return Installation(**{name: row[name] for name in PLAIN})
