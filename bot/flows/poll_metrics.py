"""Reads a source's metrics into readings. One broken source stops nothing; its error is kept to be seen."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backlog.metric import Metric
from bot.flows.services import Services, SourcePlan
from integrations.http import IntegrationError
from store.experiments import numbers_by_key
from store.metrics import load_metrics, polled_since, save_readings, save_source_state

OVERLAP = timedelta(minutes=10)  # trackers write late and their clocks differ from ours


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
    with services.database.write() as connection:
        tags = {reading.experiment for readings in found.values() for reading in readings}
        numbers = numbers_by_key(connection, tags)
        return sum(
            save_readings(connection, metric, found.get(metric.id, ()), numbers, services.now(), started)
            for metric in metrics
        )
