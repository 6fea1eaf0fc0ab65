"""The protocol every metric source keeps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from backlog.metric import Metric, Reading


class Source(Protocol):
    """Where readings come from. One instance per `[[sources]]` entry, opened once and shared by polls."""

    name: str

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> dict[int, list[Reading]]:
        """The readings of those metrics that may be new since then, by `Metric.id`; all of them where `since` is None.

        May return readings again: the store keeps one per (run, time, step). Readings of an environment other than the
        metric's are left out where the source tells environments apart. Raises IntegrationError naming the source,
        what happened and the remedy.
        """
        ...
