"""Goals: state one, mark what is ready, change a number with its reason, record what went to production."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backlog.errors import BacklogError, Incomplete
from backlog.goal import Goal, Mark, check_goal_key
from backlog.lifecycle import UNDO_WITHIN
from bot.flows.services import Caller, Services, acting
from store.goals import add_deployment, add_goal, edit_goal, find_goal, last_goal_act


def state_goal(services: Services, caller: Caller, goal: Goal) -> Goal:
    """Add a goal. Raises BacklogError where the key is taken or the statement empty."""
    if not goal.statement.strip():
        raise BacklogError("A goal needs its statement.", '/exp goal add churn "keep active clients"')
    stated = replace(goal, key=check_goal_key(goal.key))
    with acting(services, caller) as connection:
        add_goal(connection, stated)
    return stated


def mark_ready(services: Services, caller: Caller, key: str, marks: Mapping[str, Mark]) -> Goal:
    """Answer readiness questions of a goal; those not named keep their answers."""
    if not marks:
        raise Incomplete("Nothing to mark.", f'/exp goal ready {key} --labels yes --access "from 1 May"')
    with acting(services, caller) as connection:
        goal = find_goal(connection, key)
        changes = {"readiness": {**goal.readiness, **marks}}
        return edit_goal(connection, goal, caller.id, services.now(), changes, "")


def change_goal(services: Services, caller: Caller, key: str, changes: Mapping[str, Any], why: str) -> Goal:
    """Change fields of a goal; the old values stay on its timeline."""
    if not changes:
        raise Incomplete("Nothing to change.", f'/exp goal edit {key} --target 0.82 "new contract"')
    with acting(services, caller) as connection:
        return edit_goal(connection, find_goal(connection, key), caller.id, services.now(), changes, why)


def undo_goal(services: Services, caller: Caller, key: str) -> Goal:
    """Take back the caller's own last change of a goal, within 15 minutes; the timeline keeps both."""
    with acting(services, caller) as connection:
        goal, now = find_goal(connection, key), services.now()
        who, at, act, before = last_goal_act(connection, goal.key)
        if act != "edited" or who != caller.id or now - at > UNDO_WITHIN:
            raise BacklogError(
                f"The last act on the goal {goal.key} is not a change of yours within the last 15 minutes.",
                f"/exp goal show {goal.key}, then mend it with /exp goal edit.",
            )
        return edit_goal(connection, goal, caller.id, now, before, "", act="undone")


def record_deployment(services: Services, caller: Caller, key: str, version: str) -> Goal:
    """Remember that a version of the goal's model is in production from now on."""
    if not version.strip():
        raise BacklogError("A deployment has a version.", f"/exp deployed {key} v12")
    with acting(services, caller) as connection:
        goal = find_goal(connection, key)
        add_deployment(connection, goal.key, caller.id, services.now(), version.strip())
    return goal
