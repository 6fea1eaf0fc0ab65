"""Readings from an MLflow tracking server over its REST API; never through its SDK.

Runs that changed are found by `end_time`; a run still going is read each time.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from backlog.metric import DEV, Aggregation, Metric, Reading
from integrations.http import IntegrationError, fetch_json, open_client

API = "/api/2.0/mlflow"
RUNS_PAGE = 1_000
HISTORY_PAGE = 10_000  # MLflow's default holds 25,000; smaller pages keep memory level
TIMEOUT_S = 30.0  # a tracking server with many runs takes its time
INFINITE = 1.797e308  # MLflow writes +inf as the largest double
TAGS = ("scrumbut.experiment", "jira.issue")  # which experiment a run belongs to, in this order
ENVIRONMENT = "scrumbut.environment"

Run = dict[str, Any]


class MLflow:
    """Kind "mlflow". A metric's `key` is the metric's name there, its `scope` an MLflow experiment's name. A run
    counts as dev unless its tag `scrumbut.environment` says otherwise."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._client = open_client(TIMEOUT_S)

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> dict[int, list[Reading]]:
        """See `Source.fetch`. One sweep over the runs serves all metrics of a scope; histories are read only where
        the aggregation needs more than the last value."""
        found: dict[int, list[Reading]] = {metric.id: [] for metric in metrics}
        for scope in dict.fromkeys(metric.scope for metric in metrics):
            own = [metric for metric in metrics if metric.scope == scope]
            for run in self._changed_runs(self._experiment_ids(scope), since):
                for metric in own:
                    found[metric.id].extend(self._readings(run, metric))
        return found

    def _experiment_ids(self, scope: str) -> list[str]:
        known: dict[str, str] = {}
        token = ""
        while True:
            body = {"max_results": 1_000, **({"page_token": token} if token else {})}
            page = self._ask("POST", "/experiments/search", json=body)
            known |= {e["name"]: e["experiment_id"] for e in page.get("experiments", [])}
            token = page.get("next_page_token") or ""
            if not token:
                break
        if not scope:
            return list(known.values())
        if scope not in known:
            names = ", ".join(sorted(known)[:10]) or "none"
            raise IntegrationError(
                self.name, f'it has no experiment "{scope}". It has: {names}.', "Mend --scope.", permanent=True
            )
        return [known[scope]]

    def _changed_runs(self, experiment_ids: list[str], since: datetime | None) -> Iterator[Run]:
        if not experiment_ids:
            return  # MLflow answers a search without ids with {}
        if since is None:
            yield from self._runs(experiment_ids, "")
            return
        yield from self._runs(experiment_ids, f"attributes.end_time >= {int(since.timestamp() * 1000)}")
        yield from self._runs(experiment_ids, "attributes.status = 'RUNNING'")

    def _runs(self, experiment_ids: list[str], where: str) -> Iterator[Run]:
        token = ""
        while True:
            body = {"experiment_ids": experiment_ids, "max_results": RUNS_PAGE, "filter": where}
            page = self._ask("POST", "/runs/search", json={**body, **({"page_token": token} if token else {})})
            yield from page.get("runs", [])
            token = page.get("next_page_token") or ""
            if not token:
                return

    def _readings(self, run: Run, metric: Metric) -> list[Reading]:
        tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
        last = next((m for m in run["data"].get("metrics", []) if m["key"] == metric.key), None)
        if last is None or tags.get(ENVIRONMENT, DEV) != metric.environment:
            return []
        run_id = run["info"]["run_id"]
        points = [last] if metric.aggregation is Aggregation.LAST else self._history(run_id, metric.key)
        tag = next((tags[name] for name in TAGS if tags.get(name)), "")
        return [_reading(point, run_id, tag) for point in points]

    def _history(self, run_id: str, key: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            query: dict[str, Any] = {"run_id": run_id, "metric_key": key, "max_results": HISTORY_PAGE}
            query |= {"page_token": token} if token else {}
            page = self._ask("GET", "/metrics/get-history", params=query)
            yield from page.get("metrics", [])
            token = page.get("next_page_token") or ""
            if not token:
                return

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            return fetch_json(self._client, self.name, method, self._url + API + path, **request)
        except IntegrationError as error:
            if error.code == "403" and "Invalid Host" in error.what:
                error.remedy = "Start MLflow with --allowed-hosts naming the host in this source's url."
                raise IntegrationError(self.name, error.what, error.remedy, permanent=True, code="403") from None
            raise


def _reading(point: dict[str, Any], run_id: str, tag: str) -> Reading:
    value = float(point["value"])  # NaN comes as the text "NaN"
    finite = math.isfinite(value) and abs(value) < INFINITE
    at = datetime.fromtimestamp(int(point["timestamp"]) / 1000, UTC)
    return Reading(at, value if finite else math.nan, run_id, int(point.get("step") or 0), tag)
