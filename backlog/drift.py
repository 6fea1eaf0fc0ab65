"""Whether a metric in production has left its range, when it changed, and whether it has fallen silent.

The range guard has two levels. *Suspected* goes into the report; only *confirmed*, two of the last three readings
outside the earlier range, notifies a channel. Detectors start afresh at a deployment: give them what came after it.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backlog.metric import Better
from backlog.numbers import Floats, Numbers, Places

READINGS_NEEDED = 20  # before the guard speaks
SUSPECT_ABOVE = 0.2  # of the 5-95 % spread, summed over the reading and the mean of three
CONFIRM_BEYOND = 0.05  # of the 5-95 % spread
CONFIRM_OF, CONFIRM_NEEDED = 3, 2  # the last readings looked at, and how many must lie outside
QUIET = 24  # readings: a suspicion is told only where it is the highest among these
SMOOTH = 3  # readings averaged beside the single one
SMALLEST_SPREAD = 0.05  # of the whole range, where most readings are equal
FULL_TRUST, LEAST_TRUST = 100.0, 3.0  # readings from which the margin stands; how much wider it is before
POINTS_NEEDED = 15  # for change points
PENALTY, SHORTEST, MOST_CHANGES = 3.0, 5, 6
GAPS_NEEDED = 8  # silences a metric must have shown before its longest one says anything
GAPS_KEPT = 50  # the most recent gaps that count
MISSED_BEATS = 3  # of a configured cadence


class Level(StrEnum):
    """How sure the guard is."""

    NONE = "none"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Ranges:
    """For each reading, what all before it spanned: highest, lowest, and the 5-95 % spread. NaN where none came
    before."""

    high: Floats
    low: Floats
    spread: Floats


def ranges_before(values: Floats) -> Ranges:
    """The ranges before each of the values, which are finite and in order."""
    high, low, spread = (np.full(len(values), np.nan) for _ in range(3))
    ordered: list[float] = []
    for place, value in enumerate(values.tolist()):
        if ordered:
            high[place], low[place] = ordered[-1], ordered[0]
            middle = _quantile(ordered, 0.95) - _quantile(ordered, 0.05)
            spread[place] = max(middle, SMALLEST_SPREAD * (ordered[-1] - ordered[0]) + 1e-9)
        insort(ordered, value)
    return Ranges(high, low, spread)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def suspicion(values: Numbers, worse: int = 0, smooth: int = SMOOTH, needed: int = READINGS_NEEDED) -> Floats:
    """For each reading how far it left the range of all before it; `worse` is 1 where up is worse, -1 where down is,
    0 for both. 0 for the first twenty.

    [excess of x_t + excess of the mean of three] / (5-95 % spread) / clip(sqrt(100/t), 1, 3)
    """
    readings = np.asarray(values, float)
    total = np.zeros(len(readings))
    for window in (1, smooth):
        means = _running_mean(readings, window)
        ranges = ranges_before(means)
        excess = _outside(means, ranges.high, ranges.low, worse) / ranges.spread
        total += np.nan_to_num(np.maximum(excess, 0))
    total[:needed] = 0
    return np.asarray(total / _caution(np.arange(len(readings)) + 1))


def _running_mean(values: Floats, window: int) -> Floats:
    """The mean of the last `window` values, of fewer at the start; summed anew, so that equal values stay equal."""
    if window == 1 or len(values) < window:
        return values
    first = values[: window - 1].cumsum() / np.arange(1, window)
    return np.concatenate([first, np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)])


def _outside(values: Floats, high: Floats, low: Floats, worse: int) -> Floats:
    above: Floats = values - high
    below: Floats = low - values
    if worse:
        return above if worse > 0 else below
    return np.asarray(np.maximum(above, below))


def _caution(readings: Places) -> Floats:
    """How much wider the margin is while there are few readings."""
    return np.asarray(np.clip(np.sqrt(FULL_TRUST / np.maximum(readings, 1)), 1, LEAST_TRUST))


def suspected_at(scores: Floats, above: float = SUSPECT_ABOVE, quiet: int = QUIET) -> Places:
    """Where to speak: above the threshold, and higher than each of the last `quiet` scores."""
    padded = np.concatenate([np.zeros(quiet), scores])
    highest = np.lib.stride_tricks.sliding_window_view(padded, quiet)[: len(scores)].max(axis=1)
    return np.flatnonzero((scores > highest) & (scores > above))


def confirmed(values: Numbers, worse: int = 0, needed: int = READINGS_NEEDED) -> NDArray[np.bool_]:
    """For each reading whether two of the last three, itself included, lie outside the range before the three by 0.05
    of its spread; False for the first twenty-three."""
    readings = np.asarray(values, float)
    ranges = ranges_before(readings)
    outside = np.zeros((2, len(readings)), int)
    for back in range(CONFIRM_OF):
        # The range is that before the three: at place t it is what came before place t-2.
        first = CONFIRM_OF - 1
        margin = CONFIRM_BEYOND * ranges.spread * _caution(np.arange(len(readings)))
        seen = readings[first - back : len(readings) - back]
        outside[0, first:] += seen > (ranges.high + margin)[: len(readings) - first]
        outside[1, first:] += seen < (ranges.low - margin)[: len(readings) - first]
    outside[:, : needed + CONFIRM_OF - 1] = 0
    up: NDArray[np.bool_] = outside[0] >= CONFIRM_NEEDED
    down: NDArray[np.bool_] = outside[1] >= CONFIRM_NEEDED
    if worse:
        return up if worse > 0 else down
    return np.asarray(up | down)


def level_of(values: Numbers, better: Better) -> Level | None:
    """How sure it is that the latest reading is a regression: only towards worse counts. None under twenty earlier
    readings."""
    if len(values) <= READINGS_NEEDED:
        return None
    worse = -1 if better is Better.UP else 1
    if confirmed(values, worse)[-1]:
        return Level.CONFIRMED
    fired = suspected_at(suspicion(values, worse))
    return Level.SUSPECTED if len(fired) and fired[-1] == len(values) - 1 else Level.NONE


def change_points(values: Numbers) -> list[int]:
    """The places at which the mean of a slow metric changed, in order; none under fifteen points.

    Binary segmentation with squared cost; a split must gain more than 3 ln n times the variance within its two
    halves, widened by (1 + rho) / (1 - rho) where neighbours resemble each other.
    """
    series = np.asarray(values, float)
    if len(series) < POINTS_NEEDED:
        return []
    series = series - np.median(series)
    found: list[int] = []
    segments = [(0, len(series))]
    while len(found) < MOST_CHANGES:
        splits = [split for segment in segments if (split := _best_split(series, *segment))]
        if not splits:
            break
        gain, place, start, end = max(splits)
        if gain <= PENALTY * _noise_within(series, start, place, end) * np.log(len(series)) + 1e-12:
            break
        found.append(place)
        segments.remove((start, end))
        segments += [(start, place), (place, end)]
    return sorted(found)


def _best_split(series: Floats, start: int, end: int) -> tuple[float, int, int, int] | None:
    length = end - start
    if length < 2 * SHORTEST:
        return None
    sums = series[start:end].cumsum()
    sizes = np.arange(SHORTEST, length - SHORTEST + 1)
    left, whole = sums[sizes - 1], sums[-1]
    gains = left**2 / sizes + (whole - left) ** 2 / (length - sizes) - whole**2 / length
    best = int(gains.argmax())
    return float(gains[best]), start + int(sizes[best]), start, end


def _noise_within(series: Floats, start: int, place: int, end: int) -> float:
    """The variance around the two means, widened for autocorrelation."""
    left, right = series[start:place], series[place:end]
    rest = np.concatenate([left - left.mean(), right - right.mean()])
    variance = float(rest.var())
    if variance == 0 or len(rest) <= 6:
        return variance
    resemblance = float(np.corrcoef(rest[:-1], rest[1:])[0, 1])
    resemblance = min(max(resemblance, 0.0), 0.95) if np.isfinite(resemblance) else 0.0
    return variance * (1 + resemblance) / (1 - resemblance)


def longest_silence(gaps: Sequence[float]) -> float | None:
    """The longest of the last 50 gaps, in their unit; None under eight: too little to call a silence unusual."""
    return max(gaps[-GAPS_KEPT:]) if len(gaps) >= GAPS_NEEDED else None


def stale_after(times: Sequence[datetime], cadence: timedelta | None = None) -> timedelta | None:
    """The silence after which a metric is stale: three missed beats of a configured cadence, else one longer than the
    longest of its last 50 gaps; None where it has shown too few."""
    if cadence is not None:
        return MISSED_BEATS * cadence
    ordered = sorted(times)
    longest = longest_silence([(later - earlier).total_seconds() for earlier, later in pairwise(ordered)])
    return None if longest is None else timedelta(seconds=longest)
