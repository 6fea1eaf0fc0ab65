"""The clock's one question: what is due?

Whoever writes an occurrence into the ledger hands its work over in the same transaction; asking again, after a
crash or from another process, hands over nothing twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.flows.services import Services
from store import ledger, queue


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something that recurs. `times(after, until)` gives its due times, oldest first; `period` names the one a due
    time belongs to, and a period happens once. With `latest`, only the newest missed time is made up for."""

    name: str
    task: str
    args: Mapping[str, Any]
    times: Callable[[datetime, datetime], Sequence[datetime]]
    period: Callable[[datetime], str]
    latest: bool = False


def run_due(services: Services, schedules: Sequence[Schedule]) -> int:
    """Hand over the work of every occurrence that came due since the last call; returns how many there were."""
    return sum(_run_due(services, schedule) for schedule in schedules)


def _run_due(services: Services, schedule: Schedule) -> int:
    now = services.now()
    with services.database.read() as connection:
        after = ledger.find_checked_until(connection, schedule.name)
    if after is not None and not schedule.times(after, now):
        return 0  # the common case writes nothing
    with services.database.write() as connection:
        due = schedule.times(ledger.checked_until(connection, schedule.name, now), now)
        handed = [at for at in (due[-1:] if schedule.latest else due) if _hand_over(connection, schedule, at, now)]
        ledger.advance(connection, schedule.name, now)
    return len(handed)


def _hand_over(connection: Connection, schedule: Schedule, due_at: datetime, now: datetime) -> bool:
    period = schedule.period(due_at)
    if not ledger.claim_occurrence(connection, schedule.name, period, due_at, now):
        return False
    args = {**schedule.args, "due_at": due_at.isoformat()}
    return queue.defer(connection, f"{schedule.name}:{period}", schedule.task, args, now)
