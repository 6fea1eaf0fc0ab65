"""Whether a team's own forecasts held: each is kept with its outcome, and where they do not hold the base rate speaks.

From 20 settled forecasts on the team sees how reliable they were; from 30 on, with a calibration error above .15, the
base rate takes over and says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from backlog.metric import Better

SHOWN_FROM, JUDGED_FROM, DOUBTED_ABOVE = 20, 30, 0.15
BINS = 10


@dataclass(frozen=True, slots=True)
class Forecast:
    """One forecast as it was told: within the next `ahead` trials after `trials`, the target is reached with `chance`;
    `base` is the base rate beside it. `hit` is None while it is open."""

    subject: str
    metric_id: int
    made_at: datetime
    trials: int
    ahead: int
    target: float
    better: Better
    chance: float
    base: float
    hit: bool | None = None
    settled_at: datetime | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reliability:
    """How a number of settled forecasts did: Brier score and expected calibration error, theirs and the base rate's."""

    settled: int
    brier: float
    ece: float
    base_brier: float

    @property
    def doubted(self) -> bool:
        """Whether the base rate takes over."""
        return self.settled >= JUDGED_FROM and self.ece > DOUBTED_ABOVE

    def __str__(self) -> str:
        verdict = "the base rate speaks instead" if self.doubted else "they may speak"
        if self.settled < JUDGED_FROM:
            verdict = f"judged from {JUDGED_FROM} on"
        figures = f"Brier {self.brier:.2f} (base rate {self.base_brier:.2f}), off by {self.ece:.2f} on average"
        return f"your own {self.settled} settled forecasts: {figures}; {verdict}"


def settle(forecast: Forecast, values: Sequence[float], now: datetime) -> Forecast:
    """The forecast with its outcome, if the history (all values in order) decides it: a hit as soon as the target is
    reached, a miss once that many trials have passed."""
    reached = any(
        value == forecast.target or forecast.better.beats(value, forecast.target)
        for value in values[forecast.trials : forecast.trials + forecast.ahead]
    )
    if reached or len(values) >= forecast.trials + forecast.ahead:
        return replace(forecast, hit=reached, settled_at=now)
    return forecast


def reliability_of(forecasts: Iterable[Forecast]) -> Reliability | None:
    """How the settled ones did; None under 20."""
    settled = [forecast for forecast in forecasts if forecast.hit is not None]
    if len(settled) < SHOWN_FROM:
        return None
    table = np.array([(f.chance, f.base, float(bool(f.hit))) for f in settled])
    chance, base, hit = table.T
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    apart = np.bincount(place, chance - hit, BINS) / len(settled)
    return Reliability(
        settled=len(settled),
        brier=float(((chance - hit) ** 2).mean()),
        ece=float(abs(apart).sum()),
        base_brier=float(((base - hit) ** 2).mean()),
    )
