"""Readings from any address that answers JSON: JSONPath says where rows, times and values are in it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter
from pydantic import TypeAdapter

from backlog.metric import DEV, Metric
from integrations.http import IntegrationError
from integrations.sources.rows import Row, read_rows
from integrations.sources.source import Found, SourceConfig

ANYTHING = TypeAdapter(Any)
COLUMNS = ("time", "run", "step", "environment", "experiment", "eval_set")
ENVIRONMENT = JSONPathEnvironment(strict=True)  # RFC 9535 and nothing besides


class HttpJson:
    """Kind "http". `options.rows` is the JSONPath of the rows in the answer ("$" for all of it), a metric's `key` that
    of its value in a row; `options` time, run, step, environment, experiment and eval_set are those of the other
    columns. A time is ISO 8601 or seconds since 1970; without one, readings are as of now."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options("rows", *COLUMNS)
        self.name = config.name
        self._url = config.url
        self._session = config.open_session()
        self._now = config.now
        self._rows = _path("options.rows", str(config.options.get("rows", "$")))
        self._columns = {n: _path(f"options.{n}", str(config.options[n])) for n in COLUMNS if n in config.options}

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. One request serves all metrics."""
        rows = self._rows.findall(self._session.fetch("GET", self._url, ANYTHING))
        now = self._now().replace(microsecond=0)
        for metric in metrics:
            try:
                path = _path("--key", metric.key)
                yield from read_rows(self.name, [metric], self._values(metric, path, rows, now))
            except ValueError as error:
                yield metric, IntegrationError(self.name, str(error), permanent=True)
            except IntegrationError as error:
                yield metric, error

    def _values(self, metric: Metric, path: JSONPath, rows: Sequence[Any], now: datetime) -> Iterator[tuple[str, Row]]:
        for number, row in enumerate(rows, 1):
            values = _found(path, row)
            if len(values) > 1:
                raise ValueError(
                    f'"{metric.key}" finds {len(values)} values in one row. Narrow it, or set options.rows.'
                )
            if not values or values[0] is None:
                continue
            told = {name: next(iter(_found(column, row)), None) for name, column in self._columns.items()}
            told["time"] = _time(told.get("time")) if "time" in self._columns else now
            yield f"row {number}", {"environment": DEV, **told, "metric": metric.key, "value": values[0]}


def _found(path: JSONPath, row: Any) -> list[Any]:
    return path.findall(row) if isinstance(row, (Mapping, list)) else []


def _path(where: str, text: str) -> JSONPath:
    """Raises ValueError where it is no JSONPath, or one whose search a long answer could make endless."""
    try:
        path = ENVIRONMENT.compile(text)
    except JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'{where}: "{text[:60]}" is no JSONPath ({reason}). Such as $.metrics.recall.') from None
    assert isinstance(path, JSONPath)  # strict JSONPath knows no unions of paths
    segments = list(path.segments)
    deep = sum(isinstance(segment, JSONPathRecursiveDescentSegment) for segment in segments)
    filters = any(isinstance(selector, Filter) for segment in segments for selector in segment.selectors)
    if deep > 1 or filters:
        raise ValueError(f'{where}: "{text[:60]}" has a filter or ".." twice. Name the members one by one.')
    return path


def _time(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e11:
        return datetime.fromtimestamp(value, UTC)
    return value
