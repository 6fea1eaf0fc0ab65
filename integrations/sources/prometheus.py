"""Readings from a Prometheus server: the value of an expression over time.

Several expressions travel in one request, each under a label of its own; where one of them is wrong, all are asked
again one by one, so that the wrong one is named.
"""

import math
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from backlog.cadence import read_span
from backlog.metric import Metric, Reading
from integrations.http import IntegrationError
from integrations.sources.source import Found, SourceConfig, make_reading

LOOKBACK = timedelta(days=30)  # how far the first read of a metric reaches
POINTS = 10_000  # of one series in one answer; Prometheus refuses over 11,000
TOGETHER = 50  # expressions in one request
OWN = "scrumbut_metric"  # the label that tells the expressions of one request apart
EXPERIMENT = "scrumbut_experiment"  # a label that names the experiment a series belongs to
INSTANT = "instant"


class Series(TypedDict):
    metric: NotRequired[dict[str, str]]
    value: NotRequired[tuple[float, float]]  # values come as strings, "NaN" and "+Inf" among them
    values: NotRequired[list[tuple[float, float]]]


class Data(TypedDict):
    resultType: str
    result: list[Series] | tuple[float, float]  # the second is a scalar


class Answer(TypedDict):
    data: Data


ANSWER = TypeAdapter(Answer)


class Prometheus:
    """Kind "prometheus". A metric's `key` is an expression that gives exactly one series; with the scope "instant" only
    its value now is read, else its values since the last read, one each `step` (option, 1m)."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options("step")
        self.name = config.name
        self._url = config.url.rstrip("/") + "/api/v1"
        self._session = config.open_session()
        self._now = config.now
        self._step = max(1, int(read_span(str(config.options.get("step", "1m"))).total_seconds()))

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. Times lie on a grid of the step, so reading a span again gives the same readings."""
        for scope, path, times in (("", "/query_range", self._range(since)), (INSTANT, "/query", self._instant())):
            asked = [metric for metric in metrics if metric.scope == scope]
            for start in range(0, len(asked), TOGETHER):
                yield from self._together(asked[start : start + TOGETHER], path, times)
        for metric in metrics:
            if metric.scope not in ("", INSTANT):
                what = f'"{metric.scope}" is no scope of Prometheus.'
                yield metric, IntegrationError(self.name, what, "Leave --scope away, or give it instant.")

    def _range(self, since: datetime | None) -> dict[str, Any]:
        """From there until now, in as many steps as one answer may hold."""
        end = self._now().timestamp()
        start = min(since.timestamp() if since else (self._now() - LOOKBACK).timestamp(), end)
        step = self._step * math.ceil(max(1.0, (end - start) / (self._step * POINTS)))
        return {"start": start // step * step, "end": end // step * step, "step": step}

    def _instant(self) -> dict[str, Any]:
        return {"time": int(self._now().timestamp())}

    def _together(self, metrics: Sequence[Metric], path: str, times: Mapping[str, Any]) -> Iterator[Found]:
        if len(metrics) > 1:
            # Unforeseeable, so that no expression can pass its series off as another metric's.
            names = {metric.id: f"{secrets.token_hex(8)}-{metric.id}" for metric in metrics}
            query = " or ".join(_labelled(metric, names[metric.id]) for metric in metrics)
            try:
                answer = self._ask(path, query, times)
            except IntegrationError as error:
                if error.code not in ("400", "422"):
                    raise
            else:
                yield from self._sorted_out(metrics, names, answer)
                return
        for metric in metrics:
            try:
                answer = self._ask(path, metric.key, times)
            except IntegrationError as error:
                if error.code not in ("400", "422"):
                    raise
                yield metric, error
            else:
                yield metric, self._only(metric, answer)

    def _ask(self, path: str, query: str, times: Mapping[str, Any]) -> list[Series]:
        answer = self._session.fetch("POST", self._url + path, ANSWER, data={"query": query, **times})
        result = answer["data"]["result"]
        return [{"value": result}] if isinstance(result, tuple) else result

    def _sorted_out(
        self, metrics: Sequence[Metric], names: Mapping[int, str], answer: Sequence[Series]
    ) -> Iterator[Found]:
        own: dict[str, list[Series]] = defaultdict(list)
        for series in answer:
            own[series.get("metric", {}).get(OWN, "")].append(series)
        yield from ((metric, self._only(metric, own[names[metric.id]])) for metric in metrics)

    def _only(self, metric: Metric, found: Sequence[Series]) -> list[Reading] | IntegrationError:
        """The readings of the one series; what keeps several apart is named."""
        if len(found) > 1:
            remedy = f"Add one of these labels to --key, or sum them up: {_differing(found)}."
            return IntegrationError(self.name, f'"{metric.key}" gives {len(found)} series.', remedy, permanent=True)
        return [reading for series in found for reading in self._readings(series)]

    def _readings(self, series: Series) -> Iterator[Reading]:
        experiment = series.get("metric", {}).get(EXPERIMENT, "")
        for at, value in series.get("values") or ([series["value"]] if "value" in series else []):
            yield make_reading(self.name, at, value, experiment=experiment)


def _labelled(metric: Metric, name: str) -> str:
    # The line break ends a comment that the expression may end with.
    return f'label_replace(({metric.key}\n), "{OWN}", "{name}", "", "")'


def _differing(found: Sequence[Series]) -> str:
    values: dict[str, set[str]] = defaultdict(set)
    for name in {name for series in found for name in series.get("metric", {})}:
        values[name] = {series.get("metric", {}).get(name, "") for series in found}
    several = sorted(name for name, known in values.items() if len(known) > 1 and name not in (OWN, "__name__"))
    return ", ".join(f'{name}="{min(values[name])}"' for name in several[:8]) or "none differs"
