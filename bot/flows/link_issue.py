"""Ties an experiment to its twin in Jira: read the issue, remember both, write the way back."""

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.issue import Issue
from bot.flows.change_experiment import Changed, change
from bot.flows.services import Caller, Services
from store.experiments import find_experiment, linked_to
from store.issues import save_issues
from store.metrics import attach_runs


def link_issue(services: Services, caller: Caller, key: str, issue_key: str) -> Changed:
    """Link by the issue's immutable id. Raises BacklogError where Jira is not configured or the issue is taken."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    with services.database.read() as connection:
        find_experiment(connection, key)  # refuse a wrong key before asking Jira
    issue = services.tracker.fetch_issue(issue_key.strip().upper())
    _remember(services, key, issue)

    return change(services, caller, key, lambda e, _, now: lifecycle.link_issue(e, issue, caller.id, now))


def _remember(services: Services, key: str, issue: Issue) -> None:
    with services.database.write() as connection:
        experiment = find_experiment(connection, key)
        taken = linked_to(connection, issue.id)
        if taken and taken.number != experiment.number:
            raise BacklogError(f"{issue.key} belongs to {taken.key} already.", f"/exp unlink {taken.key} first.")
        save_issues(connection, [issue])
        attach_runs(connection, issue.key, experiment.number)
