"""Everything a person does to one experiment: load it, let the lifecycle decide, remember, tell.

A new act is a pure function in `backlog.lifecycle` and three lines here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Entry, Experiment, Kind, Stage, Wanted
from backlog.gates import Evidence, warnings
from bot.flows.announce import announce
from bot.flows.evidence import gather_evidence
from bot.flows.order_issue import order_issue
from bot.flows.services import Caller, Services, acting
from store.experiments import (
    add_experiment,
    find_experiment,
    load_experiments,
    load_timeline,
    save_entry,
)
from store.goals import find_goal
from store.people import load_names


@dataclass(frozen=True, slots=True)
class Look:
    """What an act may look at, within its transaction; gathering costs queries, so it asks only for what it needs."""

    connection: Connection
    services: Services
    experiment: Experiment

    def evidence(self) -> Evidence:
        """What the gates ask about."""
        return gather_evidence(self.connection, self.experiment, self.services.tracker is not None)

    def timeline(self) -> list[Entry]:
        """What was done so far, oldest first."""
        return load_timeline(self.connection, self.experiment.key)


Act = Callable[[Experiment, Look, datetime], Entry]


@dataclass(frozen=True, slots=True)
class Changed:
    """The experiment after an act, the entry that the act left, and what a person should know about it."""

    experiment: Experiment
    entry: Entry
    warnings: tuple[str, ...] = ()


class NearPast(BacklogError):
    """Something like it is there already."""

    def __init__(self, key: str) -> None:
        super().__init__(
            "Nothing is created yet; something like it is there.",
            "Create it anyway with --anyway, or go on with what is there.",
        )
        self.key = key


def create_experiment(
    services: Services,
    caller: Caller,
    title: str,
    *,
    kind: Kind,
    goal: str = "",
    appetite: str = "",
    parent: str = "",
    project: str = "",
    note: str = "",
    near: str = "",
    dry_run: bool = False,
) -> Changed:
    """Put an idea on the backlog and its card into the channel, with a first note if there is one, and order its issue
    where a Jira project is named; a dry run checks it and leaves nothing. Raises NearPast where `near` names one like
    it that the person should see first."""
    with acting(services, caller) as connection:
        if near:
            raise NearPast(near)
        goal_key = find_goal(connection, goal).key if goal else ""
        parent_key = find_experiment(connection, parent).key if parent else ""
        entry = lifecycle.create(
            title, caller.id, services.now(), kind=kind, goal=goal_key, appetite=appetite, parent=parent_key
        )
        experiment = add_experiment(connection, entry)
        if project:
            order_issue(connection, services, experiment, project)
        if dry_run:
            connection.rollback()
        else:
            announce(connection, services, experiment, entry)
        if note and not dry_run:
            noted = lifecycle.note(experiment, caller.id, services.now(), note)
            experiment = save_entry(connection, experiment, noted)
            announce(connection, services, experiment, noted)
    return Changed(experiment, entry)


def change(services: Services, caller: Caller, key: str, act: Act) -> Changed:
    """One act on one experiment in one transaction: the entry, the new state, and what others shall hear of it."""
    with acting(services, caller) as connection:
        experiment = find_experiment(connection, key)
        entry = act(experiment, Look(connection, services, experiment), services.now())
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    return Changed(after, entry)


def frame_experiment(services: Services, caller: Caller, key: str, fields: Mapping[str, Any]) -> Changed:
    """Set what frames an experiment. Raises NotFound for a goal that does not exist."""
    if fields.get("goal"):
        with services.database.read() as connection:
            fields = {**fields, "goal": find_goal(connection, fields["goal"]).key}
    return change(services, caller, key, lambda e, _, now: lifecycle.frame(e, caller.id, now, fields))


def edit_experiment(services: Services, caller: Caller, key: str, fields: Mapping[str, Any]) -> Changed:
    """Change title, owner, appetite or scores."""
    return change(services, caller, key, lambda e, _, now: lifecycle.edit(e, caller.id, now, fields))


def move_experiment(
    services: Services, caller: Caller, key: str, to: Stage, *, over: str = "", reason: str = ""
) -> Changed:
    """Enter another stage, forward through every gate or back."""
    heard: list[str] = []

    def act(e: Experiment, look: Look, now: datetime) -> Entry:
        evidence = look.evidence()
        heard.extend(warnings(e, to, evidence))
        return lifecycle.move(e, to, caller.id, now, evidence, services.rules, over=over, reason=reason)

    return replace(change(services, caller, key, act), warnings=tuple(heard))


def note_experiment(services: Services, caller: Caller, key: str, text: str) -> Changed:
    """Keep a sentence on the timeline and, where linked, as a Jira comment."""
    return change(services, caller, key, lambda e, _, now: lifecycle.note(e, caller.id, now, text))


def block_experiment(services: Services, caller: Caller, key: str, reason: str, until: date | None = None) -> Changed:
    """Mark an experiment as waiting for something."""
    return change(services, caller, key, lambda e, _, now: lifecycle.block(e, caller.id, now, reason, until))


def unblock_experiment(services: Services, caller: Caller, key: str) -> Changed:
    """Lift the block."""
    return change(services, caller, key, lambda e, _, now: lifecycle.unblock(e, caller.id, now))


def park_experiment(services: Services, caller: Caller, key: str, reason: str, until: date | None) -> Changed:
    """Put an experiment aside."""
    return change(services, caller, key, lambda e, _, now: lifecycle.park(e, caller.id, now, reason, until))


def set_hill(services: Services, caller: Caller, key: str, position: str) -> Changed:
    """Record the hill position."""
    return change(services, caller, key, lambda e, _, now: lifecycle.set_hill(e, caller.id, now, position))


def checkpoint_experiment(services: Services, caller: Caller, key: str, text: str) -> Changed:
    """Record a look at an experiment."""
    return change(services, caller, key, lambda e, _, now: lifecycle.checkpoint(e, caller.id, now, text))


def undo_last(services: Services, caller: Caller, key: str) -> Changed:
    """Take back the caller's own last act on an experiment."""

    def act(e: Experiment, look: Look, now: datetime) -> Entry:
        return lifecycle.undo(e, look.timeline(), caller.id, now, look.evidence())

    return change(services, caller, key, act)


def reassign_all(services: Services, caller: Caller, old: str, new: str) -> list[Experiment]:
    """Give everything unfinished of one person to another, in one transaction."""
    with acting(services, caller) as connection:
        people = load_names(connection, {old, new})
        text = f"{people.get(old, old)} → {people.get(new, new)}"
        given = [
            (experiment, lifecycle.reassign(experiment, new, caller.id, services.now(), text))
            for experiment in load_experiments(connection, Wanted(owner=old, unfinished=True))
        ]
        after = [save_entry(connection, experiment, entry) for experiment, entry in given]
        for experiment, (_, entry) in zip(after, given, strict=True):
            announce(connection, services, experiment, entry)
    return after


def unlink_issue(services: Services, caller: Caller, key: str) -> Changed:
    """Cut the tie between an experiment and its issue."""
    return change(services, caller, key, lambda e, _, now: lifecycle.unlink_issue(e, caller.id, now))
