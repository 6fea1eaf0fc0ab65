"""MLflow against a stand-in that counts what it is asked and can lie; a real one is in the contract tests."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backlog.metric import Aggregation, Better, Metric
from integrations.http import IntegrationError
from integrations.sources.mlflow import MLflow
from integrations.sources.source import SourceConfig
from sandbox.mlflow import MLflowSandbox
from sandbox.serving import serving
from tests.reading import read

DAY = datetime(2026, 11, 20, 10, tzinfo=UTC)
MS = int(DAY.timestamp() * 1000)


@pytest.fixture
def server() -> Iterator[tuple[MLflowSandbox, MLflow]]:
    told = MLflowSandbox()
    with serving(told.app) as url:
        yield told, MLflow(SourceConfig("mlflow", url, allow=frozenset({url.removeprefix("http://")})))


def metric(aggregation: Aggregation = Aggregation.BEST, key: str = "recall", id_: int = 1, **more: Any) -> Metric:
    more = {"scope": "churn", **more}
    return Metric("churn", key, more.pop("environment", "dev"), "mlflow", key, Better.UP, aggregation, id=id_, **more)


def points(*values: float, start: int = MS) -> list[tuple[int, int, float]]:
    return [(start + step * 1000, step, value) for step, value in enumerate(values)]


def test_histories_come_a_hundred_runs_a_request_and_last_values_with_the_search(
    server: tuple[MLflowSandbox, MLflow],
) -> None:
    told, source = server
    for number in range(1_250):
        told.add_run(f"r{number:04}", "churn", {"recall": points(0.1, 0.9, 0.5), "f1": points(0.3)}, end_time=MS)
    metrics = [metric(), metric(Aggregation.MEAN, id_=2), metric(Aggregation.LAST, id_=3)]
    found = read(source, [*metrics, metric(Aggregation.LAST, "f1", 4)])
    assert [len(readings) for readings in found.values()] == [3_750, 3_750, 1_250, 1_250]
    assert told.requests == {"search": 3, "get-history-bulk": 13}, "experiments, two pages of runs, 13 hundreds"


def test_a_history_that_the_server_cuts_without_a_word_is_read_alone(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.points_max = 25
    for name in "abcd":
        told.add_run(name, "churn", {"recall": points(*(n / 100 for n in range(10)))}, end_time=MS)
    assert len(read(source, [metric()])[1]) == 40
    assert told.requests["get-history"] == 2, "the one that was cut and the one that was not reached"


def test_a_server_of_the_documented_api_alone_is_read_run_by_run(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.bulk = False
    for name in "ab":
        told.add_run(name, "churn", {"recall": points(0.1, 0.2)}, end_time=MS)
    assert len(read(source, [metric()])[1]) == 4
    read(source, [metric()])
    assert told.requests["get-history-bulk"] == 1, "asked once, not each time"


def test_nan_and_infinity_are_not_finite(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    for name in "ab":  # two, so that both ways of reading are met
        told.add_run(name, "churn", {"recall": points(math.nan, math.inf, -math.inf, 0.5)}, end_time=MS)
    for aggregation in (Aggregation.BEST, Aggregation.LAST):
        values = [r.value for r in read(source, [metric(aggregation)])[1] if not math.isnan(r.value)]
        assert values == [0.5, 0.5]


def test_without_a_scope_the_runs_that_name_an_experiment_count(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    for name, tags in {"a": {"scrumbut.experiment": "EXP-1"}, "b": {"jira.issue": "ML-2"}, "c": {"team": "x"}}.items():
        told.add_run(name, f"place {name}", {"recall": points(0.5)}, tags=tags, end_time=MS)
    assert {r.run: r.experiment for r in read(source, [metric(scope="")])[1]} == {"a": "EXP-1", "b": "ML-2"}


def test_environment_and_evaluation_set_come_from_tags(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.add_run("a", "churn", {"recall": points(0.5)}, tags={"scrumbut.environment": "prod"}, end_time=MS)
    told.add_run("b", "churn", {"recall": points(0.6)}, tags={"scrumbut.eval_set": "h/test@v3"}, end_time=MS)
    found = read(source, [metric(), metric(environment="prod", id_=2)])
    assert [(r.run, r.eval_set) for readings in found.values() for r in readings] == [("b", "h/test@v3"), ("a", "")]


def test_only_what_changed_since_is_read_and_only_once(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.add_run("old", "churn", {"recall": points(0.1)}, end_time=MS - 86_400_000)
    going = told.add_run("going", "churn", {"recall": points(0.2)}, status="RUNNING")
    assert [r.value for r in read(source, [metric()], DAY - timedelta(hours=1))[1]] == [0.2]
    assert read(source, [metric()], DAY)[1] == [], "it logged nothing since"
    going.points["recall"] = points(0.2, 0.3)
    assert [r.value for r in read(source, [metric()], DAY + timedelta(minutes=5))[1]] == [0.2, 0.3]


def test_what_was_read_but_not_stored_is_read_again(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.add_run("going", "churn", {"recall": points(0.2)}, status="RUNNING")
    for _ in range(2):  # `since` stands still: the poll before was not stored
        assert len(read(source, [metric()], DAY)[1]) == 1


def test_a_run_that_ends_before_it_was_going_is_not_lost(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    run = told.add_run("a", "churn", {"recall": points(0.2)}, status="RUNNING")
    read(source, [metric()], DAY)
    run.status, run.end_time, run.points["recall"] = "FINISHED", MS - 86_400_000, points(0.2, 0.9)  # a clock went back
    assert [r.value for r in read(source, [metric()], DAY + timedelta(minutes=15))[1]] == [0.2, 0.9]
    del told.runs["a"]
    assert read(source, [metric()], DAY + timedelta(minutes=30))[1] == [], "a run that is deleted is no error"


def test_an_empty_server_and_an_unknown_experiment_are_told_apart(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    assert read(source, [metric(scope="Default")])[1] == []
    with pytest.raises(IntegrationError, match=r'it has no experiment "churn"\. It has: Default\. Mend --scope'):
        read(source, [metric()])
    told.experiments.clear()
    assert read(source, [metric(scope="")])[1] == [], "a search without ids would be answered with {}"


def test_a_host_that_mlflow_does_not_allow_is_told_with_its_remedy(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.allowed_host = "mlflow.internal"
    with pytest.raises(IntegrationError, match=r"403 .* Start MLflow with --allowed-hosts naming the host"):
        read(source, [metric()])


@pytest.mark.parametrize("timestamp", [10**30, -(10**30)])
def test_a_time_that_cannot_be_is_named_with_its_run(server: tuple[MLflowSandbox, MLflow], timestamp: int) -> None:
    told, source = server
    told.add_run("a", "churn", {"recall": [(timestamp, 0, 0.5)]}, end_time=MS)
    with pytest.raises(IntegrationError, match=r'a has the time "|answered JSON of another shape'):
        read(source, [metric(Aggregation.LAST)])


def test_a_step_that_cannot_be_is_named_with_its_run(server: tuple[MLflowSandbox, MLflow]) -> None:
    told, source = server
    told.add_run("a", "churn", {"recall": [(MS, 10**25, 0.5)]}, end_time=MS)
    with pytest.raises(IntegrationError, match='a has the step "1000'):
        read(source, [metric(Aggregation.LAST)])
