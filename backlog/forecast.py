"""Whether a target will be reached, and how far the best may come: record theory with five constants.

Values are one history's finished trials in order: the runs of an experiment, or the concluded experiments of a goal.
Method and constants were fitted on one half of 60 public histories and scored on the other, see docs/judgement.md;
the idea is that of records (Chandler 1952; Glick 1978; Sibuya & Nishimura 1997). Nothing here extrapolates a trend:
that did worse than a base rate.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlog.chance import held_within, told
from backlog.metric import Better
from backlog.numbers import Floats, Numbers

TRIALS_NEEDED = 5  # finished trials with a value, below which nothing is said
HORIZONS = (3, 5, 10, 20)  # trials ahead for which the base rates below are known
JUMPS_ASSUMED = 3  # jumps of a fifth of the spread, believed before any was seen
JUMP_SHARE = 0.2
RATE, AHEAD, WAITING, TAIL, REACH = 2.25, 0.65, 0.30, 1.07, 0.71
# Share of targets that others reached within 3, 5, 10 and 20 trials, by the gap as a share of the gain so far;
# tuning half of the histories, macro-averaged (`scrumbut backtest --only A` prints them).
BASE_RATES = {
    0.0: (0.59, 0.65, 0.72, 0.89),
    0.1: (0.41, 0.48, 0.48, 0.43),
    0.25: (0.29, 0.37, 0.39, 0.34),
    0.5: (0.18, 0.22, 0.28, 0.28),
    1.0: (0.12, 0.14, 0.16, 0.18),
}


@dataclass(frozen=True, slots=True)
class Climb:
    """How far a history has come. Inside, larger is better: `best` is negated where the metric falls.

    `trials` counts finished trials with a value, `waiting` those since the last new best; `gained` is from the first
    value to the best, `spread` the interquartile range of all values, `jump` the usual size of a new best's step.
    """

    better: Better
    trials: int
    best: float
    waiting: int
    gained: float
    spread: float
    jump: float

    @property
    def sign(self) -> int:
        """What turns a value of the metric into one where larger is better, and back."""
        return 1 if self.better is Better.UP else -1

    @property
    def scale(self) -> float:
        """What gaps are measured by: the gain so far, or the spread while nothing was gained."""
        return self.gained if self.gained > 0 else self.spread

    def gap(self, target: float) -> float:
        """How much is missing to the target; 0 or less where it is reached."""
        return self.sign * target - self.best


def climb_of(values: Numbers, better: Better) -> Climb | None:
    """The climb of a history in order, NaN left out; None under five finished trials."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if len(finite) < TRIALS_NEEDED:
        return None
    oriented = finite if better is Better.UP else -finite
    best = np.maximum.accumulate(oriented)
    steps = np.diff(best)
    jumps = steps[steps > 0]
    spread = _spread(oriented)
    assumed = JUMPS_ASSUMED * JUMP_SHARE * spread
    return Climb(
        better=better,
        trials=len(finite),
        best=float(best[-1]),
        waiting=len(steps) - 1 - int(np.flatnonzero(steps > 0)[-1]) if len(jumps) else len(steps),
        gained=float(best[-1] - best[0]),
        spread=spread,
        jump=float((jumps.sum() + assumed) / (len(jumps) + JUMPS_ASSUMED)),
    )


def _spread(values: Floats) -> float:
    low, high = np.percentile(values, [25, 75])
    # A history of equal values has no spread; 1 % of the best stands in.
    return float(high - low or values.std() or abs(values.max()) * 0.01 + 1e-9)


def expected_beats(climb: Climb, ahead: Any, gap: Any) -> Any:
    """How many of the next `ahead` trials are expected to beat the best by at least `gap`; arrays broadcast.

    2.25 (k/n)^0.65 (1+d)^-0.30 (1 + gap / 0.71 sigma)^-1.07
    """
    return _pace(climb, ahead) * (1 + gap / (REACH * climb.jump)) ** -TAIL


def _pace(climb: Climb, ahead: Any) -> Any:
    return RATE * (np.asarray(ahead) / climb.trials) ** AHEAD * (1.0 + climb.waiting) ** -WAITING


def gain_chance(climb: Climb, ahead: Any, gap: Any) -> Any:
    """The chance that the best rises by at least `gap` within the next `ahead` trials, not yet held within 1 to 85 %;
    a gap of 0 asks for any new best."""
    return -np.expm1(-expected_beats(climb, ahead, gap))


def target_chance(climb: Climb, target: float, ahead: int, bound: float | None = None) -> float:
    """The chance that the target is reached within the next `ahead` trials: 1 where it is reached already, 0 beyond
    the metric's bound, else from 1 % to 85 %."""
    settled = _settled(climb, target, bound)
    return float(held_within(gain_chance(climb, ahead, climb.gap(target)))) if settled is None else settled


def target_chance_over(climb: Climb, target: float, draws: Floats, bound: float | None = None) -> float:
    """The same where it is not known how many trials there will be: the mean over draws of their number."""
    settled = _settled(climb, target, bound)
    return chance_over(climb, climb.gap(target), draws) if settled is None else settled


def chance_over(climb: Climb, gap: float, draws: Floats) -> float:
    """The chance of a gain of at least `gap`, averaged over draws of the number of trials."""
    chances = np.where(draws > 0, gain_chance(climb, np.maximum(draws, 1), gap), 0.0)
    return float(held_within(chances.mean()))


def _settled(climb: Climb, target: float, bound: float | None) -> float | None:
    if climb.gap(target) <= 0:
        return 1.0
    beyond = bound is not None and climb.sign * target > climb.sign * bound
    return 0.0 if beyond else None


def best_after(climb: Climb, ahead: int, share: float, bound: float | None = None) -> float:
    """The value that the best after `ahead` more trials stays below (for a falling metric: above) with that
    probability: the formula inverted, never worse than the best so far, never beyond the bound."""
    gain = gain_after(climb, ahead, share)
    value = climb.sign * (climb.best + gain)
    return value if bound is None else climb.sign * min(climb.sign * value, climb.sign * bound)


def gain_after(climb: Climb, ahead: int, share: float) -> float:
    """The gain that `ahead` more trials do not exceed with that probability."""
    reach = (_pace(climb, ahead) / -np.log(share)) ** (1 / TAIL) - 1
    return max(0.0, REACH * climb.jump * float(reach))


def base_rate(climb: Climb, gap: float, ahead: int) -> float:
    """How often others reached a target as far away, relative to their gain so far, within as many trials; of the
    known gaps and horizons the nearest."""
    share = min(BASE_RATES, key=lambda known: abs(known - gap / climb.scale))
    nearest = min(range(len(HORIZONS)), key=lambda place: abs(HORIZONS[place] - ahead))
    return BASE_RATES[share][nearest]


def told_target(climb: Climb, target: float, ahead: int, counted: str, bound: float | None = None) -> str:
    """The sentence for a manager; `counted` says what the history counts ("23 runs", "7 concluded experiments")."""
    chance = target_chance(climb, target, ahead, bound)
    if chance >= 1:
        return f"{target:g} is reached"
    if chance <= 0:
        return f"{target:g} lies beyond what the metric can be"
    return f"{target:g} within the next {ahead}: {told(chance, counted, base_rate(climb, climb.gap(target), ahead))}"


def too_short(trials: int) -> str:
    """Why nothing is said of a short history."""
    return f"not enough history ({trials} of {TRIALS_NEEDED})"
