"""When somebody wants to hear nothing, in the time of where they live."""

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backlog.errors import BacklogError

QUIET = re.compile(r"(\d{1,2}):(\d{2}) ?[-\u2013\u2014] ?(\d{1,2}):(\d{2})(?: (\S+))?")
FORM = 'Write it as "20:00-08:00 Europe/Berlin", or "off".'


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


def read_quiet(text: str) -> QuietHours:
    """`20:00-08:00 Europe/Berlin`; UTC where no zone is named. Raises BacklogError."""
    match = QUIET.fullmatch(" ".join(text.split()))
    if not match:
        raise BacklogError(f'"{text[:60]}" are no quiet hours.', FORM)
    start, end = _time(match[1], match[2]), _time(match[3], match[4])
    if start == end:
        raise BacklogError(f'"{text[:60]}" would be quiet for ever, or never.', FORM)
    return QuietHours(start, end, _zone(match[5] or "UTC"))


def _time(hour: str, minute: str) -> time:
    try:
        return time(int(hour), int(minute))
    except ValueError as error:
        raise BacklogError(f'"{hour}:{minute}" is no time of day.', FORM) from error


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BacklogError(f'"{name[:60]}" is no time zone.', FORM) from error
