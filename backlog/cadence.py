"""When something recurs, as people write it: `mon 09:00 Europe/Berlin`, `daily 09:00`, `first mon 09:00`, `15m`.

Days are names, never numbers: cron libraries disagree on what day 1 is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backlog.errors import BacklogError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = dict(zip(DAYS, ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], strict=True))
CADENCE = re.compile(r"(first )?([a-z]{3})([a-z]*) (\d{1,2}):(\d{2})(?: (\S+))?", re.IGNORECASE)
SPAN = re.compile(r"(\d+)\s*(s|m|h|d)", re.IGNORECASE)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MOST = 1_000  # due times told at once; more means the machine slept for years


class Every(StrEnum):
    """How long one period lasts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Cadence:
    """A local time of every day, of one weekday (`day`) each week, or of the first such weekday each month."""

    every: Every
    day: str
    hour: int
    minute: int
    zone: str

    def __str__(self) -> str:
        day = {Every.DAY: "daily", Every.WEEK: self.day, Every.MONTH: f"first {self.day}"}[self.every]
        return f"{day} {self.hour:02d}:{self.minute:02d} {self.zone}"

    @property
    def words(self) -> str:
        """`every Monday at 09:00 Europe/Berlin`."""
        day = DAY_NAMES.get(self.day, "")
        often = {Every.DAY: "every day", Every.WEEK: f"every {day}", Every.MONTH: f"on the first {day} of each month"}
        return f"{often[self.every]} at {self.hour:02d}:{self.minute:02d} {self.zone}"

    @property
    def reach(self) -> timedelta:
        """A span in which it is due at least once, whatever the clocks do."""
        return timedelta(days={Every.DAY: 2, Every.WEEK: 8, Every.MONTH: 37}[self.every])

    def falls_on(self, day: date) -> bool:
        """Whether it is due on that local day."""
        if self.every is Every.DAY:
            return True
        return DAYS[day.weekday()] == self.day and (self.every is Every.WEEK or day.day <= 7)

    def times(self, after: datetime, until: datetime) -> list[datetime]:
        """The due times after one moment up to another, oldest first, in the cadence's zone.

        Once per local day whatever the clocks do: of an hour that comes twice the first is meant, and a time that a
        change of the clocks skips is due as long after it as it would have been.
        """
        zone, due = ZoneInfo(self.zone), list[datetime]()
        day = after.astimezone(zone).date() - timedelta(days=1)
        last = until.astimezone(zone).date()
        while day <= last and len(due) < MOST:
            if self.falls_on(day):
                local = datetime.combine(day, time(self.hour, self.minute), zone)
                at = local.astimezone(UTC).astimezone(zone)  # by way of UTC, where no time is skipped
                due += [at] if after < at <= until else []
            day += timedelta(days=1)
        return due

    def next_times(self, after: datetime, count: int = 3) -> list[datetime]:
        """The next due times."""
        return self.times(after, after + timedelta(days=32) * count)[:count]


def read_cadence(text: str) -> Cadence:
    """`mon 09:00 Europe/Berlin`, `daily 09:00` or `first mon 09:00`; the zone is UTC where none is named. Raises
    BacklogError with the form."""
    form = 'Write it as "mon 09:00 Europe/Berlin", "daily 09:00 Europe/Berlin" or "first mon 09:00 Europe/Berlin".'
    match = CADENCE.fullmatch(" ".join(text.split()))
    word = (match[2] + match[3]).lower() if match else ""
    weekday = word in DAYS or word in map(str.lower, DAY_NAMES.values())
    if not match or not (weekday or (word == "daily" and not match[1])):
        raise BacklogError(f'"{text[:60]}" is no schedule.', form)
    hour, minute, zone = int(match[4]), int(match[5]), match[6] or "UTC"
    if hour > 23 or minute > 59:
        raise BacklogError(f'"{match[4]}:{match[5]}" is no time of day.', form)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BacklogError(f'"{zone[:60]}" is no time zone.', form) from error
    every = Every.DAY if word == "daily" else Every.MONTH if match[1] else Every.WEEK
    return Cadence(every, "" if every is Every.DAY else word[:3], hour, minute, zone)


def told(times: Sequence[datetime]) -> str:
    """`Mon 30 Nov 09:00, Mon 7 Dec 09:00`."""
    return ", ".join(f"{at:%a} {at.day} {at:%b %H:%M}" for at in times)


def read_span(text: str) -> timedelta:
    """`30s`, `15m`, `2h` or `1d`. Raises BacklogError for anything else and for nothing at all."""
    match = SPAN.fullmatch(text.strip())
    if not match or int(match[1]) == 0:
        raise BacklogError(f'"{text[:60]}" is no span of time.', 'Write it as "30s", "15m", "2h" or "1d".')
    return timedelta(**{UNITS[match[2].lower()]: int(match[1])})
