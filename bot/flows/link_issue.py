"""Ties an experiment to its twin in Jira: an issue that is there, or one that is made for it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Entry, Experiment
from backlog.lifecycle import BOT
from bot.flows.announce import announce
from bot.flows.change_experiment import Changed
from bot.flows.order_issue import order_issue
from bot.flows.services import Caller, Services, acting
from store import outbox
from store.experiments import find_experiment, linked_to, save_entry
from store.issues import forget_agreed, save_issues
from store.metrics import attach_runs
from store.outbox import Effect


def link_issue(services: Services, caller: Caller, key: str, issue_key: str) -> Changed:
    """Link by the issue's immutable id; runs that named the issue before anybody linked it come along.

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
        entry = lifecycle.link_issue(experiment, issue, caller.id, services.now())
        save_issues(connection, [issue])
        attach_runs(connection, issue.key, experiment.number)
        forget_agreed(connection, issue.id)
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    return Changed(after, entry)


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
