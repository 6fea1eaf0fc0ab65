"""Which period a report speaks of, and what it is called."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backlog.cadence import Every
from backlog.snapshot import Period

WEEK = timedelta(days=7)


def period_of(due_at: datetime, zone: str, every: Every = Every.WEEK) -> Period:
    """The local day, ISO week or month that held most of the like span before `due_at`: on Monday morning the week
    before, on Friday afternoon the current one. Keyed by local date, so changing clocks never shifts it:
    `2026-11-23`, `2026-W47`, `2026-10`."""
    midnight = due_at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    local = due_at.astimezone(ZoneInfo(zone))
    if every is Every.DAY:
        day = midnight if local.hour >= 12 else midnight - timedelta(days=1)
        return Period(f"{day:%Y-%m-%d}", day, day + timedelta(days=1), zone)
    if every is Every.MONTH:
        first = (midnight - timedelta(days=15)).replace(day=1)
        return Period(f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1), zone)
    middle = local - timedelta(days=3, hours=12)
    monday = (middle - timedelta(days=middle.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    year, week, _ = monday.isocalendar()
    return Period(f"{year}-W{week:02d}", monday, monday + WEEK, zone)


def report_id(report: str, audience: str, period: Period, subject: str = "") -> str:
    """A report's identity, `weekly-manager-2026-W47`: one report, one audience, one period, of a card one subject."""
    return "-".join(part for part in (report, subject, audience, period.key) if part)
