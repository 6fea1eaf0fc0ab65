"""A real MLflow server with really trained models: what we poll and report equals what its own client says."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from backlog.metric import Aggregation, Better, Metric
from bot.flows.write_report import preview_report
from integrations.http import IntegrationError
from integrations.sources.mlflow import MLflow
from integrations.sources.source import SourceConfig
from reports.filters import number
from sandbox.serving import free_port
from store.metrics import load_metrics, run_values
from tests.conftest import CONFIG, World
from tests.reading import read

pytestmark = pytest.mark.contract
START_S = 120  # a cold server takes up to a minute
SCRIPT = Path(__file__).parent / "train_runs.py"
ROOT = Path(__file__).parent.parent
# A training script that knows nothing of us; it prints the tags that its run got.
TRAINING = """
import json, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run() as run:
    mlflow.log_metric("val_recall", 0.9)
print(json.dumps(mlflow.get_run(run.info.run_id).data.tags))
"""


@dataclass
class Tracker:
    """A running server and the truth about its runs, as its own client tells it."""

    url: str
    truth: dict[str, Any]


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    binaries = Path(os.environ.get("SCRUMBUT_MLFLOW", ""))
    if not (binaries / "mlflow").exists():
        pytest.skip("SCRUMBUT_MLFLOW does not name the bin folder of an environment with mlflow and scikit-learn")
    folder = tmp_path_factory.mktemp("mlflow")
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(binaries / "mlflow"), "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    place = ["--default-artifact-root", str(folder), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    env = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, *place], stdout=log, stderr=log, env=env, start_new_session=True)
    try:
        _wait(url, folder / "server.log")
        python = binaries / "python"
        subprocess.run([python, SCRIPT, url], check=True, timeout=300, capture_output=True)
        answer = subprocess.run([python, SCRIPT, url, "truth"], check=True, timeout=120, capture_output=True)
        yield Tracker(url, json.loads(answer.stdout))
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.5)
    raise AssertionError(f"MLflow did not start: {log.read_text()[-2000:]}")


def open_mlflow(tracker: Tracker) -> MLflow:
    host = tracker.url.removeprefix("http://")
    return MLflow(SourceConfig("mlflow", tracker.url, allow=frozenset({host})))


def metric(aggregation: Aggregation, environment: str = "dev") -> Metric:
    return Metric(
        "churn", "recall", environment, "mlflow", "val_recall", Better.UP, aggregation, scope="churn-models", id=1
    )


def test_at_least_thirty_runs_are_read_with_every_point(tracker: Tracker) -> None:
    source = open_mlflow(tracker)
    found = {e: read(source, [metric(Aggregation.BEST, e)], None)[1] for e in ("dev", "prod")}
    points: dict[str, int] = {}
    for reading in [*found["dev"], *found["prod"]]:
        points[reading.run] = points.get(reading.run, 0) + 1
    assert len(points) == len(tracker.truth) >= 30
    assert points == {run: known["points"] for run, known in tracker.truth.items()}
    assert {r.run: r.experiment for r in found["dev"]} == {
        run: known["tag"] for run, known in tracker.truth.items() if known["environment"] == "dev"
    }


def test_only_runs_that_changed_are_read_again(tracker: Tracker) -> None:
    source = open_mlflow(tracker)
    every = read(source, [metric(Aggregation.BEST)], None)[1]
    ends = sorted(r.at for r in every)
    late = read(source, [metric(Aggregation.BEST)], ends[-1] + timedelta(hours=1))[1]
    some = read(source, [metric(Aggregation.BEST)], ends[len(ends) // 2])[1]
    assert late == []
    assert 0 < len({r.run for r in some}) < len({r.run for r in every})


def test_an_unknown_experiment_names_those_there_are(tracker: Tracker) -> None:
    with pytest.raises(IntegrationError, match=r'has no experiment "chrun"\. It has: Default, churn-models'):
        read(open_mlflow(tracker), [replace(metric(Aggregation.LAST), scope="chrun")])


def test_without_a_scope_the_runs_are_found_that_name_an_experiment_by_a_tag(tracker: Tracker) -> None:
    metrics = [replace(metric(Aggregation.LAST, e), scope="", id=n) for n, e in enumerate(("dev", "prod"), 1)]
    found = read(open_mlflow(tracker), metrics)
    assert {r.run: r.experiment for readings in found.values() for r in readings} == {
        run: known["tag"] for run, known in tracker.truth.items() if known["tag"]
    }


def test_a_host_that_the_server_does_not_allow_is_told_with_its_remedy(tracker: Tracker) -> None:
    allow = frozenset({tracker.url.removeprefix("http://")})
    source = MLflow(SourceConfig("mlflow", tracker.url, headers={"Host": "elsewhere.example"}, allow=allow))
    with pytest.raises(IntegrationError, match=r"403 .* Start MLflow with --allowed-hosts naming the host"):
        read(source, [metric(Aggregation.LAST)])


@pytest.fixture
def world_with_runs(make_world: Callable[..., World], tracker: Tracker) -> World:
    host = tracker.url.removeprefix("http://")
    allowed = f'[security]\nallow_hosts = ["{host}"]\n'
    source = (
        f'{allowed}[[sources]]\nname = "mlflow"\nkind = "mlflow"\nurl = "{tracker.url}"\nevery = "10m"\n[[reports]]'
    )
    world = make_world(config=CONFIG.replace("[[reports]]", source, 1))
    world.clock.at = datetime.now(UTC)  # the runs were trained just now
    world.jira.add_issue("ML", "Char tokens")
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.5 --target 0.99')
    world.type('new "First" --goal churn')
    world.type('new "Second" --goal churn')
    world.type("link EXP-1 ML-1")
    return world


@pytest.mark.parametrize("aggregation", ["best", "last", "mean"])
def test_what_we_keep_of_each_run_equals_what_mlflow_says(
    world_with_runs: World, tracker: Tracker, aggregation: str
) -> None:
    world = world_with_runs
    add = f"metric add recall --goal churn --source mlflow --key val_recall --agg {aggregation} --scope churn-models"
    for environment in ("dev", "prod"):
        world.type(f"{add} --env {environment}")
    world.clock.forward(minutes=20)
    world.settle()
    with world.services.database.read() as connection:
        kept = {run.run: run for m in load_metrics(connection) for run in run_values(connection, m)}
    assert set(kept) == set(tracker.truth)
    for run, known in tracker.truth.items():
        if known[aggregation] is None:
            assert kept[run].failed
        else:
            assert kept[run].value == pytest.approx(known[aggregation], rel=1e-12)
    linked = {run for run, known in tracker.truth.items() if known["tag"] in ("EXP-1", "ML-1")}
    assert {run.run for run in kept.values() if run.experiment == "EXP-1"} == linked


def test_the_report_says_what_mlflow_says(world_with_runs: World, tracker: Tracker) -> None:
    world = world_with_runs
    for environment in ("dev", "prod"):
        world.type(
            f"metric add recall --goal churn --source mlflow --key val_recall --env {environment} --scope churn-models"
        )
    world.clock.forward(minutes=20)
    world.settle()
    best = {
        environment: max(k["best"] for k in tracker.truth.values() if k["best"] and k["environment"] == environment)
        for environment in ("dev", "prod")
    }
    snapshot = preview_report(world.services, world.services.reports[0])
    tracks = {track.environment: track for track in snapshot.goals[0].tracks}
    assert {environment: tracks[environment].best for environment in best} == pytest.approx(best)
    assert (tracks["dev"].runs + tracks["prod"].runs, tracks["dev"].failed) == (len(tracker.truth), 1)
    text = world.type("report preview weekly")
    assert f"{number(best['dev'])} in dev, {number(best['prod'])} in prod" in text


def tags_of_a_run(tracker: Tracker, folder: Path, prelude: str = "", **env: str) -> dict[str, str]:
    """What a run is tagged with that is started in that folder and environment."""
    python = Path(os.environ["SCRUMBUT_MLFLOW"]) / "python"
    (folder / "training.py").write_text(TRAINING)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "CI", "SCRUMBUT_"))}
    script = f'{prelude}\n"{python}" training.py {tracker.url}'
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env={**kept, **env}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return {name: value for name, value in told.items() if name in ("scrumbut.experiment", "jira.issue")}


def test_a_run_tags_itself_in_the_environment_that_scrumbut_prints(
    world_with_runs: World, tracker: Tracker, tmp_path: Path
) -> None:
    config = world_with_runs.folder / "config.toml"
    prelude = f'eval "$(PYTHONPATH={ROOT} {sys.executable} -m bot.cli env EXP-1 --config {config})"'
    told = tags_of_a_run(tracker, tmp_path, prelude)
    assert told == {"scrumbut.experiment": "EXP-1", "jira.issue": "ML-1"}


def test_the_plugin_tags_runs_by_itself(tracker: Tracker, tmp_path: Path) -> None:
    build, target = tmp_path / "build", tmp_path / "target"
    shutil.copytree(ROOT / "integrations/mlflow_plugin", build)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(target), str(build)], check=True, timeout=120)
    work = tmp_path / "work"
    (work / ".git").mkdir(parents=True)
    (work / ".git/HEAD").write_text("ref: refs/heads/feature/ml-345-char-tokens\n")
    installed = {"PYTHONPATH": str(target)}
    assert tags_of_a_run(tracker, work, **installed) == {}
    projects = {**installed, "SCRUMBUT_PROJECTS": "ML"}
    assert tags_of_a_run(tracker, work, **projects) == {"jira.issue": "ML-345"}
    named = tags_of_a_run(tracker, work, **projects, SCRUMBUT_EXPERIMENT="EXP-2")
    assert named == {"scrumbut.experiment": "EXP-2"}
