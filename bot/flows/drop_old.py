"""Drops what `[retention]` lets go; see `store.expiry`."""

from datetime import datetime

from bot.flows.services import Services
from store import expiry


def drop_all_old(services: Services) -> dict[str, int]:
    """Work off every kind that has a time, in short transactions; returns how many rows of each went."""
    dropped = dict[str, int]()
    for kind, span in services.retention.records.items():
        before = services.now() - span
        while rows := _slice(services, kind, before):
            dropped[kind] = dropped.get(kind, 0) + rows
    return dropped


def _slice(services: Services, kind: str, before: datetime) -> int:
    with services.database.write() as connection:
        return expiry.drop_old(connection, kind, before)
