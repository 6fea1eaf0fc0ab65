"""When something recurs, as people write it: `mon 09:00 Europe/Berlin`, `15m`.

Days are names, never numbers: cron libraries disagree on what day 1 is.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backlog.errors import BacklogError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKLY = re.compile(r"([a-z]{3})[a-z]* (\d{1,2}):(\d{2})(?: (\S+))?", re.IGNORECASE)
SPAN = re.compile(r"(\d+)\s*(s|m|h|d)", re.IGNORECASE)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Weekly:
    """Once a week at a local time."""

    day: str
    hour: int
    minute: int
    zone: str

    def __str__(self) -> str:
        return f"{self.day} {self.hour:02d}:{self.minute:02d} {self.zone}"


def read_weekly(text: str) -> Weekly:
    """`mon 09:00 Europe/Berlin`; the zone is UTC where none is named. Raises BacklogError with the form."""
    form = 'Write it as "mon 09:00 Europe/Berlin".'
    match = WEEKLY.fullmatch(" ".join(text.split()))
    if not match or match[1].lower() not in DAYS:
        raise BacklogError(f'"{text[:60]}" is no weekly schedule.', form)
    hour, minute, zone = int(match[2]), int(match[3]), match[4] or "UTC"
    if hour > 23 or minute > 59:
        raise BacklogError(f'"{match[2]}:{match[3]}" is no time of day.', form)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BacklogError(f'"{zone[:60]}" is no time zone.', form) from error
    return Weekly(match[1].lower(), hour, minute, zone)


def read_span(text: str) -> timedelta:
    """`30s`, `15m`, `2h` or `1d`. Raises BacklogError for anything else and for nothing at all."""
    match = SPAN.fullmatch(text.strip())
    if not match or int(match[1]) == 0:
        raise BacklogError(f'"{text[:60]}" is no span of time.', 'Write it as "30s", "15m", "2h" or "1d".')
    return timedelta(**{UNITS[match[2].lower()]: int(match[1])})
