"""Ties an experiment to its twin in Jira: an issue that is there, or one that is made for it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Entry, Experiment, Stage
from backlog.goal import Goal
from backlog.lifecycle import BOT
from bot.flows.announce import announce
from bot.flows.change_experiment import Changed
from bot.flows.links import JIRA_SPAN
from bot.flows.order_issue import order_issue, order_link
from bot.flows.read_comments import order_comments
from bot.flows.services import Caller, Services, acting
from store import outbox
from store.experiments import find_experiment, linked_to, save_entry
from store.goals import edit_goal, find_goal, load_goals
from store.issues import forget_agreed, save_issues
from store.metrics import attach_runs
from store.outbox import Effect


def link_issue(services: Services, caller: Caller, key: str, issue_key: str, instead: bool = False) -> Changed:
    """Link by the issue's immutable id, `instead` of another one where asked; runs that named the issue before anybody
    linked it come along.

    Raises BacklogError where Jira is not configured or the issue is taken, and what Jira says is wrong.
    """
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    with services.database.read() as connection:
        find_experiment(connection, key)  # refuse a wrong key before asking Jira
    issue = services.tracker.fetch_issue(issue_key.strip().upper())
    with acting(services, caller) as connection:
        experiment = find_experiment(connection, key)
        taken = linked_to(connection, issue.id)
        if taken and taken.number != experiment.number:
            raise BacklogError(f"{issue.key} belongs to {taken.key} already.", f"/exp unlink {taken.key} first.")
        entry = lifecycle.link_issue(experiment, issue, caller.id, services.now(), instead=instead)
        save_issues(connection, [issue])
        order_comments(connection, services, issue)
        attach_runs(connection, issue.key, experiment.number)
        forget_agreed(connection, issue.id)
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    return Changed(after, entry)


def link_epic(services: Services, caller: Caller, goal_key: str, issue_key: str) -> Goal:
    """Pair a goal with its epic: issues below it are adopted for that goal, and the epic links to the goal's reports.
    Raises BacklogError where Jira is not configured or the epic belongs to another goal."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    with services.database.read() as connection:
        find_goal(connection, goal_key)
    epic = services.tracker.fetch_issue(issue_key.strip().upper())
    with acting(services, caller) as connection:
        goal = find_goal(connection, goal_key)
        taken = next((g for g in load_goals(connection) if g.epic_id == epic.id and g.key != goal.key), None)
        if taken:
            raise BacklogError(f"{epic.key} is the epic of the goal {taken.key} already.", "Name another epic.")
        changes = {"epic_id": epic.id, "epic_key": epic.key}
        after = edit_goal(connection, goal, caller.id, services.now(), changes, epic.key)
        save_issues(connection, [epic])
        page = services.public_url + services.links.to("/reports/", services.now(), JIRA_SPAN)
        link = {
            "issue": epic.id, "global_id": f"scrumbut:goal:{goal.key}", "url": page,
            "title": f"Goal {goal.key}: {goal.statement}"[:255], "summary": "Its weekly reports",
            "icon": f"{services.public_url}/stages/{Stage.IDEA}.svg", "stage": "goal", "finished": False,
        }  # fmt: skip
        order_link(connection, services, link)
    return after


def create_issue(services: Services, caller: Caller, key: str, project: str) -> Experiment:
    """Have an issue made for an experiment that has none; it is linked when Jira has answered.

    Raises BacklogError where Jira is not configured, the experiment has its issue, or one is already being made.
    """
    with acting(services, caller) as connection:
        experiment = find_experiment(connection, key)
        if experiment.issue_id or outbox.is_waiting(connection, outbox.create_target(experiment.key)):
            what = experiment.issue_key or "an issue that is being made"
            raise BacklogError(f"{experiment.key} has {what} already.", f"/exp show {experiment.key}")
        order_issue(connection, services, experiment, project)
    return experiment


def tie_created(connection: Connection, services: Services, effect: Effect, result: Mapping[str, Any]) -> None:
    """Link the issue that was made to its experiment, unless somebody linked another one meanwhile."""
    experiment = find_experiment(connection, effect.payload["experiment"])
    if experiment.issue_id:
        return
    changes = {"issue_id": result["issue"], "issue_key": result["key"], "issue_url": result["url"]}
    entry = Entry(services.now(), BOT, "linked", result["key"], changes)
    announce(connection, services, save_entry(connection, experiment, entry), entry)
