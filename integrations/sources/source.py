"""The protocol every metric source keeps, and what it is opened with."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from backlog.metric import Metric, Reading
from integrations.http import IntegrationError, Session

# Readings of one metric, or what is wrong with that metric alone.
Found = tuple[Metric, Sequence[Reading] | IntegrationError]


class Source(Protocol):
    """Where readings come from. One instance per `[[sources]]` entry, opened once and shared by polls."""

    name: str

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """The readings of those metrics that may be new since then, all of them where `since` is None; in parts, in any
        order, and a metric may come several times or not at all.

        May give readings again: the store keeps one per (run, time, step). Readings of an environment other than the
        metric's are left out where the source tells environments apart. Raises IntegrationError, naming the source,
        what happened and the remedy, where it can read nothing at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What one `[[sources]]` entry says, with the values of environment variables filled in.

    `options` are the kind's own keys; `allow` is `[security] allow_hosts`.
    """

    name: str
    url: str
    every: timedelta = timedelta(minutes=15)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: str = field(default="", repr=False)
    timeout_s: float = 30.0
    rate: float = 50.0
    concurrency: int = 4
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    allow: frozenset[str] = frozenset()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def open_session(self) -> Session:
        """A guarded way to this source over HTTP."""
        return Session(
            self.name,
            headers=self.headers,
            auth=self.auth,
            timeout_s=self.timeout_s,
            allow=self.allow,
            rate=self.rate,
            concurrency=self.concurrency,
        )

    def check_options(self, *known: str) -> None:
        """Raise ValueError for an option that the kind does not know."""
        unknown = next((name for name in self.options if name not in known), None)
        if unknown is not None:
            words = f"It knows: {', '.join(known)}." if known else "It has none."
            raise ValueError(f'options: "{unknown}" is no option of this kind. {words}')


def make_reading(source: str, seconds: float, value: float, run: str = "", step: int = 0, **more: str) -> Reading:
    """A reading at a time in seconds since 1970, with whatever is not finite as NaN. Raises IntegrationError for a time
    or step that cannot be."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        what = f'{run or "a series"} has the time "{seconds}".'
        raise IntegrationError(source, what, "Mend the clock that wrote it.", permanent=True) from None
    if not -(1 << 63) <= step < 1 << 63:
        raise IntegrationError(source, f'{run} has the step "{str(step)[:60]}".', "Log a smaller one.", permanent=True)
    return Reading(at, value if math.isfinite(value) else math.nan, run[:250], step, **more)


class Seen:
    """What was read already of which metric, so that it is not read again.

    `since` moves only when a poll was stored: as long as it stands still, what was read then was lost on the way and
    is read again. With `since` None (a first read, or a trial) nothing is left out or remembered.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, int], tuple[Any, datetime]] = {}

    def unchanged(self, what: Any, metric: Metric, mark: Any, since: datetime | None) -> bool:
        """Whether `what` (a file, a run) bore the same mark when the metric was last read from it and stored; remembers
        the new one."""
        if since is None:
            return False
        known, before = self._known.get((what, metric.id), (None, since))
        if known == mark and before != since:
            return True
        self._known[what, metric.id] = (mark, since)
        return False

    def forget(self, metrics: Sequence[Metric], but: Collection[Any]) -> None:
        """Forget what was read of those metrics, except from these."""
        ids = {metric.id for metric in metrics}
        self._known = {key: seen for key, seen in self._known.items() if key[1] not in ids or key[0] in but}
