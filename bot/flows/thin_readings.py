"""Lets readings grow old as `[retention]` says; see `store.retention`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.flows.services import Services
from store.retention import DAY, HOUR, Slice, thin_hours, thin_readings
from store.tables import EPOCH


@dataclass(frozen=True, slots=True)
class Thinned:
    """How many readings are now kept by the hour, and how many hours by the day."""

    readings: int
    hours: int


def thin_all(services: Services) -> Thinned:
    """Work off everything that is old enough, in short transactions; done again, it finds nothing to do."""
    now, kept = services.now(), services.retention
    hour = now - kept.raw - (now - kept.raw - EPOCH) % HOUR
    day = now - kept.hourly - (now - kept.hourly - EPOCH) % DAY
    return Thinned(_work_off(services, thin_readings, hour), _work_off(services, thin_hours, day))


def _work_off(services: Services, step: Callable[[Connection, datetime, int], Slice], before: datetime) -> int:
    done: int = 0
    start: int | None = 0
    while start is not None:
        with services.database.write() as connection:
            taken = step(connection, before, start)
        done, start = done + taken.rows, taken.rest
    return done
