"""How metric sources are doing: for `doctor`, `/metrics` and the App Home."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.flows.services import Services
from store.metrics import load_metrics, source_states

MISSED = 3  # polls in a row that came to nothing before a source counts as late


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One configured source. `read_at` is when it was last read without error, `lag` how long ago that is, `error` what
    was wrong with the last read; `late` where somebody should look."""

    name: str
    kind: str
    every: timedelta
    metrics: int
    read_at: datetime | None
    lag: timedelta | None
    error: str

    @property
    def late(self) -> bool:
        """Whether it is in error, or was not read in three times its `every`; one that nobody uses is not."""
        return bool(self.error) or (self.lag is not None and self.lag > MISSED * self.every)


def since_read(lag: timedelta | None) -> str:
    """How long ago a source was last read without error, in words: "read 5 min ago"."""
    if lag is None:
        return "never read yet"
    minutes = int(lag.total_seconds() // 60)
    if minutes < 120:
        return f"read {max(0, minutes)} min ago"
    return f"read {minutes // 60} h ago" if minutes < 2_880 else f"read {minutes // 1_440} d ago"


def read_sources(services: Services) -> list[SourceStatus]:
    """Every configured source in the order of the config file."""
    with services.database.read() as connection:
        states = source_states(connection)
        used = Counter(metric.source for metric in load_metrics(connection))
    now = services.now()
    statuses = []
    for plan in services.sources.values():
        read_at, error = states.get(plan.name, (None, ""))
        lag = now - read_at if read_at else None
        statuses.append(SourceStatus(plan.name, plan.kind, plan.every, used[plan.name], read_at, lag, error))
    return statuses
