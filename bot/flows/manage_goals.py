"""Goals: state one, mark what is ready, change a number with its reason."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backlog.errors import BacklogError
from backlog.goal import Goal, Mark, check_goal_key
from bot.flows.services import Caller, Services, acting
from store.goals import add_goal, edit_goal, find_goal


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
        raise BacklogError("Nothing to mark.", f'/exp goal ready {key} --labels yes --access "from 1 May"')
    with acting(services, caller) as connection:
        goal = find_goal(connection, key)
        changes = {"readiness": {**goal.readiness, **marks}}
        return edit_goal(connection, goal, caller.id, services.now(), changes, "")


def change_goal(services: Services, caller: Caller, key: str, changes: Mapping[str, Any], why: str) -> Goal:
    """Change fields of a goal; the old values stay on its timeline."""
    if not changes:
        raise BacklogError("Nothing to change.", f'/exp goal edit {key} --target 0.82 "new contract"')
    with acting(services, caller) as connection:
        return edit_goal(connection, find_goal(connection, key), caller.id, services.now(), changes, why)
