"""The clock's one question: what is due?

Whoever writes an occurrence into the ledger hands its work over in the same transaction; asking again, after a
crash or from another process, hands over nothing twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Any

import structlog
from sqlalchemy import Connection

from bot.flows.services import Services
from store import ledger, queue

log = structlog.get_logger(__name__)

SLICE = 200  # schedules of one transaction
SET_BACK = timedelta(hours=1)  # a clock this far behind the ledger was set back; less is two machines' difference
SWEEP = timedelta(
    minutes=1
)  # how long a hole in the ledger may stay: nobody was awake, or a clock or its zones changed
LOOK = timedelta(seconds=5)  # how long a new schedule may go unseen
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something that recurs. `times(after, until)` gives its due times, oldest first, at least one in any span of
    `reach`; `period` names the one a due time belongs to, and a period happens once. With `latest`, only the newest
    missed time is made up for."""

    name: str
    task: str
    args: Mapping[str, Any]
    times: Callable[[datetime, datetime], Sequence[datetime]]
    period: Callable[[datetime], str]
    reach: timedelta
    latest: bool = False


class Agenda:
    """When each schedule is due next, in memory: thousands of them are too many to be asked at every beat.

    `load` gives the schedules, `version` something that differs once these changed, which is asked every `look`.
    """

    def __init__(
        self,
        services: Services,
        load: Callable[[], Sequence[Schedule]],
        version: Callable[[], object],
        look: timedelta = LOOK,
    ) -> None:
        self._services, self._load, self._version, self._look = services, load, version, look
        self._next: list[tuple[datetime, int]] = []  # a heap of due times, and whose they are
        self._schedules: Sequence[Schedule] = ()
        self._known: object = None
        self._swept_at = self._looked_at = self._now = NEVER

    def has_news(self, now: datetime) -> bool:
        """Whether a tick would find something to do, or has to look."""
        if not self._now <= now < min(self._swept_at + SWEEP, self._looked_at + self._look):
            return True
        return bool(self._next) and self._next[0][0] <= now

    def tick(self) -> int:
        """Hand over what came due; returns how many there were. After an error the next call asks for everything."""
        now, before = self._services.now(), self._now
        self._now = now
        if now < before or now - self._swept_at >= SWEEP or self._changed(now):
            self._read(now)
        due = [self._schedules[number] for number in self._pop(now)]
        if not due:
            return 0
        try:
            return run_due(self._services, due)
        except Exception:
            self._swept_at = NEVER
            raise

    def _changed(self, now: datetime) -> bool:
        if now - self._looked_at < self._look:
            return False
        self._looked_at = now
        return self._version() != self._known

    def _read(self, now: datetime) -> None:
        """Everything is asked once: whatever was missed is in the ledger, and nowhere else."""
        self._known = self._version()
        self._schedules = self._load()
        self._next = [(now, number) for number in range(len(self._schedules))]
        heapify(self._next)
        self._swept_at = self._looked_at = now

    def _pop(self, now: datetime) -> Iterator[int]:
        while self._next and self._next[0][0] <= now:
            number = heappop(self._next)[1]
            schedule = self._schedules[number]
            following = schedule.times(now, now + schedule.reach)
            if following:
                heappush(self._next, (following[0], number))
            yield number


def run_due(services: Services, schedules: Sequence[Schedule]) -> int:
    """Hand over the work of every occurrence that came due since the last call; returns how many there were."""
    now = services.now()
    with services.database.read() as connection:
        checked = ledger.load_checked(connection, [schedule.name for schedule in schedules])
    # The common case writes nothing.
    due = [schedule for schedule in schedules if _is_due(schedule, checked.get(schedule.name), now)]
    slices = [due[start : start + SLICE] for start in range(0, len(due), SLICE)]
    return sum(_run_slice(services, part, now) for part in slices)


def _is_due(schedule: Schedule, after: datetime | None, now: datetime) -> bool:
    return after is None or after - now > SET_BACK or bool(schedule.times(after, now))


def _run_slice(services: Services, schedules: Sequence[Schedule], now: datetime) -> int:
    names = {schedule.name for schedule in schedules}
    with services.database.write() as connection:
        checked = ledger.hold_checked(connection, names, now)
        ahead = [name for name, until in checked.items() if until > now]
        handed = _hand_over(connection, schedules, checked, now)
        if any(checked[name] - now > SET_BACK for name in ahead):
            log.warning("the clock was set back", schedules=len(ahead))
            ledger.advance(connection, names, now)
        else:
            ledger.advance(connection, names - set(ahead), now)
    return handed


def _hand_over(
    connection: Connection, schedules: Sequence[Schedule], checked: Mapping[str, datetime], now: datetime
) -> int:
    due: dict[ledger.Occurrence, datetime] = {}
    tasks: dict[str, Schedule] = {}
    for schedule in schedules:
        times = schedule.times(checked[schedule.name], now)
        tasks[schedule.name] = schedule
        for at in times[-1:] if schedule.latest else times:
            due.setdefault((schedule.name, schedule.period(at)), at)
    owned = ledger.claim_occurrences(connection, due, now)
    works = [
        queue.Work(f"{name}:{period}", tasks[name].task, {**tasks[name].args, "due_at": due[name, period].isoformat()})
        for name, period in sorted(owned, key=lambda one: due[one])
    ]
    queue.defer_all(connection, works, now)
    return len(works)
