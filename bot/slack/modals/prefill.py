"""What a modal shows before anything is typed into it: the subject's last state, and the names of what is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backlog.errors import BacklogError
from backlog.experiment import Experiment
from backlog.goal import READINESS, Goal
from backlog.screen import Screen
from bot.flows.services import Services
from bot.flows.subscribe import default_goal, preferences_of
from bot.slack.modals.fields import GOAL
from bot.slack.modals.forms import OWN
from store.experiments import find_experiment
from store.goals import find_goal
from store.screens import load_screen
from store.subscriptions import QUIET

# Parameters that an experiment knows under another name.
NAMES = {"follow": "next_key", "code": "reason_code", "position": "hill"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a modal is about: its key, one line that names it, and what it says of each parameter already."""

    key: str
    line: str
    state: Mapping[str, Any] = field(default_factory=dict)


def find_subject(services: Services, kind: str, key: str) -> Subject | None:
    """The goal or experiment of that key, or what a person has set; None where there is none, which the verb will
    say."""
    if kind == OWN:
        return _of_person(services, key)
    try:
        with services.database.read() as connection:
            if kind == GOAL:
                return _of_goal(find_goal(connection, key))
            experiment = find_experiment(connection, key)
            waiting = load_screen(connection, experiment.issue_id)
            return _of_experiment(experiment, waiting[0] if waiting else None)
    except BacklogError:
        return None


def _of_person(services: Services, key: str) -> Subject:
    person, _, channel = key.partition(" ")
    own = preferences_of(services, person)
    return Subject(key, "Yours and this channel's", {"hours": own.get(QUIET), "goal": default_goal(services, channel)})


def _of_goal(goal: Goal) -> Subject:
    marks = {name: goal.mark(name) for name in READINESS}
    ready = {name.replace("-", "_"): f"{mark.answer} {mark.note}".strip() for name, mark in marks.items()}
    stated = {name: getattr(goal, name) for name in Goal.__slots__}
    return Subject(goal.key, f"{goal.key}: {goal.statement}", {**stated, **ready})


def _of_experiment(e: Experiment, screen: Screen | None) -> Subject:
    state = {name: getattr(e, name) for name in Experiment.__slots__} | {"answers": screen}
    other = {name: state[stored] for name, stored in NAMES.items()}
    return Subject(e.key, f"{e.key} {e.title} · {e.stage}", {**state, **other})
