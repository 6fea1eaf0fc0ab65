"""Reads a source's metrics into readings. One broken source stops nothing; its error is kept to be seen."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backlog.metric import Metric, Reading
from bot.flows.services import Services, SourcePlan
from integrations.http import IntegrationError
from store.experiments import numbers_by_key
from store.metrics import load_metrics, mark_polled, polled_since, save_readings, save_source_state

OVERLAP = timedelta(minutes=10)  # trackers write late and their clocks differ from ours

PART = 5_000  # readings a transaction


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll of a source did; `error` is empty where it worked."""

    source: str
    metrics: int
    readings: int
    error: str = ""


def poll_source(services: Services, plan: SourcePlan) -> Polled:
    """Read what may be new of all the source's metrics, in one go for those polled before and one for new ones."""
    with services.database.read() as connection:
        metrics = load_metrics(connection, source=plan.name)
        groups = _by_start(metrics, {m.id: polled_since(connection, [m]) for m in metrics})
    try:
        saved = sum(_poll(services, plan, group, since) for since, group in groups)
    except IntegrationError as error:
        with services.database.write() as connection:
            save_source_state(connection, plan.name, None, str(error))
        return Polled(plan.name, len(metrics), 0, str(error))
    with services.database.write() as connection:
        save_source_state(connection, plan.name, services.now(), "")
    return Polled(plan.name, len(metrics), saved)


def _by_start(
    metrics: Sequence[Metric], starts: dict[int, datetime | None]
) -> Iterable[tuple[datetime | None, list[Metric]]]:
    """Metrics never read need everything; the others share the earliest start, so one request serves them."""
    groups: dict[bool, list[Metric]] = defaultdict(list)
    for metric in metrics:
        groups[starts[metric.id] is None].append(metric)
    if groups[True]:
        yield None, groups[True]
    if groups[False]:
        earliest = min(start for metric in groups[False] if (start := starts[metric.id]))
        yield earliest - OVERLAP, groups[False]


def _poll(services: Services, plan: SourcePlan, metrics: Sequence[Metric], since: datetime | None) -> int:
    started = services.now()
    found = plan.source.fetch(metrics, since)
    saved = sum(_save(services, metric, part) for metric in metrics for part in _parts(found.get(metric.id, [])))
    with services.database.write() as connection:
        mark_polled(connection, metrics, services.now(), started)
    return saved


def _parts(readings: list[Reading]) -> Iterable[list[Reading]]:
    """A long history is stored in short transactions, so that people's commands need not wait for its end."""
    return (readings[start : start + PART] for start in range(0, len(readings), PART))


def _save(services: Services, metric: Metric, readings: Sequence[Reading]) -> int:
    with services.database.write() as connection:
        numbers = numbers_by_key(connection, {reading.experiment for reading in readings})
        return save_readings(connection, metric, readings, numbers)
