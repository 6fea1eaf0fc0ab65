"""Readings from an MLflow tracking server over its REST API; never through its SDK.

Runs that changed are found by `end_time`; a run still going is read while it logs. What each run ended with comes with
the search, a page per 1,000 runs; whole histories come 100 runs a request.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from backlog.metric import DEV, Aggregation, Metric, Reading
from integrations.http import FORBIDDEN, NOT_FOUND, IntegrationError
from integrations.sources.source import Found, Seen, SourceConfig, make_reading

API = "/api/2.0/mlflow"
BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"  # what MLflow's own pages read; not in its API document
RUNS_PAGE = 1_000
BULK_RUNS, BULK_POINTS = 100, 25_000  # the most of one request; further points are cut without a word
HISTORY_PAGE = 10_000
INFINITE = 1.797e308  # MLflow writes +inf as the largest double
TAGS = ("scrumbut.experiment", "jira.issue")  # which experiment a run belongs to, in this order
ENVIRONMENT, EVAL_SET = "scrumbut.environment", "scrumbut.eval_set"
LOST_FOR = timedelta(hours=1)  # how long a run is asked for that is neither running nor ended since


class Point(TypedDict):
    value: float  # NaN comes as the text "NaN"
    timestamp: int
    step: NotRequired[int]
    key: NotRequired[str]
    run_id: NotRequired[str]


class Tag(TypedDict):
    key: str
    value: str


class Info(TypedDict):
    run_id: str
    experiment_id: str
    status: NotRequired[str]


class Data(TypedDict):
    metrics: NotRequired[list[Point]]
    tags: NotRequired[list[Tag]]


class Run(TypedDict):
    info: Info
    data: NotRequired[Data]


class Runs(TypedDict):
    runs: NotRequired[list[Run]]
    next_page_token: NotRequired[str]


class OneRun(TypedDict):
    run: Run


class History(TypedDict):
    metrics: NotRequired[list[Point]]
    next_page_token: NotRequired[str]


class Experiment(TypedDict):
    experiment_id: str
    name: str


class Experiments(TypedDict):
    experiments: NotRequired[list[Experiment]]
    next_page_token: NotRequired[str]


RUNS, ONE_RUN, HISTORY, EXPERIMENTS = map(TypeAdapter, (Runs, OneRun, History, Experiments))  # type: ignore[var-annotated]
Wanted = Mapping[tuple[str, str, str], list[Metric]]  # by (experiment id, or none, key, environment)


@dataclass(frozen=True, slots=True)
class Head:
    """What a run says of itself."""

    id: str
    place: str  # the MLflow experiment's id
    running: bool
    environment: str
    experiment: str  # ours, by its tag
    eval_set: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A run's history under one key is wanted for these metrics; `last` is its last point."""

    run: Head
    last: Point
    metrics: list[Metric]


Batch = tuple[str, list[Wish]]  # of one key


class MLflow:
    """Kind "mlflow". A metric's `key` is the metric's name there, its `scope` an MLflow experiment's name; without one,
    the runs count that carry `scrumbut.experiment` or `jira.issue`, wherever they are. A run counts as dev unless its
    tag `scrumbut.environment` says otherwise."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options()
        self.name = config.name
        self._url = config.url.rstrip("/")
        self._session = config.open_session()
        self._seen = Seen()
        self._running: dict[str, datetime] = {}  # run id -> `since` of the poll that last saw it running
        self._bulk = True

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. One sweep over the runs serves all metrics; histories are read only where the aggregation
        needs more than the last value, and only of runs that changed."""
        ids = self._experiment_ids()
        for metric in metrics:
            if metric.scope and metric.scope not in ids:
                yield metric, self._no_experiment(metric.scope, ids)
        wanted = _index(metrics, ids)
        read: set[str] = set()
        batches = _Batches()
        for run in self._changed_runs(metrics, ids, since):
            head = _head(run)
            if head.id in read:
                continue
            read.add(head.id)
            for point in run.get("data", {}).get("metrics", []):
                due = self._due(head, point, wanted, since)
                yield from ((m, [self._reading(point, head)]) for m in due if m.aggregation is Aggregation.LAST)
                batches.add(head, point, [m for m in due if m.aggregation is not Aggregation.LAST])
            yield from self._histories(batches.full())
        yield from self._histories(batches.rest())
        if since is not None:
            self._seen.forget(metrics, but=read)  # a run that is over is not asked for again

    def _experiment_ids(self) -> dict[str, str]:
        pages = self._pages("/experiments/search", EXPERIMENTS, {"max_results": 1_000})
        return {e["name"]: e["experiment_id"] for page in pages for e in page.get("experiments", [])}

    def _no_experiment(self, scope: str, ids: Mapping[str, str]) -> IntegrationError:
        names = ", ".join(sorted(ids)[:10]) or "none"
        what = f'it has no experiment "{scope}". It has: {names}.'
        return IntegrationError(self.name, what, "Mend --scope.", permanent=True)

    def _changed_runs(self, metrics: Sequence[Metric], ids: Mapping[str, str], since: datetime | None) -> Iterator[Run]:
        searches = [(sorted({ids[m.scope] for m in metrics if m.scope in ids}), "")]
        if any(not metric.scope for metric in metrics):
            searches += [(sorted(ids.values()), f"tags.`{tag}` LIKE '%'") for tag in TAGS]
        running: set[str] = set()
        for experiment_ids, where in searches:
            if experiment_ids:  # MLflow answers a search without ids with {}
                for run in self._search(experiment_ids, where, since):
                    running |= {run["info"]["run_id"]} if run["info"].get("status") == "RUNNING" else set()
                    self._running.pop(run["info"]["run_id"], None)
                    yield run
        if since is not None:
            yield from self._lost(since)
            self._running |= dict.fromkeys(running, since)

    def _search(self, experiment_ids: list[str], where: str, since: datetime | None) -> Iterator[Run]:
        if since is None:
            changes = [""]
        else:
            changes = [f"attributes.end_time >= {int(since.timestamp() * 1000)}", "attributes.status = 'RUNNING'"]
        for change in changes:
            filter_ = " AND ".join(part for part in (change, where) if part)
            body = {"experiment_ids": experiment_ids, "max_results": RUNS_PAGE, "filter": filter_}
            for page in self._pages("/runs/search", RUNS, body):
                yield from page.get("runs", [])

    def _lost(self, since: datetime) -> Iterator[Run]:
        """Runs that were going, are not any more, and did not end since: a training machine's clock went back."""
        for run_id, seen in list(self._running.items()):
            if since - seen > LOST_FOR:
                del self._running[run_id]
                continue
            try:
                yield self._ask("GET", f"{API}/runs/get", ONE_RUN, params={"run_id": run_id})["run"]
            except IntegrationError as error:
                if error.code != NOT_FOUND:
                    raise
                del self._running[run_id]

    def _due(self, run: Head, point: Point, wanted: Wanted, since: datetime | None) -> list[Metric]:
        """Who tracks this, of those that have not read it as it is now."""
        key = point.get("key", "")
        concerned = list(wanted.get((run.place, key, run.environment), ()))
        concerned += wanted.get(("", key, run.environment), ()) if run.experiment else ()
        mark = (point["timestamp"], point.get("step"), repr(point["value"]), run.running)
        return [m for m in concerned if not self._seen.unchanged(run.id, m, mark, since)]

    def _histories(self, batches: Iterable[Batch]) -> Iterator[Found]:
        """Read as many batches at a time as the source allows, and hold no more than that in memory."""
        pending = iter(batches)
        with ThreadPoolExecutor(self._session.concurrency) as pool:
            while window := list(islice(pending, self._session.concurrency)):
                for found in pool.map(self._read_batch, window):
                    yield from found

    def _read_batch(self, batch: Batch) -> list[Found]:
        key, wishes = batch
        points = self._points(key, wishes)
        found: list[Found] = []
        for wish in wishes:
            readings = [self._reading(point, wish.run) for point in points[wish.run.id]]
            found += [(metric, readings) for metric in wish.metrics]
        return found

    def _points(self, key: str, wishes: Sequence[Wish]) -> dict[str, list[Point]]:
        """The whole history of that key in each run; a run whose last point is missing was cut, and is read alone."""
        found: dict[str, list[Point]] = defaultdict(list)
        for point in self._bulk_points(key, [wish.run.id for wish in wishes]):
            found[point.get("run_id", "")].append(point)
        for wish in wishes:
            if not any(_same(point, wish.last) for point in reversed(found[wish.run.id])):
                found[wish.run.id] = list(self._history(wish.run.id, key))
        return found

    def _bulk_points(self, key: str, run_ids: list[str]) -> list[Point]:
        if not self._bulk or len(run_ids) < 2:
            return []
        params = {"run_id": run_ids, "metric_key": key, "max_results": BULK_POINTS}
        try:
            page: History = self._ask("GET", BULK, HISTORY, params=params)
            return page.get("metrics", [])
        except IntegrationError as error:
            if error.code != NOT_FOUND:
                raise
            self._bulk = False  # a server that speaks only the documented API
            return []

    def _history(self, run_id: str, key: str) -> Iterator[Point]:
        query = {"run_id": run_id, "metric_key": key, "max_results": HISTORY_PAGE}
        token = ""
        while True:
            page = self._ask(
                "GET", f"{API}/metrics/get-history", HISTORY, params=query | ({"page_token": token} if token else {})
            )
            yield from page.get("metrics", [])
            before, token = token, page.get("next_page_token") or ""
            if not token or token == before:
                return

    def _pages(self, path: str, shape: TypeAdapter[Any], body: Mapping[str, Any]) -> Iterator[Any]:
        token = ""
        while True:
            page = self._ask("POST", API + path, shape, json={**body, **({"page_token": token} if token else {})})
            yield page
            before, token = token, page.get("next_page_token") or ""
            if not token or token == before:  # a server that turns in circles is not followed
                return

    def _reading(self, point: Point, run: Head) -> Reading:
        value = point["value"] if abs(point["value"]) < INFINITE else math.nan
        told = {"experiment": run.experiment, "eval_set": run.eval_set}
        return make_reading(self.name, point["timestamp"] / 1000, value, run.id, point.get("step") or 0, **told)

    def _ask(self, method: str, path: str, shape: TypeAdapter[Any], **request: Any) -> Any:
        try:
            return self._session.fetch(method, self._url + path, shape, **request)
        except IntegrationError as error:
            if error.code == FORBIDDEN and "Invalid Host" in error.what:
                remedy = "Start MLflow with --allowed-hosts naming the host in this source's url."
                raise IntegrationError(self.name, error.what, remedy, permanent=True, code=FORBIDDEN) from None
            raise


class _Batches:
    """Collects whose history is wanted, by key; full ones may be read while the search goes on."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Wish]] = defaultdict(list)

    def add(self, run: Head, last: Point, metrics: list[Metric]) -> None:
        if metrics:
            self._waiting[last.get("key", "")].append(Wish(run, last, metrics))

    def full(self) -> list[Batch]:
        keys = [key for key, wishes in self._waiting.items() if len(wishes) >= BULK_RUNS]
        return [(key, self._waiting.pop(key)) for key in keys]

    def rest(self) -> list[Batch]:
        return [(key, self._waiting.pop(key)) for key in list(self._waiting)]


def _index(metrics: Sequence[Metric], ids: Mapping[str, str]) -> Wanted:
    wanted: dict[tuple[str, str, str], list[Metric]] = defaultdict(list)
    for metric in metrics:
        if not metric.scope or metric.scope in ids:
            wanted[ids.get(metric.scope, ""), metric.key, metric.environment].append(metric)
    return wanted


def _head(run: Run) -> Head:
    tags = {tag["key"]: tag["value"] for tag in run.get("data", {}).get("tags", [])}
    info = run["info"]
    return Head(
        id=info["run_id"],
        place=info["experiment_id"],
        running=info.get("status") == "RUNNING",
        environment=tags.get(ENVIRONMENT) or DEV,
        experiment=next((tags[name] for name in TAGS if tags.get(name)), ""),
        eval_set=tags.get(EVAL_SET, ""),
    )


def _same(point: Point, last: Point) -> bool:
    return (point["timestamp"], point.get("step") or 0) == (last["timestamp"], last.get("step") or 0)
