"""Whether this process can do its work now: what `GET /readyz` answers a load balancer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bot.flows.services import Services
from store import queue

log = structlog.get_logger(__name__)

STANDS_S = 15  # a clock that was not heard for that long stands


@dataclass
class Readiness:
    """Each part says in a few words why it is not ready, or nothing."""

    services: Services
    parts: list[Callable[[], str]] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Why it is not ready; empty where it is."""
        return [problem for part in (self._database, *self.parts) if (problem := part())]

    def _database(self) -> str:
        try:
            with self.services.database.read() as connection:
                queue.next_due(connection)  # our own tables: a database that is there and not ours is not ready
        except Exception as error:
            log.warning("not ready", why=type(error).__name__)
            return "the database does not answer"
        return ""

    def listen(self, tick: Callable[[], object]) -> Callable[[], object]:
        """The same tick, and from now on not ready where it is not heard of."""
        heard = [time.monotonic()]

        def ticking() -> object:
            done = tick()
            heard[0] = time.monotonic()
            return done

        def stands() -> str:
            silent = time.monotonic() - heard[0]
            return f"the clock has stood for {silent:.0f} s" if silent > STANDS_S else ""

        self.parts.append(stands)
        return ticking
