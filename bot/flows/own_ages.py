"""How long the team's own work takes: its finished ages and what they say about work that still lasts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection

from backlog.aging import HISTORY_KEPT, LASTING_KEPT, OLDEST_OPEN, Ages, Lasting, ages_of, lasting_of
from bot.flows.services import Services
from store.database import Database
from store.experiments import finished_ages, open_ages
from store.timeline import last_entry_id


@dataclass(frozen=True, slots=True)
class OwnAges:
    """The team's finished ages, and how long work lasts; None where too little has finished."""

    ages: Ages
    lasting: Lasting | None


def own_ages(connection: Connection, services: Services) -> OwnAges:
    """As of now, to the hour; every look at an experiment asks, and nothing is read again until something happens."""
    last = last_entry_id(connection)
    return _own_ages(services.database, last, services.now().replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=4)
def _own_ages(database: Database, last_entry: int, hour: datetime) -> OwnAges:
    with database.read() as connection:
        took = finished_ages(connection, LASTING_KEPT)
        still = open_ages(connection, hour, timedelta(days=OLDEST_OPEN))
    return OwnAges(ages_of(took[:HISTORY_KEPT]), lasting_of(took[::-1], still))
