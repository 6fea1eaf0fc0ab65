"""How often one may ask: so many requests a minute for each person or address, with as many saved up at the start.

Counted in this process and not kept: a limit against floods, not an account.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

MINUTE_S = 60.0
KNOWN_MAX = 10_000  # askers that are remembered; whoever asked longest ago is forgotten first


class Pace:
    """A bucket of tokens for each asker; threads may share it. A limit of 0 lets everybody pass."""

    def __init__(self, a_minute: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_minute = a_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # asker -> (tokens, as of when)
        self._lock = Lock()

    def wait_s(self, asker: str) -> float:
        """0 where the asker may go on; else how many seconds until they may."""
        if not self.a_minute:
            return 0.0
        now, rate = self._clock(), self.a_minute / MINUTE_S
        with self._lock:
            tokens, since = self._left.pop(asker, (float(self.a_minute), now))
            tokens = min(float(self.a_minute), tokens + (now - since) * rate)
            passes = tokens >= 1
            self._left[asker] = (tokens - 1 if passes else tokens, now)
            if len(self._left) > KNOWN_MAX:
                self._left.popitem(last=False)
        return 0.0 if passes else (1 - tokens) / rate
