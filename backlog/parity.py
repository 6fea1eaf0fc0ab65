"""Parity: the same metric, same definition, in dev and prod, within a tolerance; and what past gaps say of prod."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backlog.evaluation import why_not_comparable
from backlog.metric import DEV, PROD, Better, Metric, RunValue
from backlog.progress import Standing, standing
from backlog.student import t_value

PAIRS_NEEDED = 3  # past deployments with a value in dev and in prod
WITHIN = 0.80  # share of production values that the interval covers: 8 of 10


@dataclass(frozen=True, slots=True)
class Parity:
    """`gap` is dev minus prod in the metric's unit, positive where prod is worse; `holds` is None where the two
    cannot be compared, and `why` then says so."""

    gap: float | None
    tolerance: float | None
    holds: bool | None
    why: str = ""


def compare(
    dev: tuple[Metric, Standing] | None, prod: tuple[Metric, Standing] | None, min_effect: float | None
) -> Parity:
    """Whether prod does as well as dev.

    The tolerance is the metric's own, else the smallest effect worth acting on: a gap below it would not have
    been acted on either. Better in prod than in dev holds. Unnamed evaluation sets count as comparable, two
    different names never.
    """
    if dev is None or prod is None:
        return Parity(None, None, None, f"no reading in {'dev' if dev is None else 'prod'} yet")
    (dev_metric, dev_standing), (prod_metric, prod_standing) = dev, prod
    tolerance = prod_metric.tolerance or dev_metric.tolerance or min_effect
    apart = why_not_comparable(
        dev_metric.eval_set or dev_standing.eval_set, prod_metric.eval_set or prod_standing.eval_set
    )
    if apart:
        return Parity(None, tolerance, None, apart)
    sign = 1 if dev_metric.better is Better.UP else -1
    gap = sign * (dev_standing.best - prod_standing.best)
    if tolerance is None:
        return Parity(gap, None, None, "no tolerance set")
    return Parity(gap, tolerance, gap <= tolerance)


def goal_parity(metrics: Sequence[Metric], runs: Mapping[int, Sequence[RunValue]]) -> Parity | None:
    """Dev against prod over all runs of one metric; None unless it is defined in both environments."""
    by_environment = {m.environment: m for m in metrics}
    dev, prod = by_environment.get(DEV), by_environment.get(PROD)
    if dev is None or prod is None:
        return None
    dev_standing = standing(runs.get(dev.id, ()), dev.better)
    prod_standing = standing(runs.get(prod.id, ()), prod.better)
    return compare(
        (dev, dev_standing) if dev_standing else None, (prod, prod_standing) if prod_standing else None, None
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """What production will show of a model: the middle and an interval that holds 8 of 10 times, from `pairs`."""

    low: float
    middle: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"production {self.low:.4g} to {self.high:.4g}, 8 of 10 times (n = {self.pairs} past deployments)"


def expect_production(dev: float, past: Sequence[tuple[float, float]]) -> Expected | None:
    """What a model with that value in dev will show in prod, by the mean of past (dev, prod) gaps and Student's t;
    None under three pairs."""
    if len(past) < PAIRS_NEEDED:
        return None
    gaps = np.array([before - after for before, after in past], float)
    pairs = len(gaps)
    reach = t_value((1 + WITHIN) / 2, pairs - 1) * float(gaps.std(ddof=1)) * math.sqrt(1 + 1 / pairs)
    middle = dev - float(gaps.mean())
    return Expected(middle - reach, middle, middle + reach, pairs)
