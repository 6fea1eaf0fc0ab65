"""How far a metric has come: best so far, over runs and over weeks.

Values are per run, aggregated as the metric says; a failed run (NaN) counts as a run and never as a best.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from operator import attrgetter

from backlog.metric import Better, RunValue


@dataclass(frozen=True, slots=True)
class Standing:
    """The best so far of one metric in one environment. `runs` counts all runs, `failed` those without a value;
    `since_best` counts the finished runs after the one that gave the best; `eval_set` is what the best says it was
    measured on."""

    best: float
    best_run: str
    best_at: datetime
    runs: int
    failed: int
    since_best: int
    last_at: datetime
    eval_set: str = ""


def standing(runs: Iterable[RunValue], better: Better) -> Standing | None:
    """The standing after those runs, in any order; None when no run has a finite value."""
    ordered = sorted(runs, key=attrgetter("at", "run"))
    finished = [run for run in ordered if not run.failed]
    value = better.best(run.value for run in finished)
    if value is None:
        return None
    place = next(place for place, run in enumerate(finished) if run.value == value)
    best = finished[place]
    return Standing(
        best=value,
        best_run=best.run,
        best_at=best.at,
        runs=len(ordered),
        failed=len(ordered) - len(finished),
        since_best=len(finished) - 1 - place,
        last_at=ordered[-1].at,
        eval_set=best.eval_set,
    )


def best_by_week(runs: Sequence[RunValue], better: Better, end: datetime, weeks: int) -> tuple[float | None, ...]:
    """The best so far at the end of each of the last `weeks` weeks before `end`, oldest first.

    None for the weeks before the first finite value; runs at or after `end` are left out.
    """
    ordered = sorted((run.at, run.value) for run in runs if not run.failed and run.at < end)
    so_far = list(accumulate([value for _, value in ordered], max if better is Better.UP else min))
    times = [at for at, _ in ordered]
    known = [bisect_left(times, end - timedelta(weeks=back)) for back in reversed(range(weeks))]
    return tuple(so_far[count - 1] if count else None for count in known)


def hit_interval(good: int, finished: int) -> tuple[float, float] | None:
    """Where the true share of good outcomes lies at 95 % (Wilson 1927); None while nothing has finished."""
    if not finished:
        return None
    z, share = 1.96, good / finished
    spread = z * math.sqrt(share * (1 - share) / finished + z * z / (4 * finished * finished))
    middle, scale = share + z * z / (2 * finished), 1 + z * z / finished
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
