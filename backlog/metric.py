"""Metrics and their readings: what is tracked, from where, and what one run is worth.

A metric belongs to a goal and one environment; the same name in dev and prod is two rows that parity compares.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

DEV, PROD = "dev", "prod"


class Better(StrEnum):
    """The direction in which a metric improves."""

    UP = "up"
    DOWN = "down"

    def beats(self, left: float, right: float) -> bool:
        """Whether `left` is strictly better than `right`; a value that is not finite beats nothing."""
        if not math.isfinite(left):
            return False
        if not math.isfinite(right):
            return True
        return left > right if self is Better.UP else left < right

    def best(self, values: Iterable[float]) -> float | None:
        """The best finite value; None where there is none."""
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return None
        return max(finite) if self is Better.UP else min(finite)


class Aggregation(StrEnum):
    """How the finite readings of one run, or those in the metric's window before its last one, become its value."""

    BEST = "best"
    LAST = "last"
    MEAN = "mean"
    QUANTILE = "quantile"


@dataclass(frozen=True, slots=True)
class Metric:
    """One tracked number of a goal in one environment.

    `key` is its name at the source; `scope` narrows what the source reads (an MLflow experiment's name);
    `unit` is free text ("share", "ms"); `tolerance` is in the metric's own unit; `every` ("1d") is how often it is read
    where that is less often than its source. Of a run, the readings in the `window` ("1d") before its last one count,
    all of them without one; `quantile` (0 to 1) goes with the aggregation of that name.
    """

    goal: str
    name: str
    environment: str
    source: str
    key: str
    better: Better
    aggregation: Aggregation = Aggregation.BEST
    unit: str = ""
    eval_set: str = ""
    tolerance: float | None = None
    scope: str = ""
    every: str = ""
    quantile: float | None = None
    window: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a metric at one time. `value` may be NaN: the run diverged. `experiment` may be any key
    a tracker's tag holds (`EXP-12` or `ML-345`), empty where the run names none; `eval_set` is what the run was
    evaluated on, empty where it does not say: then it is the metric's."""

    at: datetime
    value: float
    run: str = ""
    step: int = 0
    experiment: str = ""
    eval_set: str = ""


@dataclass(frozen=True, slots=True)
class RunValue:
    """What one run is worth under its metric's aggregation; `value` is NaN where no reading was finite. `eval_set` is
    what it was measured on, as far as the run says."""

    run: str
    at: datetime
    value: float
    experiment: str = ""
    eval_set: str = ""

    @property
    def failed(self) -> bool:
        """Whether the run never gave a finite value."""
        return not math.isfinite(self.value)
