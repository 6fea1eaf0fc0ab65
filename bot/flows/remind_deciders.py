"""Reminds those who may decide of what waits for them; stops by itself once the decision is taken."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from backlog.experiment import Experiment, Stage, Wanted
from backlog.subscription import LINES, Reminded, deciders_of, fitting, is_reminded
from bot.flows.services import Services
from bot.roles import SLACK_ID, Role
from reports.notice import notice
from store import outbox
from store.dialect import serialise
from store.experiments import load_experiments
from store.people import members_of
from store.subscriptions import load_quiet_hours, load_reminded, save_reminded

NEVER = Reminded()


def remind_deciders(services: Services) -> int:
    """Put one reminder for each person who has decisions waiting; returns how many there were."""
    with services.database.read() as connection:
        if not _due(connection, services):
            return 0  # the common case takes no lock
    with services.database.write() as connection:
        serialise(connection, "reminders")
        due = _due(connection, services)
        for person, waiting in due.items():
            _remind(connection, services, person, waiting)
    return len(due)


def _due(connection: Connection, services: Services) -> Mapping[str, Sequence[Experiment]]:
    now, quiet, last = services.now(), load_quiet_hours(connection), load_reminded(connection)
    may_decide = members_of(connection, services.roles.who_may(Role.DECIDER))
    due: dict[str, list[Experiment]] = {}
    for experiment in load_experiments(connection, Wanted(stage=Stage.DECIDING)):
        for person in deciders_of(experiment, may_decide, services.roles.open):
            if not SLACK_ID.fullmatch(person) or (person in quiet and quiet[person].cover(now)):
                continue
            if is_reminded(experiment, last.get((person, experiment.key), NEVER), now):
                due.setdefault(person, []).append(experiment)
    return due


def _remind(connection: Connection, services: Services, person: str, waiting: Sequence[Experiment]) -> None:
    now = services.now()
    lines = [f"{e.key} {e.title}: {f'{e.outcome}, {e.learning}' if e.outcome else 'no outcome yet'}" for e in waiting]
    offers = [(f"Snooze {e.key}, 1 day", f"snooze {e.key}") for e in waiting[:LINES]]
    hint = f'/exp decide {waiting[0].key} adopt|stop|iterate "why", or /exp snooze {waiting[0].key} 3d'
    headline = "A decision waits for you" if len(waiting) == 1 else f"{len(waiting)} decisions wait for you"
    message = notice(headline, fitting(lines), hint, offers)
    outbox.put(connection, f"slack:notice:{person}", "slack.post", {"channel": person, **message}, now)
    for experiment in waiting:
        save_reminded(connection, person, experiment.key, at=now)
