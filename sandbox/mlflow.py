"""MLflow's tracking API on loopback, as far as metrics are read: strict where the real server is, and it counts.

The real one is in the contract tests; this one is fast, can be made to lie, and tells what it was asked.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

API = "/api/2.0/mlflow"
BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
BULK_RUNS, BULK_POINTS = 100, 25_000
CLAUSES: Sequence[tuple[str, Callable[["SandboxRun", str], bool]]] = (
    (r"attributes\.end_time >= (\d+)", lambda run, value: run.end_time is not None and run.end_time >= int(value)),
    (r"attributes\.status = '(\w+)'", lambda run, value: run.status == value),
    (r"tags\.`([\w.]+)` LIKE '%'", lambda run, value: value in run.tags),
)

Point = tuple[int, int, float]  # timestamp in ms, step, value


@dataclass
class SandboxRun:
    """One run; `points` by metric key, in the order they were logged."""

    id: str
    experiment_id: str
    points: dict[str, list[Point]]
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "FINISHED"
    end_time: int | None = None

    def listed(self) -> dict[str, Any]:
        """As a search lists it: the last value of each metric."""
        last = [{"key": key, **_point(points[-1])} for key, points in self.points.items() if points]
        info = {"run_id": self.id, "experiment_id": self.experiment_id, "status": self.status}
        tags = [{"key": key, "value": value} for key, value in self.tags.items()]
        return {"info": {**info, "end_time": self.end_time}, "data": {"metrics": last, "tags": tags}}


def _point(point: Point, *, text: bool = True) -> dict[str, Any]:
    """The API writes what is not finite as text, the pages' own address as JSON knows no better."""
    timestamp, step, value = point
    if text and value != value:
        return {"value": "NaN", "timestamp": timestamp, "step": step}
    return {"value": max(min(value, 1.7976931348623157e308), -1.7976931348623157e308) if text else value,
            "timestamp": timestamp, "step": step}  # fmt: skip


class MLflowSandbox:
    """A server with the runs it is given. `requests` counts by path; `allowed_host` empty lets every host in; without
    `bulk` it knows the documented API only; `points_max` is where it cuts a bulk answer."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {"Default": "0"}
        self.runs: dict[str, SandboxRun] = {}
        self.requests: Counter[str] = Counter()
        self.allowed_host = ""
        self.bulk = True
        self.points_max = BULK_POINTS

    def add_run(self, run_id: str, experiment: str, points: dict[str, list[Point]], **more: Any) -> SandboxRun:
        """A run in that experiment, which is made where there is none."""
        experiment_id = self.experiments.setdefault(experiment, str(len(self.experiments)))
        self.runs[run_id] = SandboxRun(run_id, experiment_id, points, **more)
        return self.runs[run_id]

    @cached_property
    def app(self) -> Starlette:
        """The ASGI application."""
        places = {
            ("POST", f"{API}/experiments/search"): self._experiments,
            ("POST", f"{API}/runs/search"): self._search,
            ("GET", f"{API}/runs/get"): self._run,
            ("GET", f"{API}/metrics/get-history"): self._history,
            ("GET", BULK): self._history_bulk,
        }
        return Starlette(
            routes=[Route(path, self._counted(path, answer), methods=[verb]) for (verb, path), answer in places.items()]
        )

    def _counted(self, path: str, answer: Callable[[Request, Mapping[str, Any]], Response]) -> Any:
        async def endpoint(request: Request) -> Response:
            self.requests[path.rsplit("/", 1)[-1]] += 1
            if self.allowed_host and request.headers["host"] != self.allowed_host:
                return Response("Invalid Host header - possible DNS rebinding attack detected", 403)
            body = await request.json() if request.method == "POST" else request.query_params
            return answer(request, body)

        return endpoint

    def _experiments(self, _: Request, body: Mapping[str, Any]) -> Response:
        known = [{"experiment_id": id_, "name": name} for name, id_ in self.experiments.items()]
        return JSONResponse(_page("experiments", known, body))

    def _search(self, _: Request, body: Mapping[str, Any]) -> Response:
        if not body.get("experiment_ids"):
            return JSONResponse({})
        wanted, clauses = set(body["experiment_ids"]), [c for c in body.get("filter", "").split(" AND ") if c]
        found = [run for run in self.runs.values() if run.experiment_id in wanted and _holds(clauses, run)]
        return JSONResponse(_page("runs", found, body, SandboxRun.listed))

    def _run(self, _: Request, query: Mapping[str, Any]) -> Response:
        run = self.runs.get(query["run_id"])
        if run is None:
            return JSONResponse({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Run not found"}, 404)
        return JSONResponse({"run": run.listed()})

    def _history(self, _: Request, query: Mapping[str, Any]) -> Response:
        points = self.runs[query["run_id"]].points.get(query["metric_key"], [])
        return JSONResponse(
            _page("metrics", sorted(points), query, lambda p: {"key": query["metric_key"], **_point(p)})
        )

    def _history_bulk(self, request: Request, query: Mapping[str, Any]) -> Response:
        ids = request.query_params.getlist("run_id")
        if not self.bulk:
            return Response("Not Found", 404)
        if len(ids) > BULK_RUNS:
            return JSONResponse({"error_code": "INVALID_PARAMETER_VALUE", "message": f"{len(ids)} run_ids"}, 400)
        key = query["metric_key"]
        points = [(id_, p) for id_ in sorted(ids) for p in sorted(self.runs[id_].points.get(key, []))]
        told = [{"key": key, "run_id": id_, **_point(p, text=False)} for id_, p in points[: self.points_max]]
        return Response(json.dumps({"metrics": told}), media_type="application/json")


def _holds(clauses: Iterable[str], run: SandboxRun) -> bool:
    for clause in clauses:
        known = [(holds, match[1]) for form, holds in CLAUSES if (match := re.fullmatch(form, clause))]
        if not known:
            raise ValueError(f"the stand-in does not know the clause {clause}")
        if not all(holds(run, value) for holds, value in known):
            return False
    return True


def _page(name: str, found: Sequence[Any], asked: Mapping[str, Any], form: Any = lambda one: one) -> dict[str, Any]:
    """One page and the token of the next; an empty one has no list at all, as protobuf has it."""
    start, size = int(asked.get("page_token") or 0), int(asked.get("max_results", 1_000))
    page = {name: [form(one) for one in found[start : start + size]]} if found[start : start + size] else {}
    return page | ({"next_page_token": str(start + size)} if start + size < len(found) else {})
