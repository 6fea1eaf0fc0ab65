"""One metric in one environment, as of the period."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from backlog.drift import change_points
from backlog.metric import PROD, Better, Metric, RunValue
from backlog.progress import best_by_week, standing
from backlog.risk import Situation
from backlog.snapshot import Period, RunDot, Track
from backlog.week.known import View
from backlog.week.period import WEEK

WEEKS_SHOWN = 10


def goal_track(metric: Metric, view: View) -> Track:
    """How far all runs of a goal's metric have come, which of them are left out, and when its mean changed."""
    s, first_shown = view.situation, view.period.end - WEEKS_SHOWN * WEEK
    runs = s.runs.get(metric.id, ())
    others = _between(s.left_out.get(metric.id, ()), first_shown, s.now)
    compared_on = metric.eval_set or next((run.eval_set for run in runs if run.eval_set), "")
    return replace(
        track(metric, runs, view, dots=False),
        left_out=len(others),
        other_sets=tuple(sorted({run.eval_set for run in others})),
        compared_on=compared_on,
        changes=tuple(at for at in _changes_of(metric, s) if first_shown <= at < s.now),
    )


def _changes_of(metric: Metric, s: Situation) -> list[datetime]:
    """When its mean changed: of single readings where they are watched, else over its runs."""
    finished = sorted((run.at, run.value) for run in s.runs.get(metric.id, ()) if not run.failed)
    points = s.watched.get(metric.id) or finished
    return [points[place][0] for place in change_points([value for _, value in points])]


def track(metric: Metric, runs: Sequence[RunValue], view: View, *, dots: bool) -> Track:
    """How far those runs of the metric have come; single runs only with `dots`."""
    known, period = view.known, view.period
    done = [run for run in runs if run.at < known.situation.now]
    now_standing = standing(done, metric.better)
    week = _between(done, period.start, period.end)
    week_before = _between(done, period.start - WEEK, period.start)
    first_shown = period.end - WEEKS_SHOWN * WEEK
    return Track(
        environment=metric.environment,
        source=metric.source,
        best=now_standing.best if now_standing else None,
        best_at=now_standing.best_at if now_standing else None,
        best_before=metric.better.best(run.value for run in done if run.at < period.start),
        runs=len(done),
        failed=sum(run.failed for run in done),
        runs_week=len(week),
        failed_week=sum(run.failed for run in week),
        runs_week_before=len(week_before),
        failed_week_before=sum(run.failed for run in week_before),
        by_week=best_by_week(done, metric.better, period.end, WEEKS_SHOWN),
        dots=tuple(_dot(run, period) for run in done if dots and run.at >= first_shown),
        read_at=known.read_at.get(metric.id),
        eval_set=metric.eval_set,
    )


def _between(runs: Iterable[RunValue], start: datetime, end: datetime) -> list[RunValue]:
    return [run for run in runs if start <= run.at < end]


def _dot(run: RunValue, period: Period) -> RunDot:
    value = None if run.failed else run.value
    return RunDot(run.at, value, run.failed, period.start <= run.at < period.end)


def met(tracks: Sequence[Track], target: float | None, better: Better | None) -> bool:
    """Whether the target is reached: in production where that is measured, else where it is."""
    counted = [track for track in tracks if track.environment == PROD] or tracks
    best = (better or Better.UP).best(track.best for track in counted if track.best is not None)
    if best is None or target is None or better is None:
        return False
    return best == target or better.beats(best, target)
