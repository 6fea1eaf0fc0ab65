"""Ties an experiment to its twin in Jira: read the issue, remember both, write the way back."""

from backlog import lifecycle
from backlog.errors import BacklogError
from bot.flows.announce import announce
from bot.flows.change_experiment import Changed
from bot.flows.services import Caller, Services, acting
from store.experiments import find_experiment, linked_to, save_entry
from store.issues import save_issues
from store.metrics import attach_runs


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
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    return Changed(after, entry)
