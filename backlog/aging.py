"""Ages against the team's own history: percentiles of how long finished experiments took.

Under ten finished experiments it says nothing; the appetite serves instead.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backlog.experiment import Experiment

HISTORY_NEEDED = 10  # finished experiments before percentiles speak


@dataclass(frozen=True, slots=True)
class History:
    """How many calendar days, from *running* to the decision, half, 85 % and 95 % of `count` experiments took at
    most."""

    count: int
    p50: int
    p85: int
    p95: int


def own_history(experiments: Sequence[Experiment]) -> History | None:
    """The history of those that finished; None with fewer than ten of them, or of those without a start."""
    took = sorted(
        (e.decided_at - e.running_since).days
        for e in experiments
        if e.stage.finished and e.decided_at and e.running_since
    )
    if len(took) < HISTORY_NEEDED:
        return None
    return History(len(took), *(_nearest_rank(took, share) for share in (0.50, 0.85, 0.95)))


def _nearest_rank(ordered: Sequence[int], share: float) -> int:
    """The smallest value that at least that share of them does not exceed: a number of days that really occurred."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def expectation(history: History) -> str:
    """The service-level expectation in words. Its 85 % held for 78 to 82 % of later experiments in trials, so it
    promises 8 of 10."""
    return f"About 8 of 10 experiments get an answer within {history.p85} days (from {history.count} finished)."
