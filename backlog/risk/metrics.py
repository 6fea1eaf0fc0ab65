"""Risks of what is measured: silence, production that differs or gets worse, gains within the noise."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from backlog.cadence import read_span
from backlog.drift import Level, change_points, level_of, stale_after
from backlog.experiment import Experiment
from backlog.history import judged_metric
from backlog.metric import PROD, Metric
from backlog.noise import Verdict, confirmation_of, noise_of, repeats_of
from backlog.parity import goal_parity
from backlog.risk.situation import Point, Situation, name_risk
from backlog.snapshot import Risk
from backlog.watch import propose

SILENT_START = timedelta(days=3)  # a started experiment without any reading, the small appetite


def stale_metric(s: Situation) -> Iterator[Risk]:
    """A metric fell silent while somebody works on its goal."""
    for metric in s.metrics:
        worked_on = [e for e in s.active if e.goal == metric.goal and e.stage.in_progress]
        silence = _silence(s, metric, worked_on)
        if silence is None:
            continue
        yield name_risk(
            s,
            "stale_metric",
            metric.goal,
            worked_on[0].owner,
            0.5,
            cause=f"{metric.name} ({metric.environment}) has been silent for {_days(silence)}",
            effect="we do not know where the goal stands",
            evidence=f"source {metric.source}, key {metric.key}",
            action=f"/exp metric test {metric.name} --goal {metric.goal} --env {metric.environment}",
        )


def _days(span: timedelta) -> str:
    return f"{span.days} day{'' if span.days == 1 else 's'}"


def _silence(s: Situation, metric: Metric, worked_on: Sequence[Experiment]) -> timedelta | None:
    if not worked_on:
        return None
    times = [run.at for run in s.runs.get(metric.id, ())]
    times += [at for at, _ in s.watched.get(metric.id, ())]
    if not times:
        started = min(e.running_since or s.now for e in worked_on)
        silence, allowed = s.now - started, SILENT_START
    else:
        cadence = read_span(metric.every) if metric.every else None
        silence, allowed = s.now - max(times), stale_after(times, cadence) or timedelta.max
    return silence if silence > allowed and silence.days >= 1 else None


def production_regression(s: Situation) -> Iterator[Risk]:
    """A metric left its range in production towards worse; only *confirmed* is sure enough to interrupt anybody."""
    for metric in s.metrics:
        points = s.watched.get(metric.id, ())
        level = level_of([value for _, value in points], metric.better) if metric.environment == PROD else None
        if level in (None, Level.NONE):
            continue
        goal = next((goal for goal in s.goals if goal.key == metric.goal), None)
        yield name_risk(
            s,
            "production_regression",
            metric.goal,
            goal.created_by if goal else "",
            0.8 if level is Level.CONFIRMED else 0.4,
            cause=f"{metric.name} got worse in production ({level})",
            effect="customers get less than was decided on",
            evidence=f"{points[-1][1]:.4g}, outside the {len(points) - 1} readings before{_changed(points)}",
            action=propose(metric.name, metric.goal),
        )


def _changed(points: Sequence[Point]) -> str:
    """When the metric's mean last changed, in words; empty where no change stands out."""
    places = change_points([value for _, value in points])
    return f"; its mean changed around {points[places[-1]][0]:%d %b %H:%M} UTC" if places else ""


def parity_gap(s: Situation) -> Iterator[Risk]:
    """Production does worse than development by more than the tolerance."""
    for goal in s.goals:
        parity = goal_parity(s.metrics_of(goal), s.runs)
        if parity is None or parity.holds is not False or parity.gap is None:
            continue
        yield name_risk(
            s,
            "parity_gap",
            goal.key,
            goal.created_by,
            0.6,
            cause=f"production is {parity.gap:.3g} worse than development, the tolerance is {parity.tolerance:g}",
            effect="what helps in development may not help customers",
            evidence=f"best of {goal.metric} in each",
            action=f"/exp goal show {goal.key}, then look for what differs in the data",
        )


def unconfirmed_best(s: Situation) -> Iterator[Risk]:
    """The newest best of a goal is no better than what the noise alone makes of it."""
    for goal in s.goals:
        metric = judged_metric(goal.metric, goal, s.metrics)
        if metric is None or not s.in_progress(goal.key):
            continue
        runs = s.runs.get(metric.id, ())
        noise = noise_of(repeats_of(s.experiments, runs))
        found = confirmation_of(runs, noise, metric.better)
        if noise is None or found is None or found[0] is Verdict.BETTER:
            continue
        best = metric.better.best(run.value for run in runs)
        run = min((run for run in runs if run.value == best), key=lambda run: (run.at, run.run))
        yield name_risk(
            s,
            "unconfirmed_best",
            run.experiment or goal.key,
            next((e.owner for e in s.experiments if e.key == run.experiment), goal.created_by),
            0.3,
            cause=f"the best {goal.metric} so far, {best:.4g}, is unconfirmed",
            effect="a decision on it may be one on noise",
            evidence=found[1],
            action="run the same setting again",
        )


def source_down(s: Situation) -> Iterator[Risk]:
    """The last read of a source failed, and a goal that is worked on depends on it."""
    for line in s.sources:
        if not line.error:
            continue
        goals = {m.goal for m in s.metrics if m.source == line.name}
        for goal in s.goals:
            if goal.key in goals and s.in_progress(goal.key):
                since = f"last read {line.read_at:%d %b %H:%M}" if line.read_at else "never read"
                yield name_risk(
                    s,
                    "source_down",
                    goal.key,
                    goal.created_by,
                    0.45,
                    cause=f"its source {line.name} cannot be read",
                    effect="its numbers are old",
                    evidence=f"{since}: {line.error[:200]}",
                    action=f"scrumbut poll, or see {line.name} in scrumbut doctor",
                )
