"""What may be expected of a goal or an experiment, in sentences: ranges with their sureness, never one date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backlog.chance import band, frequency
from backlog.experiment import Experiment
from backlog.forecast import (
    Climb,
    base_rate,
    best_after,
    climb_of,
    target_chance,
    target_chance_over,
    told_target,
    too_short,
)
from backlog.goal import Goal
from backlog.history import by_experiment, concluded_values, judged_metric
from backlog.metric import PROD, Better, Metric
from backlog.pace import trials_in, weekly_counts, weeks_until
from backlog.parity import expect_production
from backlog.reliability import Forecast, Reliability
from backlog.risk.situation import Situation

AHEAD = (5, 10)  # trials
WEEKS = 13
RANGE = (0.1, 0.9)  # of the best after so many trials: 8 of 10
SHARES = {"share": 1.0, "fraction": 1.0, "probability": 1.0, "%": 100.0, "percent": 100.0}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is told of a subject, and the forecasts in it that will be held against what comes. `why` is set instead
    where there is too little history."""

    subject: str
    lines: tuple[str, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    why: str = ""


def bound_of(metric: Metric) -> float | None:
    """The best that the metric can be, where its unit says so."""
    most = SHARES.get(metric.unit.strip().lower())
    if most is None:
        return None
    return most if metric.better is Better.UP else 0.0


def goal_history(s: Situation, goal: Goal) -> tuple[Metric, list[tuple[datetime, float]]] | None:
    """The goal's metric and its concluded experiments' values; None where no metric stands for it."""
    metric = judged_metric(goal.metric, goal, s.metrics)
    return None if metric is None else (metric, concluded_values(goal, s.experiments, metric, s.runs))


def goal_outlook(s: Situation, goal: Goal, own: Reliability | None = None) -> Outlook:
    """What the goal's concluded experiments say of its target and its open ones."""
    known = goal_history(s, goal)
    if known is None:
        return Outlook(goal.key, why="no metric stands for the goal")
    metric, timed = known
    climb = climb_of([value for _, value in timed], metric.better)
    if climb is None:
        return Outlook(goal.key, why=too_short(len(timed)), lines=_dates(s, goal))
    counted = f"{climb.trials} concluded experiments"
    weekly = _within_weeks(s, metric, climb, goal.target, [at for at, _ in timed])
    lines, forecasts = _told(s, goal.key, metric, climb, goal.target, counted, own)
    return Outlook(goal.key, (*lines, *weekly, *_dates(s, goal)), forecasts)


def experiment_outlook(s: Situation, e: Experiment, own: Reliability | None = None) -> Outlook:
    """What the experiment's finished runs say of its goal's target."""
    goal = next((goal for goal in s.goals if goal.key == e.goal), None)
    metric = judged_metric(e.metric or goal.metric, goal, s.metrics) if goal else None
    if goal is None or metric is None:
        return Outlook(e.key, why="no metric stands for it")
    values = [run.value for run in by_experiment(s.runs.get(metric.id, ())).get(e.key, ())]
    climb = climb_of(values, metric.better)
    if climb is None:
        return Outlook(e.key, why=too_short(len(values)))
    target = goal.target if metric.name == goal.metric else None
    lines, forecasts = _told(s, e.key, metric, climb, target, f"{climb.trials} runs", own)
    expected = expect_production(climb.sign * climb.best, past_pairs(s, metric))
    return Outlook(e.key, (*lines, *((str(expected),) if expected else ())), forecasts)


def past_pairs(s: Situation, metric: Metric) -> list[tuple[float, float]]:
    """(best in dev, best in prod) of each finished experiment that was measured in both."""
    prod = next((m for m in s.metrics if (m.goal, m.name, m.environment) == (metric.goal, metric.name, PROD)), None)
    if prod is None or prod.id == metric.id:
        return []
    here, there = (by_experiment(s.runs.get(m.id, ())) for m in (metric, prod))
    both = [e.key for e in s.experiments if e.stage.finished and e.key in here and e.key in there]
    best = metric.better.best
    pairs = [(best(run.value for run in here[key]), best(run.value for run in there[key])) for key in both]
    return [(dev, after) for dev, after in pairs if dev is not None and after is not None]


def _told(
    s: Situation, subject: str, metric: Metric, climb: Climb, target: float | None, counted: str,
    own: Reliability | None,
) -> tuple[tuple[str, ...], tuple[Forecast, ...]]:  # fmt: skip
    bound, ahead = bound_of(metric), AHEAD[-1]
    low, high = (best_after(climb, ahead, share, bound) for share in RANGE)
    span = f"{low:.4g} to {high:.4g}, 8 of 10 times (from {counted})"
    lines = [f"the best after {ahead} more: {span}; now {climb.sign * climb.best:.4g}"]
    if target is None:
        return (*lines, "no target is set"), ()
    forecasts = tuple(_forecast(s, subject, metric, climb, target, k, bound) for k in AHEAD if climb.gap(target) > 0)
    if own is not None and own.doubted:
        lines += [f"{target:g} within the next {f.ahead}: {_base(f)}" for f in forecasts]
    else:
        lines += [told_target(climb, target, k, counted, bound) for k in AHEAD[: len(forecasts) or 1]]
    return (*lines, *((str(own),) if own else ())), forecasts


def _base(told: Forecast) -> str:
    return f"{band(told.base)}, {frequency(told.base)} (base rate)"


def _forecast(
    s: Situation, subject: str, metric: Metric, climb: Climb, target: float, ahead: int, bound: float | None
) -> Forecast:
    return Forecast(
        subject=subject,
        metric_id=metric.id,
        made_at=s.now,
        trials=climb.trials,
        ahead=ahead,
        target=target,
        better=metric.better,
        chance=target_chance(climb, target, ahead, bound),
        base=base_rate(climb, climb.gap(target), ahead),
    )


def _within_weeks(
    s: Situation, metric: Metric, climb: Climb, target: float | None, times: Sequence[datetime]
) -> list[str]:
    draws = trials_in(weekly_counts(times, s.now), WEEKS)
    if target is None or draws is None or climb.gap(target) <= 0:
        return []
    chance = target_chance_over(climb, target, draws, bound_of(metric))
    low, high = sorted(draws)[len(draws) // 10], sorted(draws)[-len(draws) // 10]
    pace = f"{low:.0f} to {high:.0f} more experiments by then"
    return [f"{target:g} within {WEEKS} weeks: {band(chance)}, {frequency(chance)} ({pace}, 8 of 10 times)"]


def _dates(s: Situation, goal: Goal) -> tuple[str, ...]:
    """When those that are ready or in progress will be decided, at the pace of all decisions so far."""
    items = sum(e.goal == goal.key and (e.stage.in_progress or e.stage == "ready") for e in s.experiments)
    decided = [e.decided_at for e in s.experiments if e.goal == goal.key and e.stage.finished and e.decided_at]
    weeks = weeks_until(weekly_counts(decided, s.now), items) if items else None
    if weeks is None:
        return ()
    return (f"the {items} that are ready or in progress are decided {weeks} (from {len(decided)} decided)",)
