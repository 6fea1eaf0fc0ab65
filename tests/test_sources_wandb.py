"""Weights & Biases, against a server that answers as its SDK reads it (there is no W&B here to ask)."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from backlog.metric import Aggregation, Better, Metric
from integrations.http import IntegrationError
from integrations.sources.source import SourceConfig
from integrations.sources.wandb import WandB
from sandbox.serving import serving
from tests.reading import read

DAY = datetime(2026, 11, 20, 10, tzinfo=UTC)


@dataclass
class Server:
    """Projects of runs, and the operations that were asked for."""

    url: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> JSONResponse:
        body = await request.json()
        variables = body["variables"]
        self.asked.append(body["query"].split("(")[0].split()[-1])
        self.keys.append(request.headers.get("Authorization", ""))
        if (variables["entity"], variables["project"]) != ("team", "churn"):
            return JSONResponse({"data": {"project": None}})
        if "run" in variables:
            rows = self.histories[variables["run"]]
            window = [row for row in rows if variables["minStep"] <= row["_step"] < variables["maxStep"]]
            return JSONResponse({"data": {"project": {"run": {"history": [json.dumps(row) for row in window]}}}})
        latest = sorted(self.runs, key=lambda run: run["heartbeatAt"], reverse=True)
        start = int(variables["cursor"] or 0)
        page, end = latest[start : start + 2], start + 2
        info = {"endCursor": str(end), "hasNextPage": end < len(latest)}
        return JSONResponse({"data": {"project": {"runs": {"edges": [{"node": n} for n in page], "pageInfo": info}}}})

    def add(self, name: str, at: datetime, values: list[float | None], **node: Any) -> None:
        rows = [
            {"_step": step, "_timestamp": at.timestamp() + step, "val/recall": value}
            for step, value in enumerate(values)
        ]
        self.histories[name] = rows
        config = {key: {"value": value} for key, value in node.pop("config", {}).items()}
        self.runs.append(
            {
                "name": name,
                "state": "finished",
                "heartbeatAt": at.strftime("%Y-%m-%dT%H:%M:%S"),
                "config": json.dumps(config),
                "summaryMetrics": json.dumps(rows[-1]),
                **node,
            }
        )


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()
    with serving(Starlette(routes=[Route("/graphql", told.answer, methods=["POST"])])) as url:
        told.url = url
        yield told


def wandb(server: Server) -> WandB:
    allow = frozenset({server.url.removeprefix("http://")})
    return WandB(SourceConfig("wandb", server.url, auth="api:k3y", allow=allow))


def metric(aggregation: Aggregation = Aggregation.BEST, environment: str = "dev", **more: Any) -> Metric:
    scope = more.pop("scope", "team/churn")
    return Metric(
        "churn", "recall", environment, "wandb", "val/recall", Better.UP, aggregation, scope=scope, id=1, **more
    )


def test_runs_find_their_experiment_by_group_tag_or_config(server: Server) -> None:
    server.add("a", DAY, [0.5, math.nan, 0.75], group="EXP-1", tags=[])
    server.add("b", DAY, [0.6], tags=["nightly", "ML-2"])
    server.add("c", DAY, [0.7], config={"scrumbut_experiment": "EXP-3", "scrumbut_eval_set": "holdout@v3"})
    server.add("d", DAY, [0.9], config={"scrumbut_environment": "prod"})
    server.add("e", DAY, [0.8], group="sweep of seven")
    found = read(wandb(server), [metric()])[1]
    assert {r.run: r.experiment for r in found} == {
        "team/churn/a": "EXP-1", "team/churn/b": "ML-2", "team/churn/c": "EXP-3", "team/churn/e": "",
    }  # fmt: skip
    values = [r.value for r in found if r.run.endswith("a")]
    assert (values[0], math.isnan(values[1]), values[2]) == (0.5, True, 0.75)
    assert {r.eval_set for r in found if r.run.endswith("c")} == {"holdout@v3"}
    assert set(server.keys) == {"Basic YXBpOmszeQ=="}


def test_last_values_come_with_the_list_of_runs(server: Server) -> None:
    server.add("a", DAY, [0.5, None, 0.75])
    (reading,) = read(wandb(server), [metric(Aggregation.LAST)])[1]
    assert (reading.value, reading.step, server.asked) == (0.75, 2, ["Runs"])


def test_a_long_history_is_read_in_pages_of_steps(server: Server) -> None:
    server.add("a", DAY, [step / 10_000 for step in range(2_500)])
    assert len(read(wandb(server), [metric()])[1]) == 2_500
    assert server.asked == ["Runs", "HistoryPage", "HistoryPage", "HistoryPage"]


def test_only_runs_heard_of_since_are_read_again(server: Server) -> None:
    for day in range(6):
        server.add(f"r{day}", DAY - timedelta(days=day), [day / 10])
    source = wandb(server)
    assert {r.run for r in read(source, [metric()], DAY - timedelta(days=1))[1]} == {"team/churn/r0", "team/churn/r1"}
    assert server.asked.count("Runs") == 2, "the page of older runs ends it"
    assert read(source, [metric()], DAY - timedelta(hours=30))[1] == [], "nothing happened in them since"


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        ("churn", r'"churn" names no project\. Give --scope team/project'),
        ("team/chrun", r'there is no project "team/chrun", or not for this key'),
    ],
)
def test_a_project_that_is_not_there_is_named(server: Server, scope: str, says: str) -> None:
    with pytest.raises(IntegrationError, match=says):
        read(wandb(server), [metric(scope=scope)])
