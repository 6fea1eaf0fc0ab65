"""Reads a source as a poll would, for tests."""

from collections.abc import Sequence
from datetime import datetime

from backlog.metric import Metric, Reading
from integrations.http import IntegrationError
from integrations.sources.source import Source


def read(source: Source, metrics: Sequence[Metric], since: datetime | None = None) -> dict[int, list[Reading]]:
    """All that a source gives, by metric id; what is wrong with a single metric is raised too."""
    found: dict[int, list[Reading]] = {metric.id: [] for metric in metrics}
    for metric, readings in source.fetch(metrics, since):
        if isinstance(readings, IntegrationError):
            raise readings
        found[metric.id] += readings
    return found
