"""How many trials a team will finish, and when a number of them will be done: a Gamma-Poisson rate that may change.

Plain Monte Carlo on past weeks turns a stated 85 % into 72 %, because it believes that the pace stays what it was;
here one factor of exp(0.7 Z) per future stands for a pace that changes. See docs/judgement.md for the trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from backlog.numbers import Floats, Numbers

WEEK = timedelta(days=7)
CHANGE = 0.7  # standard deviation of the logarithm of a pace's change
SLOWING = CHANGE**2  # for A': a team's pace tends to slow down
WEEKS_USED, WEEKS_NEEDED, FINISHED_NEEDED = 12, 4, 3
WEEKS_USED_FOR_DATE, WEEKS_NEEDED_FOR_DATE, FINISHED_NEEDED_FOR_DATE = 8, 6, 5
LONGEST = 156  # weeks that a future is followed; what is not done then counts as done then
FUTURES = 800
SEED = 0  # the same history always gives the same forecast
QUOTED = (0.50, 0.85, 0.95)


@dataclass(frozen=True, slots=True)
class Weeks:
    """In how many weeks a number of items is done, with half, 85 % and 95 % of the futures; the 85 % held for about
    85 to 90 of 100 in trials."""

    p50: int
    p85: int
    p95: int

    def __str__(self) -> str:
        return f"in {self.p50} to {self.p95} weeks; about 8 of 10 such forecasts held at {self.p85} weeks"


def weekly_counts(times: Sequence[datetime], now: datetime, most: int = WEEKS_USED) -> list[int]:
    """How many of the instants lie in each of the last weeks before `now`, oldest first; no week before the first."""
    past = [now - at for at in times if at <= now]
    weeks = min(most, max(past, default=-WEEK) // WEEK + 1)
    ages = [age // WEEK for age in past]
    return [ages.count(week) for week in reversed(range(weeks))]


def trials_in(counts: Numbers, weeks: float) -> Floats | None:
    """Draws of how many trials finish within the next weeks; `counts` are past weeks, oldest first. None under four
    weeks or three finished."""
    known = np.asarray(counts, float)[-WEEKS_USED:]
    if len(known) < WEEKS_NEEDED or known.sum() < FINISHED_NEEDED:
        return None
    rng = np.random.default_rng(SEED)
    dispersion = _dispersion(known)
    rate = rng.gamma((known.sum() + 0.25) / dispersion, dispersion / len(known), FUTURES)
    rate *= np.exp(CHANGE * rng.standard_normal(FUTURES) - SLOWING)
    return _counts(rng, rate * weeks, dispersion)


def weeks_until(counts: Numbers, items: int) -> Weeks | None:
    """When that many items will be done. None under six weeks or five finished."""
    found = finish_weeks(counts, items, QUOTED)
    return None if found is None else Weeks(*(int(week) for week in found))


def finish_weeks(counts: Numbers, items: int, shares: Sequence[float]) -> Floats | None:
    """The week in which that many items are done, at each share of the futures; past weeks come oldest first."""
    known = np.asarray(counts, float)
    recent = known[-WEEKS_USED_FOR_DATE:]
    if len(known) < WEEKS_NEEDED_FOR_DATE or known.sum() < FINISHED_NEEDED_FOR_DATE:
        return None
    rng = np.random.default_rng(SEED)
    dispersion = _dispersion(recent)
    rate = rng.gamma((recent.sum() + 0.5) / dispersion, dispersion / len(recent), (FUTURES, 1))
    rate *= np.exp(CHANGE * rng.standard_normal((FUTURES, 1)))
    done = _counts(rng, np.broadcast_to(rate, (FUTURES, LONGEST)), dispersion).cumsum(axis=1) >= items
    week = np.where(done.any(axis=1), done.argmax(axis=1) + 1, LONGEST)
    return np.quantile(week, shares, method="higher")


def _dispersion(counts: Floats) -> float:
    """Variance by mean of the weekly counts, from 1 (Poisson) to their sum (all in one week)."""
    ratio = counts.var(ddof=1) / max(counts.mean(), 1e-9)
    return float(min(max(1.0, ratio), max(1.0, counts.sum())))


def _counts(rng: np.random.Generator, expected: Floats, dispersion: float) -> Floats:
    if dispersion <= 1.01:
        return rng.poisson(expected).astype(float)
    shape = np.maximum(expected / (dispersion - 1), 1e-6)  # negative binomial, as Poisson over Gamma
    return rng.poisson(rng.gamma(shape, dispersion - 1)).astype(float)
