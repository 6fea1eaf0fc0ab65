"""The clock: every period once, through changing clocks and missed days."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backlog.cadence import read_cadence
from backlog.week import period_of
from bot.flows.run_due import Agenda, Schedule
from bot.flows.services import Services
from store import queue, tables
from store.database import open_database
from tests.conftest import TestClock


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


START = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> TestClock:
    return TestClock(START)


@pytest.fixture
def services(tmp_path: Path, clock: TestClock) -> Iterator[Services]:
    database = open_database(f"sqlite:///{tmp_path}/s.db")
    yield Services(database, clock)
    database.close()


def every(minutes: int, name: str = "poll:runs", latest: bool = True, shift: timedelta = timedelta(0)) -> Schedule:
    """A schedule whose due times may be shifted without changing whose period they are."""

    def times(after: datetime, until: datetime) -> list[datetime]:
        span = timedelta(minutes=minutes)
        first = int((after - shift - START) / span) - 1
        last = int((until - shift - START) / span) + 1
        return [at for n in range(first, last + 1) if after < (at := START + shift + n * span) <= until]

    return Schedule(
        name, "poll_source", {}, times, lambda at: (at - shift).isoformat(), timedelta(minutes=minutes), latest
    )


def happened(services: Services) -> list[datetime]:
    with services.database.read() as connection:
        return sorted(connection.scalars(select(tables.occurrence.c.due_at)))


def agenda_of(services: Services, *schedules: Schedule) -> Agenda:
    return Agenda(services, lambda: schedules, lambda: 0)


def test_a_schedule_begins_when_it_is_first_seen_and_then_happens_at_each_due_time(
    services: Services, clock: TestClock
) -> None:
    agenda = agenda_of(services, every(1))
    for _ in range(8 * 60):
        agenda.tick()
        clock.forward(seconds=0.5)
    assert happened(services) == [START + timedelta(minutes=n) for n in range(1, 4)]


@pytest.mark.parametrize(("latest", "missed"), [(False, 5), (True, 1)])
def test_after_a_jump_forward_reports_are_all_made_up_for_and_polls_once(
    services: Services, clock: TestClock, latest: bool, missed: int
) -> None:
    agenda = agenda_of(services, every(1, latest=latest))
    agenda.tick()
    clock.forward(minutes=5)
    assert agenda.tick() == missed
    assert agenda.tick() == 0


def test_a_clock_that_was_set_back_by_years_happens_again_and_nothing_twice(
    services: Services, clock: TestClock
) -> None:
    agenda = agenda_of(services, every(1))
    agenda.tick()
    clock.forward(days=800)
    assert agenda.tick() == 1
    clock.at = START + timedelta(minutes=10)
    assert agenda.tick() == 0
    clock.forward(minutes=1)
    assert agenda.tick() == 1
    clock.forward(minutes=-1)  # by less than the difference of two machines' clocks
    assert agenda.tick() == 0
    assert len(happened(services)) == len(set(happened(services)))


def test_a_period_happens_once_although_new_time_zone_data_moves_its_due_time(
    services: Services, clock: TestClock
) -> None:
    agenda_of(services, every(60)).tick()
    clock.forward(minutes=60, seconds=1)
    assert agenda_of(services, every(60)).tick() == 1
    clock.forward(minutes=30)
    assert agenda_of(services, every(60, shift=timedelta(minutes=25))).tick() == 0, "due again, of the same period"


def test_what_a_tick_could_not_write_the_next_one_does(services: Services, clock: TestClock) -> None:
    agenda = agenda_of(services, every(1))
    agenda.tick()
    clock.forward(minutes=1)
    with services.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE occurrence RENAME TO away")
    with pytest.raises(OperationalError):
        agenda.tick()
    with services.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO occurrence")
    assert agenda.tick() == 1


def test_a_schedule_made_meanwhile_is_seen_within_seconds(services: Services, clock: TestClock) -> None:
    known = [every(1)]
    agenda = Agenda(services, lambda: known, lambda: len(known))
    agenda.tick()
    known.append(every(1, "poll:new"))
    clock.forward(seconds=6)
    agenda.tick()
    clock.forward(seconds=54)
    assert agenda.tick() == 2


def test_two_replicas_hand_over_each_occurrence_once(services: Services, clock: TestClock) -> None:
    agendas = [agenda_of(services, *(every(1, f"poll:{n}") for n in range(30))) for _ in range(2)]
    counted = 0
    for _ in range(240):
        counted += sum(agenda.tick() for agenda in agendas)
        clock.forward(seconds=1)
    assert counted == len(happened(services)) == 30 * 3
    with services.database.read() as connection:
        assert queue.count_by_state(connection) == {"waiting": counted}
