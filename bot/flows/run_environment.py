"""The environment in which a training run finds its experiment: what trackers read by themselves when a run starts."""

import json
from collections.abc import Mapping

from backlog.errors import BacklogError
from bot.flows.services import Services
from store.experiments import find_experiment

CONTEXT, TAGS, GROUP = "MLFLOW_RUN_CONTEXT", "WANDB_TAGS", "WANDB_RUN_GROUP"


def run_environment(services: Services, key: str, now: Mapping[str, str]) -> dict[str, str]:
    """The variables by name, for an experiment's key or its issue's. Tags that are in the environment `now` stay.
    Raises NotFound, and BacklogError where MLFLOW_RUN_CONTEXT is there and is not what MLflow takes."""
    with services.database.read() as connection:
        experiment = find_experiment(connection, key)
    issue = {"jira.issue": experiment.issue_key} if experiment.issue_key else {}
    context = {**_known_context(now.get(CONTEXT, "")), "scrumbut.experiment": experiment.key, **issue}
    tags = [tag.strip() for tag in now.get(TAGS, "").split(",") if tag.strip()]
    own = dict.fromkeys([*tags, experiment.key, *issue.values()])
    return {CONTEXT: json.dumps(context), TAGS: ",".join(own), GROUP: experiment.key}


def _known_context(text: str) -> dict[str, str]:
    try:
        known = json.loads(text or "{}")
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise BacklogError(f'{CONTEXT} is "{text[:60]}", which is no JSON object.', f"unset {CONTEXT}")
    known.pop("jira.issue", None)  # another experiment's
    return known
