"""The clock: every period once, through changing clocks and missed days."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from backlog.cadence import read_cadence
from backlog.week import period_of


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
@pytest.mark.parametrize("time", ["mon 09:00", "sun 02:30", "sun 01:30"])
def test_a_year_has_every_week_exactly_once_through_both_changes_of_the_clocks(zone: str, time: str) -> None:
    times = read_cadence(f"{time} {zone}").times
    start = datetime(2026, 1, 1, tzinfo=UTC)
    periods = Counter[str]()
    at = start
    while at < start + timedelta(days=364):  # asked in uneven steps, as restarts do
        step = timedelta(hours=37, minutes=at.day)
        periods.update({period_of(due, zone).key for due in times(at, at + step)})
        at += step
    assert 51 <= len(periods) <= 53
    assert set(periods.values()) == {1}


def test_the_next_times_are_told_in_the_schedules_own_zone() -> None:
    after = datetime(2026, 10, 20, tzinfo=UTC)
    told = [f"{at:%a %d %b %H:%M %z}" for at in read_cadence("mon 09:00 Europe/Berlin").next_times(after)]
    assert told == ["Mon 26 Oct 09:00 +0100", "Mon 02 Nov 09:00 +0100", "Mon 09 Nov 09:00 +0100"]
