"""Computes what runs are worth where nothing could be added to what was known; see `store.worths`."""

from bot.flows.services import Services
from store.worths import compute_worths, missing_worths


def settle_worths(services: Services, source: str = "") -> None:
    """Of one source or of all, in short transactions; done again, it finds nothing to do."""
    with services.database.read() as connection:
        waiting = missing_worths(connection, source)
    for ids in waiting:
        with services.database.write() as connection:
            compute_worths(connection, ids)
