"""What came of it, by the stand-ins' and the database's records; the product's own counters are not asked."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from chaos.place import Place
from chaos.storm import Driver
from store import outbox, queue, tables
from store.database import Database, open_unchanged

NOTE = re.compile(r"seen \d{5}")
REPORT = re.compile(r"weekly-(a\d+)-")


@dataclass(frozen=True)
class Verdict:
    """One thing that must hold, and what was seen."""

    what: str
    seen: str
    holds: bool


def is_settled(place: Place, due_by: datetime) -> bool:
    """Whether everything that was due has been worked off."""
    database = open_unchanged(place.database)
    try:
        with database.read() as connection:
            left = connection.scalar(select(func.count()).where(tables.outbox.c.state.in_(outbox.UNSETTLED)))
            happened = connection.scalar(select(func.count()).where(*_reports()))
            work = queue.count_by_state(connection)
    finally:
        database.close()
    wanted = sum(at <= due_by for at in place.due.values())
    return not left and not work.get("waiting") and happened == wanted


def _reports() -> tuple[Any, ...]:
    return (tables.occurrence.c.schedule.startswith("report:"),)


def judge(place: Place, driver: Driver, wanted_ticks: int) -> list[Verdict]:
    """Every line that `make chaos` promises."""
    database = open_unchanged(place.database)
    try:
        return [*_ticks(place, database, wanted_ticks), *_posts(place), *_notes(place, driver), *_stuck(database)]
    finally:
        database.close()


def _ticks(place: Place, database: Database, wanted: int) -> list[Verdict]:
    with database.read() as connection:
        rows = connection.execute(select(tables.occurrence.c.schedule, tables.occurrence.c.due_at)).all()
    ticked = Counter(str(name).removeprefix("report:weekly-") for name, _ in rows if str(name).startswith("report:"))
    lost, double = set(place.due) - set(ticked), [name for name, times in ticked.items() if times > 1]
    late = [at for name, at in rows if str(name).startswith("report:") and at != place.due[str(name)[14:]]]
    return [
        Verdict(
            f"at least {wanted} ticks", f"{len(rows)}, of them {sum(ticked.values())} reports", len(rows) >= wanted
        ),
        Verdict("no tick lost", f"{len(lost)} of {len(place.due)}", not lost),
        Verdict("no tick double, each at its own time", f"{len(double)}, {len(late)}", not double and not late),
    ]


def _posts(place: Place) -> list[Verdict]:
    messages = place.slack.messages("ml")
    keys = Counter(m["metadata"]["event_payload"]["key"] for m in messages if "metadata" in m)
    heads = Counter(audience for m in messages if "thread_ts" not in m and (audience := _audience(m)))
    answers = Counter(m["thread_ts"] for m in messages if "thread_ts" in m)
    told = {m["ts"] for m in messages if "thread_ts" not in m and _audience(m)}
    sizes = {answers[ts] for ts in told}
    twice = [key for key, times in keys.items() if times > 1]
    right = set(heads) == set(place.due) and set(heads.values()) == {1}
    return [
        Verdict("posts equal reports due", f"{sum(heads.values())} of {len(place.due)}", right),
        Verdict("each report has the same answers below it", f"{sorted(sizes)}", len(sizes) == 1),
        Verdict("no message twice", f"{len(twice)} of {len(messages)}", not twice),
    ]


def _audience(message: dict[str, Any]) -> str:
    """Whose report a message begins; empty for any other."""
    found = REPORT.search(str(message["blocks"]))
    return found[1] if found else ""


def _notes(place: Place, driver: Driver) -> list[Verdict]:
    written = Counter[str]()
    for issue in place.jira.issues():
        for comment in place.jira.comments(issue["key"]):
            written.update(NOTE.findall(str(comment["body"])))  # one comment may carry several
    lost = driver.acknowledged - set(written)
    twice = [said for said, times in written.items() if times > 1]
    unasked = set(written) - driver.acknowledged - driver.doubtful
    told = f"{len(driver.acknowledged)} acknowledged, {len(lost)} lost, {len(twice)} double"
    holds = not lost and not twice and not unasked and bool(driver.acknowledged)
    return [Verdict("every Jira write once", told, holds)]


def _stuck(database: Database) -> list[Verdict]:
    with database.read() as connection:
        rows = outbox.load_rows(connection, (*outbox.STUCK, *outbox.UNSETTLED))
        failed = queue.count_by_state(connection).get(queue.FAILED, 0)
    told = "; ".join(f"{row.target} {row.kind} {row.state}: {row.error}"[:200] for row in rows[:5])
    seen = f"{len(rows)} rows, {failed} tasks {told}".strip()
    return [Verdict("nothing needs a person", seen, not rows and not failed)]


def wait_for(holds: Callable[[], bool], patience_s: float, tend: Callable[[], None]) -> bool:
    """Whether it came to hold in that time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        tend()
        if holds():
            return True
        time.sleep(1)
    return False
