"""Takes an issue out of its sprint and clears its due date: only on a member's word, and recorded with the name."""

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Experiment
from bot.flows.announce import announce
from bot.flows.order_issue import order_untimeboxing
from bot.flows.services import Caller, Services, acting
from store.experiments import find_experiment, save_entry
from store.issues import load_linked_issues


def untimebox_issue(services: Services, caller: Caller, key: str) -> Experiment:
    """Order it for one experiment's issue. Raises BacklogError where the experiment has no issue, or one that nothing
    boxes in time."""
    with acting(services, caller, "clear a sprint or due date") as connection:
        experiment = find_experiment(connection, key)
        issue = load_linked_issues(connection).get(experiment.issue_id)
        if issue is None:
            raise BacklogError(f"{experiment.key} has no linked issue.", f"/exp link {experiment.key} ML-345")
        entry = lifecycle.untimebox(issue, caller.id, services.now())
        after = save_entry(connection, experiment, entry)
        order_untimeboxing(connection, services, issue.id)
        announce(connection, services, after, entry)
    return after
