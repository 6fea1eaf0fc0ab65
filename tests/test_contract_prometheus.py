"""A real Prometheus server: what is read equals what was written into it."""

import math
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from backlog.metric import Better, Metric
from integrations.http import IntegrationError
from integrations.sources.prometheus import Prometheus
from integrations.sources.source import SourceConfig
from sandbox.serving import free_port, serving
from tests.conftest import CONFIG, World
from tests.reading import read

pytestmark = pytest.mark.contract
START_S = 60
MINUTES = 180
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
FIRST = NOW - timedelta(minutes=MINUTES + 60)


def recall(minute: int) -> float:
    """What production measured in that minute after the first."""
    return round(0.8 + math.sin(minute / 20) / 50, 6)


def openmetrics() -> str:
    lines = ["# TYPE recall gauge"]
    for model, less in (("a", 0.0), ("b", 0.1)):
        for minute in range(MINUTES):
            at = (FIRST + timedelta(minutes=minute)).timestamp()
            lines.append(f'recall{{model="{model}",scrumbut_experiment="EXP-1"}} {recall(minute) - less:.6f} {at:.0f}')
    lines.append("# TYPE broken gauge")
    lines += [f"broken NaN {(FIRST + timedelta(minutes=minute)).timestamp():.0f}" for minute in range(10)]
    return "\n".join([*lines, "# EOF", ""])


@dataclass
class Server:
    """A running server and the exporter that it scrapes."""

    url: str
    scraped: list[float]

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("prometheus is not installed (Debian's package is enough)")
    folder, scraped = tmp_path_factory.mktemp("prometheus"), list[float]()

    def exporter(_: Request) -> PlainTextResponse:
        scraped.append(float(len(scraped)))
        return PlainTextResponse(f"# TYPE scrapes gauge\nscrapes {scraped[-1]}\n")

    (folder / "history.txt").write_text(openmetrics())
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"{folder}/history.txt", f"{folder}/data"]
    subprocess.run(blocks, check=True, timeout=120, capture_output=True)
    with ExitStack() as running:
        target = running.enter_context(serving(Starlette(routes=[Route("/metrics", exporter)])))
        scrape = (
            f"scrape_configs: [{{job_name: x, static_configs: [{{targets: ['{target.removeprefix('http://')}']}}]}}]"
        )
        (folder / "p.yml").write_text(f"global: {{scrape_interval: 1s}}\n{scrape}\n")
        url = f"http://127.0.0.1:{free_port()}"
        running.callback(_stop, _start(folder, url))
        yield Server(url, scraped)


def _start(folder: Path, url: str) -> subprocess.Popen[bytes]:
    place = [f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        command = ["prometheus", *place, f"--web.listen-address={url.removeprefix('http://')}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/-/ready", timeout=2).status_code == 200:
                return process
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    _stop(process)
    raise AssertionError(f"Prometheus did not start: {(folder / 'log').read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def prometheus(server: Server, **options: Any) -> Prometheus:
    return Prometheus(SourceConfig("prom", server.url, allow=frozenset({server.host}), options=options))


def metric(key: str, id_: int = 1, scope: str = "") -> Metric:
    return Metric("churn", "recall", "prod", "prom", key, Better.UP, scope=scope, id=id_)


ONE = 'recall{model="a"}'


def test_a_range_gives_every_minute_that_was_written(server: Server) -> None:
    found = read(prometheus(server), [metric(ONE)], FIRST - timedelta(minutes=5))[1]
    known = {reading.at: reading.value for reading in found}
    for minute in range(MINUTES):
        assert known[FIRST + timedelta(minutes=minute)] == recall(minute)
    assert {reading.experiment for reading in found} == {"EXP-1"}


def test_reading_a_span_again_gives_the_same_readings(server: Server) -> None:
    source = prometheus(server)
    once, again = (read(source, [metric(ONE)], FIRST + timedelta(seconds=seconds))[1] for seconds in (0, 7))
    assert set(once) == set(again)


def test_several_expressions_travel_in_one_request_and_stay_apart(server: Server) -> None:
    metrics = [metric(ONE, 1), metric('recall{model="b"} # the other', 2), metric("vector(1) or vector(2)", 3)]
    found = read(prometheus(server), metrics, FIRST)
    assert found[1][0].value == pytest.approx(recall(0))
    assert found[2][0].value == pytest.approx(recall(0) - 0.1)
    assert {reading.value for reading in found[3]} == {1.0}


def test_of_several_series_the_labels_that_would_tell_them_apart_are_named(server: Server) -> None:
    for metrics in ([metric("recall")], [metric("recall"), metric(ONE, 2)]):
        with pytest.raises(IntegrationError, match=r'"recall" gives 2 series\. Add one of these .* model="a"'):
            read(prometheus(server), metrics, FIRST)


def test_a_wrong_expression_is_named_and_stops_no_other(server: Server) -> None:
    found = dict(prometheus(server).fetch([metric("recall{", 1), metric(ONE, 2)], FIRST))
    wrong, right = found[metric("recall{", 1)], found[metric(ONE, 2)]
    assert isinstance(wrong, IntegrationError)
    assert "parse error" in str(wrong)
    assert not isinstance(right, IntegrationError)
    assert len(right) >= MINUTES


def test_no_series_is_no_reading_and_nan_is_not_finite(server: Server) -> None:
    assert read(prometheus(server), [metric("nowhere")], FIRST)[1] == []
    broken = read(prometheus(server), [metric("broken")], FIRST)[1]
    assert broken
    assert all(math.isnan(reading.value) for reading in broken)


def test_a_month_of_seconds_is_thinned_to_what_one_answer_may_hold(server: Server) -> None:
    found = read(prometheus(server, step="1s"), [metric("vector(time())")])[1]
    assert 9_000 < len(found) <= 11_000
    assert found[0].at < datetime.now(UTC) - timedelta(days=29)


def test_a_value_now_is_what_was_scraped_last(server: Server) -> None:
    deadline = time.monotonic() + START_S
    while len(server.scraped) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    for key in ("scrapes", "scalar(scrapes)"):
        (reading,) = read(prometheus(server), [metric(key, scope="instant")])[1]
        assert reading.value in server.scraped


def test_a_production_metric_is_polled_beside_dev_and_shown(server: Server, make_world: Callable[..., World]) -> None:
    source = f'[[sources]]\nname = "prom"\nkind = "prometheus"\nurl = "{server.url}"\n'
    allowed = f'[security]\nallow_hosts = ["{server.host}"]\n'
    world = make_world(config=CONFIG.replace("[[sources]]", f"{allowed}{source}[[sources]]", 1))
    world.clock.at = datetime.now(UTC)
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.5 --target 0.99')
    key = ONE.replace('"', '\\"')
    world.type(f'metric add recall --goal churn --source prom --key "{key}" --env prod --agg mean')
    tried = world.type("metric test recall --env prod")
    assert f"recall (prom, key {ONE}, prod)" in tried
    world.clock.forward(minutes=20)
    world.settle()
    with world.services.database.read() as connection:
        from store.metrics import load_metrics, run_values

        (run,) = [run for m in load_metrics(connection) for run in run_values(connection, m)]
    assert run.value == pytest.approx(sum(map(recall, range(MINUTES))) / MINUTES, abs=0.005)
    assert "prom" in world.type("report preview weekly")
