"""How the backlog and Jira stand to each other; nothing here writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backlog.errors import BacklogError
from backlog.experiment import Experiment
from backlog.issue import Issue
from backlog.merge import Verdict, in_words, merge
from backlog.status import STATUS, StatusVerdict, judge_status
from bot.flows.services import Services
from bot.flows.sync_backlog import JIRA
from bot.flows.sync_issue import times_of_change
from store import outbox
from store.experiments import find_experiment
from store.issues import load_agreed, load_linked_issues
from store.metrics import source_states


@dataclass(frozen=True, slots=True)
class Stuck:
    """A write to Jira that needs a person, and why."""

    key: str
    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class SyncState:
    """When Jira was last read and with what error, how many issues are linked, what waits or is stuck, and
    what Jira last said of its limits."""

    read_at: datetime | None
    error: str
    linked: int
    waiting: int
    stuck: Sequence[Stuck]
    requests: int
    limits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Both sides of one experiment, and what a sync would do now."""

    experiment: Experiment
    issue: Issue
    verdicts: Sequence[Verdict]
    status: StatusVerdict
    agreed_status: str


def show_sync(services: Services) -> SyncState:
    """The state of the sync as a whole. Raises BacklogError where Jira is not configured."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    with services.database.read() as connection:
        read_at, error = source_states(connection).get(JIRA, (None, ""))
        issues = load_linked_issues(connection)
        stuck = outbox.load_stuck(connection, "jira:")
        waiting = outbox.count_waiting(connection, "jira:")
    named = [Stuck(_name(target, issues), kind.removeprefix("jira."), why) for target, kind, why in stuck]
    return SyncState(read_at, error, len(issues), waiting, named, services.tracker.requests, services.tracker.limits)


def _name(target: str, issues: dict[str, Issue]) -> str:
    """The key that a person knows a target of the outbox by."""
    kind, name = target.removeprefix("jira:").split(":")[:2]
    return issues[name].key if kind == "issue" and name in issues else name


def show_difference(services: Services, key: str) -> Difference:
    """Both sides of one experiment as they are now. Raises BacklogError where it has no issue."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    with services.database.read() as connection:
        experiment = find_experiment(connection, key)
    if not experiment.issue_id:
        raise BacklogError(f"{experiment.key} has no linked issue.", f"/exp link {experiment.key} ML-345")
    twin, people = services.tracker.read_twin(experiment.issue_id), services.tracker.people()
    with services.database.read() as connection:
        agreed = load_agreed(connection, experiment.issue_id)
        changed_at = times_of_change(connection, services, experiment, twin)
        verdicts = merge(experiment, twin.issue, agreed, people, changed_at)
    base = agreed.get(STATUS)
    status = judge_status(experiment.stage, twin.issue, base, services.statuses)
    known = f"{base.ours} and {in_words(base.theirs)}" if base else "never"
    return Difference(experiment, twin.issue, verdicts, status, known)
