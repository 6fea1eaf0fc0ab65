"""Makes experiments of issues that are there already: asked for, shown before it is done, and done once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Kind
from backlog.issue import Issue
from backlog.merge import People
from bot.flows.announce import post, tell_jira
from bot.flows.services import Caller, Services, acting
from store.experiments import add_experiment, linked_to, save_entry
from store.goals import find_goal, load_goals
from store.issues import save_issues
from store.metrics import attach_runs
from store.people import load_names

MOST = 500  # issues at once; more is rather a wrong JQL than a wish


@dataclass(frozen=True, slots=True)
class Adopted:
    """An issue with its experiment: the one that is new, or the one that has it already."""

    issue: Issue
    key: str
    goal: str
    fresh: bool


def adopt_issues(
    services: Services, caller: Caller, jql: str, *, kind: Kind, goal: str = "", dry_run: bool = False
) -> list[Adopted]:
    """Put each issue that the JQL finds on the backlog as an idea, linked; one that has its experiment keeps it. The
    goal is the one named, else that of the issue's epic. The channel hears of all in one message; a dry run leaves
    nothing. Raises BacklogError where Jira is not configured or the JQL finds too many, and what Jira says is wrong.
    """
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    people, pages = services.tracker.people(), services.tracker.pull(jql or services.jql, None)
    issues = list(islice(chain.from_iterable(pages), MOST + 1))
    if len(issues) > MOST:
        raise BacklogError(f"The JQL finds more than {MOST} issues.", "Narrow it, such as: AND labels = experiment")
    with acting(services, caller, "make experiments of issues") as connection:
        named = find_goal(connection, goal).key if goal else ""
        epics = {g.epic_key: g.key for g in load_goals(connection) if g.epic_key}
        save_issues(connection, issues)
        adopted = [
            _adopt(connection, services, caller, people, issue, kind, named or epics.get(issue.parent_key, ""))
            for issue in issues
        ]
        if dry_run:
            connection.rollback()
        else:
            _tell(connection, services, caller, adopted)
    return adopted


def _adopt(
    connection: Connection,
    services: Services,
    caller: Caller,
    people: People,
    issue: Issue,
    kind: Kind,
    goal: str,
) -> Adopted:
    known = linked_to(connection, issue.id)
    if known:
        return Adopted(issue, known.key, known.goal, fresh=False)
    owner = people.owner(issue.assignee_id) or ""
    created = lifecycle.adopt(issue, caller.id, services.now(), kind=kind, goal=goal, owner=owner)
    experiment = add_experiment(connection, created)
    linked = lifecycle.link_issue(experiment, issue, caller.id, services.now())
    experiment = save_entry(connection, experiment, linked)
    attach_runs(connection, issue.key, experiment.number)
    tell_jira(connection, services, experiment, linked, caller.name)
    return Adopted(issue, experiment.key, goal, fresh=True)


def _tell(connection: Connection, services: Services, caller: Caller, adopted: Sequence[Adopted]) -> None:
    keys = [one.key for one in adopted if one.fresh]
    if keys and services.channel:
        who = load_names(connection, {caller.id}).get(caller.id, caller.name)
        text = f"{who} took {len(keys)} issues from Jira into the backlog: {', '.join(keys[:20])}"
        more = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
        post(connection, services, f"slack:adopted:{keys[0]}", text + more)
