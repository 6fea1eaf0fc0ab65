"""Reminds people of what waits for them: a decision, a look half-way, a block whose day has come. It stops by itself
once that is answered, and rests while it is snoozed.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from backlog.subscription import LINES, Reminded, fitting, is_reminded
from bot.flows.services import Services
from bot.flows.waiting import Waiting, waiting
from bot.roles import SLACK_ID
from reports.notice import notice
from store import outbox
from store.dialect import serialise
from store.subscriptions import load_quiet_hours, load_reminded, save_reminded

NEVER = Reminded()
HINTS = {  # how the first of them is answered in words
    "decide": 'decide {key} adopt|stop|iterate "why"',
    "outcome": 'outcome {key} good|bad|interesting "what we learned"',
    "checkpoint": 'checkpoint {key} "what was seen"',
    "unblock": "unblock {key}",
}


def remind_people(services: Services) -> int:
    """Put one reminder for each person for whom something waits; returns how many there were."""
    with services.database.read() as connection:
        if not _due(connection, services):
            return 0  # the common case takes no lock
    with services.database.write() as connection:
        serialise(connection, "reminders")
        due = _due(connection, services)
        for person, waits in due.items():
            _remind(connection, services, person, waits)
    return len(due)


def _due(connection: Connection, services: Services) -> Mapping[str, Sequence[Waiting]]:
    now, quiet, last = services.now(), load_quiet_hours(connection), load_reminded(connection)
    due: dict[str, list[Waiting]] = {}
    for one in waiting(connection, services):
        for person in one.people:
            if not SLACK_ID.fullmatch(person) or (person in quiet and quiet[person].cover(now)):
                continue
            if is_reminded(one.since, last.get((person, one.experiment.key), NEVER), now):
                due.setdefault(person, []).append(one)
    return due


def _remind(connection: Connection, services: Services, person: str, waits: Sequence[Waiting]) -> None:
    now = services.now()
    lines = [f"{one.experiment.key} {one.experiment.title}: {one.why}" for one in waits]
    offers = [offer for one in waits[:LINES] for offer in _offers(one)]
    key = waits[0].experiment.key
    hint = f"/exp {HINTS[waits[0].verb].format(key=key)}, or /exp snooze {key} 3d"
    message = notice(_headline(waits), fitting(lines), hint, offers)
    outbox.put(connection, f"slack:notice:{person}", "slack.post", {"channel": person, **message}, now)
    for one in waits:
        save_reminded(connection, person, one.experiment.key, at=now)


def _headline(waits: Sequence[Waiting]) -> str:
    what = "decision" if all(one.verb in ("decide", "outcome") for one in waits) else "experiment"
    if len(waits) == 1:
        return f"{'A' if what == 'decision' else 'An'} {what} waits for you"
    return f"{len(waits)} {what}s wait for you"


def _offers(one: Waiting) -> list[tuple[str, str]]:
    key = one.experiment.key
    return [(f"{one.verb.capitalize()} {key}", f"{one.verb} {key}"), (f"Snooze {key}, 1 day", f"snooze {key}")]
