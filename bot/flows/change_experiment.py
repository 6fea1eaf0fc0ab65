"""Everything a person does to one experiment: load it, let the lifecycle decide, remember, tell.

A new act is a pure function in `backlog.lifecycle` and three lines here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from backlog import lifecycle
from backlog.experiment import Decision, Entry, Experiment, Kind, Outcome, Stage
from backlog.lifecycle import Evidence
from bot.flows.announce import announce
from bot.flows.evidence import gather_evidence
from bot.flows.services import Caller, Services, acting
from store.experiments import add_experiment, find_experiment, load_timeline, save_entry
from store.goals import find_goal

# Gathering evidence costs several queries, so an act asks for it only where a gate needs it.
Act = Callable[[Experiment, Callable[[], Evidence], datetime], Entry]


@dataclass(frozen=True, slots=True)
class Changed:
    """The experiment after an act, the entry that the act left, and what a person should know about it."""

    experiment: Experiment
    entry: Entry
    warnings: tuple[str, ...] = ()


def create_experiment(
    services: Services, caller: Caller, title: str, *, kind: Kind, goal: str = "", appetite: str = ""
) -> Changed:
    """Put an idea on the backlog and its card into the channel."""
    with acting(services, caller) as connection:
        goal_key = find_goal(connection, goal).key if goal else ""
        entry = lifecycle.create(title, caller.id, services.now(), kind=kind, goal=goal_key, appetite=appetite)
        experiment = add_experiment(connection, entry)
        announce(connection, services, experiment, entry)
    return Changed(experiment, entry)


def change(services: Services, caller: Caller, key: str, act: Act) -> Changed:
    """One act on one experiment in one transaction: the entry, the new state, and what others shall hear of it."""
    with acting(services, caller) as connection:
        experiment = find_experiment(connection, key)

        def evidence() -> Evidence:
            return gather_evidence(connection, experiment, services.tracker is not None)

        entry = act(experiment, evidence, services.now())
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
    """Change title, owner or appetite."""
    return change(services, caller, key, lambda e, _, now: lifecycle.edit(e, caller.id, now, fields))


def move_experiment(
    services: Services, caller: Caller, key: str, to: Stage, *, over: str = "", reason: str = ""
) -> Changed:
    """Enter another stage, forward through every gate or back."""
    heard: list[str] = []

    def act(e: Experiment, look: Callable[[], Evidence], now: datetime) -> Entry:
        evidence = look()
        heard.extend(lifecycle.warnings(e, to, evidence))
        return lifecycle.move(e, to, caller.id, now, evidence, services.rules, over=over, reason=reason)

    return replace(change(services, caller, key, act), warnings=tuple(heard))


def note_experiment(services: Services, caller: Caller, key: str, text: str) -> Changed:
    """Keep a sentence on the timeline and, where linked, as a Jira comment."""
    return change(services, caller, key, lambda e, _, now: lifecycle.note(e, caller.id, now, text))


def block_experiment(services: Services, caller: Caller, key: str, reason: str) -> Changed:
    """Mark an experiment as waiting for something."""
    return change(services, caller, key, lambda e, _, now: lifecycle.block(e, caller.id, now, reason))


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


def extend_experiment(services: Services, caller: Caller, key: str, reason: str) -> Changed:
    """Bet one more appetite."""

    def act(e: Experiment, look: Callable[[], Evidence], now: datetime) -> Entry:
        return lifecycle.extend(e, caller.id, now, reason, look().runs_since_bet)

    return change(services, caller, key, act)


def undo_last(services: Services, caller: Caller, key: str) -> Changed:
    """Take back the caller's own last act on an experiment."""
    with services.database.read() as connection:
        timeline = load_timeline(connection, find_experiment(connection, key).key)
    return change(services, caller, key, lambda e, _, now: lifecycle.undo(e, timeline, caller.id, now))


def record_outcome(
    services: Services, caller: Caller, key: str, outcome: Outcome, learning: str, next_key: str = ""
) -> Changed:
    """Say what was found. Raises NotFound for a follow-up that does not exist."""
    if next_key:
        with services.database.read() as connection:
            next_key = find_experiment(connection, next_key).key

    return change(
        services,
        caller,
        key,
        lambda e, _, now: lifecycle.record_outcome(e, outcome, learning, caller.id, now, next_key),
    )


def decide_experiment(services: Services, caller: Caller, key: str, decision: Decision, reason: str) -> Changed:
    """Conclude an experiment."""
    return change(
        services,
        caller,
        key,
        lambda e, evidence, now: lifecycle.decide(e, decision, reason, caller.id, now, evidence()),
    )


def unlink_issue(services: Services, caller: Caller, key: str) -> Changed:
    """Cut the tie between an experiment and its issue."""
    return change(services, caller, key, lambda e, _, now: lifecycle.unlink_issue(e, caller.id, now))
