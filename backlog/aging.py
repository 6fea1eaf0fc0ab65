"""Ages against the team's own history: percentiles of how long its last finished experiments took.

Under ten finished experiments it says nothing; the appetite serves instead, and the words say so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backlog.experiment import Experiment

HISTORY_NEEDED = 10  # finished experiments before percentiles speak
HISTORY_KEPT = 100  # the last ones that count: how the team works now, not how it began
NUDGES = (95, 85, 50)  # percentiles of the own history, the highest first


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
