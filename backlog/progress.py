"""How far a metric has come: best so far, over runs and over weeks.

Values are per run, aggregated as the metric says; a failed run (NaN) counts as a run and never as a best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from backlog.metric import Better, RunValue


@dataclass(frozen=True, slots=True)
class Standing:
    """The best so far of one metric in one environment. `runs` counts all runs, `failed` those without a value;
    `since_best` counts the finished runs after the one that gave the best."""

    best: float
    best_run: str
    best_at: datetime
    runs: int
    failed: int
    since_best: int
    last_at: datetime


def standing(runs: Iterable[RunValue], better: Better) -> Standing | None:
    """The standing after those runs, in any order; None when no run has a finite value."""
    ordered = sorted(runs, key=lambda run: (run.at, run.run))
    finished = [run for run in ordered if not run.failed]
    if not finished:
        return None
    best = finished[0]
    since_best = 0
    for run in finished[1:]:
        if better.beats(run.value, best.value):
            best, since_best = run, 0
        else:
            since_best += 1
    return Standing(
        best=best.value,
        best_run=best.run,
        best_at=best.at,
        runs=len(ordered),
        failed=len(ordered) - len(finished),
        since_best=since_best,
        last_at=ordered[-1].at,
    )


def best_by_week(runs: Sequence[RunValue], better: Better, end: datetime, weeks: int) -> tuple[float | None, ...]:
    """The best so far at the end of each of the last `weeks` weeks before `end`, oldest first.

    None for the weeks before the first finite value; runs at or after `end` are left out.
    """
    edges = pd.date_range(end=end, periods=weeks, freq="7D")
    values = pd.Series(
        [run.value for run in runs], index=pd.DatetimeIndex([run.at for run in runs], tz="UTC"), dtype=float
    )
    values = values[values.index < pd.Timestamp(end)].dropna().sort_index()
    so_far = values.cummax() if better is Better.UP else values.cummin()
    at_edges = [so_far[so_far.index < edge] for edge in edges]
    return tuple(float(known.iloc[-1]) if len(known) else None for known in at_edges)
