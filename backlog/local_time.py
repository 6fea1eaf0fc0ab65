"""Times of day where people live: when a digest is due, and when nobody wants to hear anything."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backlog.cadence import DAYS
from backlog.errors import BacklogError

DIGEST = re.compile(r"(?:(daily)|weekly ([a-z]{3})[a-z]*) (\d{1,2}):(\d{2})(?: (\S+))?", re.IGNORECASE)
QUIET = re.compile(r"(\d{1,2}):(\d{2}) ?[-\u2013\u2014] ?(\d{1,2}):(\d{2})(?: (\S+))?")
DIGEST_FORM = 'Write it as "daily 09:00 Europe/Berlin" or "weekly mon 09:00 Europe/Berlin".'
QUIET_FORM = 'Write it as "20:00-08:00 Europe/Berlin", or "off".'


@dataclass(frozen=True, slots=True)
class Digest:
    """Once a day, or once a week where `day` is named, at a local time."""

    day: str
    at: time
    zone: str

    def __str__(self) -> str:
        return f"{f'weekly {self.day}' if self.day else 'daily'} {self.at:%H:%M} {self.zone}"

    def last_due(self, now: datetime) -> datetime:
        """The latest due time up to now, in its own zone. Its date names the period, so a clock that goes back
        repeats none; a time that a clock skips is due as if it had not."""
        local = now.astimezone(ZoneInfo(self.zone))
        due = datetime.combine(local.date(), self.at, local.tzinfo)
        while due > now or (self.day and DAYS[due.weekday()] != self.day):
            due -= timedelta(days=1)
        return due


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one local time to another, over midnight where the first is the later."""

    start: time
    end: time
    zone: str

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"

    def cover(self, now: datetime) -> bool:
        """Whether nobody is to be disturbed; the end itself is free again."""
        at = now.astimezone(ZoneInfo(self.zone)).time()
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def read_digest(text: str) -> Digest:
    """`daily 09:00 Europe/Berlin` or `weekly mon 09:00`; UTC where no zone is named. Raises BacklogError."""
    match = DIGEST.fullmatch(" ".join(text.split()))
    if not match or (match[2] and match[2].lower() not in DAYS):
        raise BacklogError(f'"{text[:60]}" is no rhythm of a digest.', DIGEST_FORM)
    return Digest((match[2] or "").lower(), _time(match[3], match[4], DIGEST_FORM), _zone(match[5], DIGEST_FORM))


def read_quiet(text: str) -> QuietHours:
    """`20:00-08:00 Europe/Berlin`; UTC where no zone is named. Raises BacklogError."""
    match = QUIET.fullmatch(" ".join(text.split()))
    if not match:
        raise BacklogError(f'"{text[:60]}" are no quiet hours.', QUIET_FORM)
    start, end = _time(match[1], match[2], QUIET_FORM), _time(match[3], match[4], QUIET_FORM)
    if start == end:
        raise BacklogError(f'"{text[:60]}" would be quiet for ever, or never.', QUIET_FORM)
    return QuietHours(start, end, _zone(match[5], QUIET_FORM))


def _time(hour: str, minute: str, form: str) -> time:
    try:
        return time(int(hour), int(minute))
    except ValueError as error:
        raise BacklogError(f'"{hour}:{minute}" is no time of day.', form) from error


def _zone(name: str | None, form: str) -> str:
    try:
        return ZoneInfo(name or "UTC").key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BacklogError(f'"{(name or "")[:60]}" is no time zone.', form) from error
