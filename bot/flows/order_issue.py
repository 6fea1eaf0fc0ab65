"""Orders an issue for an experiment: a row in the outbox, written with the act that wants it."""

import re

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.experiment import Experiment
from bot.flows.services import Services
from store import outbox

PROJECT = re.compile(r"[A-Z][A-Z0-9_]{1,30}")


def order_issue(connection: Connection, services: Services, experiment: Experiment, project: str) -> None:
    """Put the creation of an experiment's issue into the outbox. Raises BacklogError where Jira is not configured and
    for what can be no project."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    wanted = project.strip().upper()
    if not PROJECT.fullmatch(wanted):
        raise BacklogError(f'"{project[:40]}" is no project key.', f"/exp link {experiment.key} --create ML")
    asked = {"title": experiment.title, "kind": experiment.kind, "owner": experiment.owner}
    payload = {"experiment": experiment.key, "project": wanted, **asked}
    outbox.put(connection, outbox.create_target(experiment.key), "jira.create", payload, services.now())
