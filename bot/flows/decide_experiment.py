"""The end of an experiment: what was found, what we do about it, and what follows from it."""

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.experiment import (
    EXPERIMENT_KEY,
    ISSUE_KEY,
    Decision,
    Experiment,
    Outcome,
    ReasonCode,
    clean_title,
)
from bot.flows.announce import announce
from bot.flows.change_experiment import Changed
from bot.flows.evidence import gather_evidence
from bot.flows.progress import progress_lines
from bot.flows.services import Caller, Services, acting, require
from bot.roles import Role
from store.experiments import (
    add_experiment,
    find_experiment,
    load_ancestors,
    load_by_numbers,
    load_followers,
    save_entry,
)


def record_outcome(
    services: Services,
    caller: Caller,
    key: str,
    outcome: Outcome,
    learning: str,
    follow: str = "",
    code: ReasonCode | None = None,
) -> Changed:
    """Say what was found. `follow` names what follows: a key, or the title of a new experiment."""
    with acting(services, caller) as connection:
        experiment = find_experiment(connection, key)
        follower = _follower(connection, services, caller, experiment, follow) if follow else ""
        now = services.now()
        entry = lifecycle.record_outcome(experiment, outcome, learning, caller.id, now, follower, code)
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    return Changed(after, entry)


def decide_experiment(
    services: Services, caller: Caller, key: str, decision: Decision, reason: str, follow: str = ""
) -> Changed:
    """Say what we do about it, with the evidence as it stands. An iteration or a pivot goes on in the experiment that
    `follow` names, else in the one that the outcome named, else in a new one."""
    needs = Role.DECIDER if decision.concludes else Role.MEMBER
    with acting(services, caller, "decide about an experiment", needs) as connection:
        experiment = find_experiment(connection, key)
        if decision is Decision.EXTEND:
            _require_bet(connection, services, caller, experiment)
        goes_on = follow or (decision.continues and not experiment.decision and not experiment.next_key)
        entry = lifecycle.decide(
            experiment,
            decision,
            reason,
            caller.id,
            services.now(),
            gather_evidence(connection, experiment, services.tracker is not None),
            found="; ".join(progress_lines(connection, experiment)),
            next_key=_follower(connection, services, caller, experiment, follow, decision) if goes_on else "",
        )
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    return Changed(after, entry)


def _require_bet(connection: Connection, services: Services, caller: Caller, experiment: Experiment) -> None:
    if experiment.extensions >= services.rules.extensions:
        act = f"extend {experiment.key} for the {experiment.extensions + 1}. time"
        require(connection, services, caller, act, Role.DECIDER)


def _follower(
    connection: Connection,
    services: Services,
    caller: Caller,
    experiment: Experiment,
    follow: str,
    decision: Decision | None = None,
) -> str:
    """The key of the experiment that follows: an existing one is tied to this one unless it follows from another."""
    now = services.now()
    if EXPERIMENT_KEY.fullmatch(follow.strip()) or ISSUE_KEY.fullmatch(follow.strip()):
        found = find_experiment(connection, follow)
        entry = lifecycle.follow(found, experiment.key, load_ancestors(connection, experiment), caller.id, now)
        if found.parent:
            return found.key
        after = save_entry(connection, found, entry)
    else:
        # The same outcome told twice makes one follower.
        numbers = [int(key.removeprefix("EXP-")) for key in load_followers(connection, experiment.key)]
        title = clean_title(follow) if follow else ""
        known = next((e.key for e in load_by_numbers(connection, numbers) if title and e.title == title), "")
        if known:
            return known
        entry = lifecycle.follow_up(experiment, caller.id, now, title, decision)
        after = add_experiment(connection, entry)
    announce(connection, services, after, entry)
    return after.key
