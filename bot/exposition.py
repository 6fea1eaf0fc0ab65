"""The state of the process for Prometheus: what `GET /metrics` answers, read afresh each time."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.flows.read_sources import read_sources
from bot.flows.services import Services
from store import outbox, queue
from store.installations import load_installations


def expose(services: Services) -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_State(services))
    return generate_latest(registry)


class _State(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._sources()
        if self._services.installer:
            yield self._workspaces()
        with self._services.database.read() as connection:
            tasks, deliveries = queue.count_by_state(connection), outbox.count_by_state(connection)
        yield _by_state("scrumbut_tasks", "Tasks of the queue.", tasks)
        yield _by_state("scrumbut_deliveries", "Rows of the outbox.", deliveries)

    def _workspaces(self) -> GaugeMetricFamily:
        with self._services.database.read() as connection:
            left = [one.gone_at is not None for one in load_installations(connection)]
        counts = {"installed": left.count(False), "left": left.count(True)}
        return _by_state("scrumbut_workspaces", "Other workspaces by whether they have the app.", counts)

    def _sources(self) -> Iterator[GaugeMetricFamily]:
        labels = ("source", "kind")
        up = GaugeMetricFamily("scrumbut_source_up", "1 where the last read of a source worked.", labels=labels)
        read = GaugeMetricFamily("scrumbut_source_last_read_timestamp_seconds", "The last good read.", labels=labels)
        lag = GaugeMetricFamily("scrumbut_source_lag_seconds", "Time since the last good read.", labels=labels)
        metrics = GaugeMetricFamily("scrumbut_source_metrics", "Metrics that are read from a source.", labels=labels)
        for status in read_sources(self._services):
            own = (status.name, status.kind)
            up.add_metric(own, 0 if status.error else 1)
            metrics.add_metric(own, status.metrics)
            if status.read_at and status.lag is not None:
                read.add_metric(own, status.read_at.timestamp())
                lag.add_metric(own, status.lag.total_seconds())
        yield from (up, read, lag, metrics)


def _by_state(name: str, words: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=("state",))
    for state, count in counts.items():
        family.add_metric((state,), count)
    return family
