"""Takes what Jira's screen asks for on the way to a status, and has the way tried again."""

from collections.abc import Mapping

from backlog.errors import BacklogError
from backlog.experiment import Experiment
from bot.flows.order_issue import order_sync
from bot.flows.services import Caller, Services, acting
from store import outbox
from store.experiments import find_experiment
from store.screens import load_screen, save_screen


def answer_screen(services: Services, caller: Caller, key: str, given: Mapping[str, str]) -> Experiment:
    """Answer the screen in the way of one experiment's issue, field by field. Raises BacklogError where no screen waits
    and for what cannot be chosen, Incomplete for what is lacking."""
    with acting(services, caller, "answer a screen of Jira") as connection:
        experiment = find_experiment(connection, key)
        waiting = load_screen(connection, experiment.issue_id)
        if waiting is None:
            what = f"No screen of Jira waits for an answer on {experiment.issue_key or experiment.key}."
            raise BacklogError(what, "/exp sync status")
        screen, answers = waiting
        save_screen(connection, experiment.issue_id, screen, screen.read({**answers, **given}))
        outbox.revive(connection, outbox.issue_target(experiment.issue_id), services.now())
        order_sync(connection, services, experiment.issue_id)
    return experiment
