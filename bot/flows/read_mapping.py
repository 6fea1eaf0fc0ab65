"""What the configured mapping means for the issues that are there: statuses, people, fields, screens."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.experiment import Kind, Stage
from backlog.issue import Issue
from backlog.status import STATUS, StatusMap, judge_status
from bot.flows.services import Services, Tracker
from integrations.http import FORBIDDEN, NOT_FOUND, IntegrationError
from store.experiments import load_experiments
from store.issues import count_statuses, load_agreed, load_linked_issues

SCREENS = 12  # statuses whose ways out are asked for
PROJECTS = 5  # projects whose create screens are asked for


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A status with its resolution: how many issues have it, how many of those are linked, and the stages paired with
    it; none means that it is left alone."""

    status: str
    resolution: str
    issues: int
    linked: int
    stages: Sequence[Stage]


@dataclass(frozen=True, slots=True)
class MappingShown:
    """The mapping against the issues as last read. `would` counts what the next sync would do to linked issues;
    `screens` names required fields nobody configured, by the way that asks for them."""

    statuses: Sequence[StatusLine]
    paired: int
    unpaired: Mapping[str, int]
    fields: Mapping[str, str]
    would: Mapping[str, int]
    screens: Mapping[str, Sequence[str]]


def read_mapping(services: Services) -> MappingShown:
    """The mapping with what it would do. Raises BacklogError where Jira is not configured, IntegrationError where a
    name in `[jira.fields]` is no field or Jira does not answer."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    with services.database.read() as connection:
        return mapping_of(connection, services.tracker, services.statuses, services.issue_types)


def mapping_of(
    connection: Connection, tracker: Tracker, statuses: StatusMap, types: Mapping[Kind, str]
) -> MappingShown:
    """The same for whoever has no services."""
    people, fields = tracker.people(), tracker.fields()
    counted = count_statuses(connection)
    linked = load_linked_issues(connection)
    stages = {e.issue_id: e.stage for e in load_experiments(connection) if e.issue_id}
    agreed = {issue_id: load_agreed(connection, issue_id) for issue_id in linked}
    verdicts = {
        issue: judge_status(stages[issue.id], issue, agreed[issue.id].get(STATUS), statuses)
        for issue in linked.values()
    }
    assigned = Counter(issue.assignee for issue in linked.values() if issue.assignee_id)
    known = {issue.assignee for issue in linked.values() if people.owner(issue.assignee_id)}
    return MappingShown(
        statuses=[_line(statuses, status, resolution, *count) for (status, resolution), count in counted.items()],
        paired=len(people.by_owner),
        unpaired={name: count for name, count in assigned.items() if name not in known},
        fields=fields,
        would={
            "go to another status": sum(bool(v.push) for v in verdicts.values()),
            "try another stage here": sum(bool(v.move_to) for v in verdicts.values()),
            "be left alone": sum(not (v.push or v.move_to) for v in verdicts.values()),
        },
        screens=_screens(tracker, statuses, types, list(linked.values())),
    )


def _line(statuses: StatusMap, status: str, resolution: str, issues: int, linked: int) -> StatusLine:
    return StatusLine(status, resolution, issues, linked, statuses.stages_of(status, resolution))


def _screens(
    tracker: Tracker, statuses: StatusMap, types: Mapping[Kind, str], linked: Sequence[Issue]
) -> dict[str, Sequence[str]]:
    """Required fields that no configuration answers: of transitions to a paired status, and of new issues."""
    targets = {t.status.casefold(): bool(t.resolution) for t in statuses.by_stage.values()}
    by_status = {issue.status: issue for issue in linked}
    lacking: dict[str, Sequence[str]] = {}
    for issue in list(by_status.values())[:SCREENS]:
        for way in tracker.transitions(issue.id):
            if way.to.casefold() in targets:
                answered = {"resolution"} if targets[way.to.casefold()] else set()
                asked = [asked.name for id_, asked in way.required.items() if id_ not in answered]
                lacking[f'"{issue.status}" → "{way.to}"'] = sorted(asked)
    projects = sorted({issue.key.partition("-")[0] for issue in linked})[:PROJECTS]
    for project in projects:
        for name in sorted(set(types.values())):
            lacking[f"new {name} in {project}"] = _required(tracker, project, name)
    return {where: names for where, names in lacking.items() if names}


def _required(tracker: Tracker, project: str, issue_type: str) -> Sequence[str]:
    try:
        return tracker.required_at_create(project, issue_type)
    except IntegrationError as error:
        if error.code not in (FORBIDDEN, NOT_FOUND):
            raise
        return ["a right to create issues there"]  # one closed project hides nothing of the others
