"""Ages against the team's own history: percentiles of how long its last finished experiments took.

Under ten finished experiments it says nothing; the appetite serves instead, and the words say so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backlog.chance import frequency
from backlog.experiment import Experiment
from backlog.numbers import Floats, Numbers

HISTORY_NEEDED = 10  # finished experiments before percentiles speak
HISTORY_KEPT = 100  # the last ones that count: how the team works now, not how it began
NUDGES = (95, 85, 50)  # percentiles of the own history, the highest first
OLDEST_OPEN = 365.0  # days; what is open for longer has been forgotten and says nothing about the others
SHORTEST = 0.02  # days, half an hour: what took no time at all
LASTING_KEPT = 200  # finished ones that say how long work lasts
PRIOR_ALPHA, PRIOR_SCALE = 1.2, 5.0  # days for the scale: what is believed before any history
PRIOR_WEIGHT, PRIOR_SCALE_WEIGHT = 50.0, 0.1  # of the squared distance from it, in logarithms
SCALES = np.geomspace(0.01, 1_000, 400)  # days tried for the scale, 3 % apart


@dataclass(frozen=True, slots=True)
class History:
    """How many calendar days, from *running* to the decision, half, 85 % and 95 % of `count` experiments took at
    most."""

    count: int
    p50: int
    p85: int
    p95: int

    def percentile_reached(self, days: int) -> int:
        """The highest of 50, 85 and 95 whose age lies behind; 0 for a younger one."""
        return next((share for share in NUDGES if days > getattr(self, f"p{share}")), 0)


@dataclass(frozen=True, slots=True)
class Ages:
    """How many experiments have finished, and the history that they make, if they are enough."""

    finished: int = 0
    history: History | None = None


def ages_of(took: Sequence[int]) -> Ages:
    """The ages of finished experiments, in calendar days, the latest first."""
    kept = sorted(took[:HISTORY_KEPT])
    if len(kept) < HISTORY_NEEDED:
        return Ages(len(kept))
    return Ages(len(took), History(len(kept), *(_nearest_rank(kept, share) for share in (0.50, 0.85, 0.95))))


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long work lasts, as a Lomax distribution: the longer it has taken, the longer it still takes."""

    alpha: float
    scale: float
    finished: int

    def finish_chance(self, age: float, within: float) -> float:
        """The chance that work of that age finishes within so many more days: 1 - ((age+s) / (age+h+s))^alpha."""
        return float(1 - ((age + self.scale) / (age + within + self.scale)) ** self.alpha)


def lasting_of(took: Numbers, open_ages: Numbers) -> Lasting | None:
    """What finished work (days, the latest last) and open work (its ages so far, censored) say about durations; None
    under ten finished.

    Most likely values under a prior that holds alpha near 1.2, for the tail of a single team's history is too thin to
    tell it, and leaves the scale free; for each scale tried, the best alpha solves a L + w ln(a / 1.2) = e with
    L = sum ln(1 + x/s), by Newton's steps.
    """
    done = np.asarray(took, float)[-LASTING_KEPT:]
    if len(done) < HISTORY_NEEDED:
        return None
    still = np.asarray(open_ages, float)
    days = np.maximum(np.concatenate([done, still[still < OLDEST_OPEN]]), SHORTEST)
    logs = np.log1p(days[:, None] / SCALES)
    total, events = logs.sum(axis=0), len(done)
    alpha = _best_alpha(total, events)
    likelihood = events * (np.log(alpha) - np.log(SCALES)) - alpha * total - logs[:events].sum(axis=0)
    prior = PRIOR_WEIGHT / 2 * np.log(alpha / PRIOR_ALPHA) ** 2
    prior += PRIOR_SCALE_WEIGHT / 2 * np.log(SCALES / PRIOR_SCALE) ** 2
    best = int(np.argmax(likelihood - prior))
    return Lasting(float(alpha[best]), float(SCALES[best]), len(done))


def _best_alpha(total: Floats, events: int) -> Floats:
    log_alpha = np.log(events / total)
    for _ in range(8):  # it converges in four
        alpha = np.exp(log_alpha)
        slope = events - alpha * total - PRIOR_WEIGHT * (log_alpha - np.log(PRIOR_ALPHA))
        log_alpha = log_alpha + slope / (alpha * total + PRIOR_WEIGHT)
    return np.asarray(np.exp(log_alpha))


def told_lasting(lasting: Lasting, age: int, within: int = 14) -> str:
    """The sentence for a manager: the chance to finish within so many days at this age, beside that of new work."""
    chance, new = lasting.finish_chance(age, within), lasting.finish_chance(0, within)
    beside = f"n = {lasting.finished} finished; {frequency(new)} of new ones"
    return f"{frequency(chance)} of those {age} d old finish within {within} d ({beside})"


def own_history(experiments: Sequence[Experiment]) -> History | None:
    """The history of those that finished; None with fewer than ten of them, or of those without a start."""
    finished = [
        (e.decided_at, e.running_since)
        for e in experiments
        if e.stage.finished and e.decided_at and e.running_since
    ]  # fmt: skip
    finished.sort(reverse=True)
    return ages_of([(decided - began).days for decided, began in finished]).history


def _nearest_rank(ordered: Sequence[int], share: float) -> int:
    """The smallest value that at least that share of them does not exceed: a number of days that really occurred."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def expectation(history: History) -> str:
    """The service-level expectation in words. Its 85 % held for 78 to 82 % of later experiments in trials, so it
    promises 8 of 10."""
    return f"About 8 of 10 experiments get an answer within {history.p85} days (from {history.count} finished)."


def age_in_words(days: int, ages: Ages) -> str:
    """An age beside the team's own, or why there is nothing to hold it against."""
    history = ages.history
    if history is None:
        return f"{days} d; {too_young(ages)}"
    reached = history.percentile_reached(days)
    older = f", older than {reached} % of them" if reached else ""
    return f"{days} d{older}; of the last {history.count} half took {history.p50} d at most, 85 % {history.p85} d"


def nudge_due(days: int, nudged: int, ages: Ages) -> tuple[int, str] | None:
    """The percentile that an age has passed since the last nudge, and the sentence about it."""
    reached = ages.history.percentile_reached(days) if ages.history else 0
    if ages.history is None or reached <= nudged:
        return None
    return reached, f"{days} d: older than {reached} % of the last {ages.history.count} finished"


def too_young(ages: Ages) -> str:
    """Why the appetite serves instead of the team's own ages."""
    return f"the appetite serves, the team's own ages need more history ({ages.finished} of {HISTORY_NEEDED} finished)"
