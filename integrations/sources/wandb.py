"""Readings from Weights & Biases over its GraphQL API; never through its SDK.

Held against written answers only, see docs/sources.md. Runs come latest first, so a poll ends at the first run that
has not been heard of since.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from backlog.experiment import EXPERIMENT_KEY, ISSUE_KEY
from backlog.metric import DEV, Aggregation, Metric, Reading
from integrations.http import IntegrationError
from integrations.sources.source import Found, Seen, SourceConfig, make_reading

RUNS_PAGE = 100
STEPS = 1_000  # of a history in one answer
PAGES = 10_000  # of one history; a step that is a lie must not be counted up to
RUNS_QUERY = """
query Runs($entity: String!, $project: String!, $cursor: String, $count: Int!) {
  project(name: $project, entityName: $entity) {
    runs(first: $count, after: $cursor, order: "-heartbeat_at") {
      edges { node { name state group tags heartbeatAt config summaryMetrics } }
      pageInfo { endCursor hasNextPage }
    }
  }
}"""
HISTORY_QUERY = """
query HistoryPage(
  $entity: String!, $project: String!, $run: String!, $minStep: Int64!, $maxStep: Int64!, $pageSize: Int!
) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) }
  }
}"""


class Node(TypedDict):
    name: str
    heartbeatAt: datetime
    state: NotRequired[str | None]
    group: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    config: NotRequired[str | None]
    summaryMetrics: NotRequired[str | None]


class Edge(TypedDict):
    node: Node


class PageInfo(TypedDict):
    endCursor: NotRequired[str | None]
    hasNextPage: bool


class RunPage(TypedDict):
    edges: list[Edge]
    pageInfo: PageInfo


class RunHistory(TypedDict):
    history: list[str]


class Project(TypedDict):
    runs: NotRequired[RunPage]
    run: NotRequired[RunHistory | None]


class ProjectData(TypedDict):
    project: Project | None


class Message(TypedDict):
    message: str


class Answer(TypedDict):
    data: NotRequired[ProjectData | None]
    errors: NotRequired[list[Message]]


ANSWER = TypeAdapter(Answer)
ROW = TypeAdapter(dict[str, Any])


class WandB:
    """Kind "wandb". A metric's `scope` is "team/project", its `key` the metric's name in a run's history. A run belongs
    to the experiment that its group, a tag or `scrumbut_experiment` in its config names, and counts as dev unless
    `scrumbut_environment` there says otherwise."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options()
        self.name = config.name
        self._url = config.url.rstrip("/") + "/graphql"
        self._session = config.open_session()
        self._seen = Seen()

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. One sweep over the changed runs of a project serves all its metrics."""
        for scope in dict.fromkeys(metric.scope for metric in metrics):
            own = [metric for metric in metrics if metric.scope == scope]
            entity, _, project = scope.partition("/")
            if not entity or not project:
                what = f'"{scope}" names no project.'
                yield from ((m, IntegrationError(self.name, what, "Give --scope team/project.")) for m in own)
                continue
            try:
                yield from self._project({"entity": entity, "project": project}, own, since)
            except _NoProject as error:
                yield from ((metric, error) for metric in own)

    def _project(self, place: Mapping[str, str], metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        read: set[str] = set()
        for node in self._changed_runs(place, since):
            read.add(node["name"])
            summary, config = self._document(node.get("summaryMetrics")), self._document(node.get("config"))
            environment = str(_setting(config, "scrumbut_environment") or DEV)
            mark = (node["heartbeatAt"], node.get("state"))
            due = [
                m
                for m in metrics
                if m.key in summary
                and m.environment == environment
                and not self._seen.unchanged(node["name"], m, mark, since)
            ]
            if due:
                rows = self._rows(place, node, summary, due)
                yield from ((metric, self._readings(place, node, config, rows, metric)) for metric in due)
        if since is not None:
            self._seen.forget(metrics, but=read)

    def _changed_runs(self, place: Mapping[str, str], since: datetime | None) -> Iterator[Node]:
        cursor: str | None = None
        while True:
            page = self._ask(RUNS_QUERY, {**place, "cursor": cursor, "count": RUNS_PAGE}).get("runs")
            if page is None:
                return
            for edge in page["edges"]:
                if since is not None and _utc(edge["node"]["heartbeatAt"]) < since:
                    return
                yield edge["node"]
            before, cursor = cursor, page["pageInfo"].get("endCursor")
            if not page["pageInfo"]["hasNextPage"] or not cursor or cursor == before:
                return

    def _rows(
        self, place: Mapping[str, str], node: Node, summary: Mapping[str, Any], metrics: Sequence[Metric]
    ) -> list[dict[str, Any]]:
        """The run's history; where only last values are wanted, its summary."""
        if all(metric.aggregation is Aggregation.LAST for metric in metrics):
            return [dict(summary)]
        steps = _whole(summary.get("_step")) + 1
        rows: list[dict[str, Any]] = []
        for start in range(0, min(steps, STEPS * PAGES), STEPS):
            window = {"minStep": start, "maxStep": start + STEPS, "pageSize": STEPS}
            history = self._ask(HISTORY_QUERY, {**place, "run": node["name"], **window}).get("run")
            rows += [self._document(row) for row in (history["history"] if history else [])]
        return rows

    def _readings(
        self,
        place: Mapping[str, str],
        node: Node,
        config: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        metric: Metric,
    ) -> list[Reading]:
        run = f"{place['entity']}/{place['project']}/{node['name']}"
        told = {
            "experiment": _experiment(node, config),
            "eval_set": str(_setting(config, "scrumbut_eval_set") or ""),
        }
        return [
            make_reading(self.name, at, value, run, _whole(row.get("_step")), **told)
            for row in rows
            if (value := _number(row.get(metric.key))) is not None
            and (at := _number(row.get("_timestamp"))) is not None
        ]

    def _document(self, text: str | None) -> dict[str, Any]:
        try:
            return ROW.validate_json(text) if text else {}
        except ValueError:
            what = f"a run's document is not JSON: {str(text)[:60]!r}."
            raise IntegrationError(self.name, what, "Check that url is W&B's API.") from None

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Project:
        body = {"query": query, "variables": dict(variables)}
        answer = self._session.fetch("POST", self._url, ANSWER, json=body)
        if answer.get("errors"):
            raise IntegrationError(self.name, f'it says "{answer["errors"][0]["message"][:200]}".', permanent=True)
        project = (answer.get("data") or {"project": None})["project"]
        if project is None:
            place = f"{variables['entity']}/{variables['project']}"
            raise _NoProject(self.name, f'there is no project "{place}", or not for this key.', "Mend --scope or auth.")
        return project


class _NoProject(IntegrationError):
    """One project is not there; the others may be."""


def _experiment(node: Node, config: Mapping[str, Any]) -> str:
    named = [_setting(config, "scrumbut_experiment"), node.get("group"), *(node.get("tags") or [])]
    keys = (str(name).strip() for name in named if name)
    return next((key for key in keys if EXPERIMENT_KEY.fullmatch(key) or ISSUE_KEY.fullmatch(key)), "")


def _setting(config: Mapping[str, Any], name: str) -> Any:
    value = config.get(name)
    return value.get("value") if isinstance(value, dict) else value


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(value: Any) -> int:
    number = _number(value)
    return int(number) if number is not None and math.isfinite(number) else 0


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
