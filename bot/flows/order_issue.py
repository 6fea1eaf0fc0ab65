"""Orders what Jira shall hear: rows in the outbox, written with the act that wants them."""

import re
from collections.abc import Mapping
from typing import Any

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


def order_sync(connection: Connection, services: Services, issue_id: str) -> None:
    """Have an issue and its experiment brought in line soon."""
    target = outbox.issue_target(issue_id, "sync")
    outbox.put_latest(connection, target, "jira.sync", {"issue": issue_id}, services.now())


def order_untimeboxing(connection: Connection, services: Services, issue_id: str) -> None:
    """Have an issue's sprint and due date cleared; the sync after it reads what is left."""
    target = outbox.issue_target(issue_id, "sync")
    outbox.put(connection, target, "jira.untimebox", {"issue": issue_id}, services.now())
    order_sync(connection, services, issue_id)


def order_comment(connection: Connection, services: Services, comment: Mapping[str, Any]) -> None:
    """Have a comment written on an issue, or the one edited that it `edits`; those of one issue in their order."""
    outbox.put(connection, outbox.issue_target(comment["issue"]), "jira.comment", comment, services.now())


def order_link(connection: Connection, services: Services, link: Mapping[str, Any]) -> None:
    """Have an issue link back to us."""
    target = outbox.issue_target(link["issue"], "link")
    outbox.put_latest(connection, target, "jira.remote_link", link, services.now())
