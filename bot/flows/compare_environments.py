"""Dev against prod against the baseline for one experiment: gap, tolerance, noise, or why they cannot be compared."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.evaluation import comparable_runs, why_not_comparable
from backlog.experiment import Experiment, Kind
from backlog.goal import Goal
from backlog.metric import DEV, PROD, Better, Metric, RunValue
from backlog.noise import Noise, compare_runs, noise_of, repeats_of
from backlog.parity import compare as compare_parity
from backlog.progress import Standing, standing
from bot.flows.services import Services
from store.experiments import find_experiment, load_experiments
from store.goals import find_goal
from store.metrics import all_run_values, load_metrics

BASELINE = "baseline"
SIDES = (DEV, PROD, BASELINE)


@dataclass(frozen=True, slots=True)
class Side:
    """One side: the best value and the runs behind it, of which `left_out` were measured on another evaluation set.
    `value` is None where there is none. A baseline that a person stated has no runs."""

    name: str
    value: float | None
    values: tuple[float, ...] = ()
    left_out: int = 0
    eval_set: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Two sides held against each other. `gap` is in the metric's unit, positive where the first is better."""

    left: str
    right: str
    gap: float | None
    tolerance: float | None
    said: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What `compare` tells; `noise` is the scatter of repeated runs, None where too few were repeated;
    `unclaimed` says, of an environment where the experiment has no run, how to give it one that belongs to nobody."""

    experiment: Experiment
    metric: Metric
    sides: tuple[Side, ...]
    gaps: tuple[Gap, ...]
    noise: Noise | None
    unclaimed: tuple[str, ...] = ()


def compare_experiment(services: Services, key: str, wanted: Collection[str]) -> Compared:
    """Hold the wanted sides ("dev", "prod", "baseline") against each other. Raises BacklogError where the experiment's
    metric is not tracked."""
    with services.database.read() as connection:
        experiment = find_experiment(connection, key)
        if not experiment.goal:
            raise BacklogError(f"{experiment.key} serves no goal yet.", f"/exp frame {experiment.key} --goal churn")
        goal = find_goal(connection, experiment.goal)
        metrics = {m.environment: m for m in _tracked(connection, experiment, goal)}
        runs = {name: _runs(connection, metric) for name, metric in metrics.items()}
        experiments = load_experiments(connection)
    own = {name: [run for run in found if run.experiment == experiment.key] for name, found in runs.items()}
    known = {name: _standing(metrics[name], own[name]) for name in metrics}
    metric = metrics.get(DEV) or next(iter(metrics.values()))
    noise = noise_of(repeats_of(experiments, comparable_runs(metric, runs[metric.environment])[0]))
    sides = {name: _side(metrics[name], own[name]) for name in (DEV, PROD) if name in metrics}
    baselines = {e.key for e in experiments if e.kind is Kind.BASELINE and e.goal == goal.key} - {experiment.key}
    sides[BASELINE] = _baseline(goal, metric, [run for run in runs.get(DEV, ()) if run.experiment in baselines])
    chosen = [name for name in SIDES if name in wanted]
    gaps = []
    if {DEV, PROD} <= set(chosen):
        gaps.append(_parity(experiment, known.get(DEV), known.get(PROD)))
    if BASELINE in chosen:
        gaps += [
            _gain(experiment, metric, sides.get(name, Side(name, None)), sides[BASELINE], noise)
            for name in (DEV, PROD)
            if name in chosen
        ]
    shown = tuple(sides.get(name, Side(name, None)) for name in chosen)
    bare = [name for name in chosen if name in metrics and not own[name]]
    hints = tuple(hint for name in bare if (hint := _unclaimed(experiment, metrics[name], runs[name])))
    return Compared(experiment, metric, shown, tuple(gaps), noise, hints)


def _unclaimed(experiment: Experiment, metric: Metric, runs: list[RunValue]) -> str:
    free = [run for run in runs if not run.experiment and run.run]
    if not free:
        return ""
    latest = max(free, key=lambda run: (run.at, run.run)).run
    claim = f"/exp link {experiment.key} {metric.source}:{latest}"
    return f"In {metric.environment} no run names {experiment.key}. Is it the latest that names none? {claim}"


def _tracked(connection: Connection, experiment: Experiment, goal: Goal) -> list[Metric]:
    name = experiment.metric or goal.metric
    found = load_metrics(connection, goal=goal.key, name=name) if name else []
    if not found:
        what = f'"{name}" of {goal.key} is not tracked.' if name else f"{experiment.key} names no metric."
        raise BacklogError(what, f"/exp metric add {name or 'recall'} --goal {goal.key} --source SOURCE --key KEY")
    return found


def _runs(connection: Connection, metric: Metric) -> list[RunValue]:
    return all_run_values(connection, metric)


def _standing(metric: Metric, runs: list[RunValue]) -> tuple[Metric, Standing] | None:
    stands = standing(comparable_runs(metric, runs)[0], metric.better)
    return (metric, stands) if stands else None


def _side(metric: Metric, runs: list[RunValue]) -> Side:
    kept, left_out = comparable_runs(metric, runs)
    values = tuple(run.value for run in kept if not run.failed)
    named = metric.eval_set or next((run.eval_set for run in kept if run.eval_set), "")
    return Side(metric.environment, metric.better.best(values), values, len(left_out), named)


def _baseline(goal: Goal, metric: Metric, runs: list[RunValue]) -> Side:
    """The baseline experiments' own runs; where there are none, the number that the goal states."""
    measured = _side(metric, runs)
    if measured.value is not None:
        return Side(BASELINE, measured.value, measured.values, measured.left_out, measured.eval_set)
    return Side(BASELINE, goal.baseline, left_out=measured.left_out)


def _parity(experiment: Experiment, dev: tuple[Metric, Standing] | None, prod: tuple[Metric, Standing] | None) -> Gap:
    found = compare_parity(dev, prod, experiment.min_effect)
    said = found.why or ("within tolerance: parity holds" if found.holds else "beyond tolerance: parity does not hold")
    return Gap(DEV, PROD, found.gap, found.tolerance, said)


def _gain(experiment: Experiment, metric: Metric, side: Side, baseline: Side, noise: Noise | None) -> Gap:
    tolerance = experiment.min_effect
    if side.value is None or baseline.value is None:
        lacking = side if side.value is None else baseline
        return Gap(side.name, BASELINE, None, tolerance, f"no value of {lacking.name} yet")
    apart = why_not_comparable(side.eval_set or experiment.eval_set, baseline.eval_set)
    if apart:
        return Gap(side.name, BASELINE, None, tolerance, apart)
    sign = 1 if metric.better is Better.UP else -1
    gap = sign * (side.value - baseline.value)
    _, sentence = compare_runs(baseline.values or (baseline.value,), side.values, noise, metric.better)
    if tolerance is not None:
        reaches = "reaches" if gap >= tolerance else "stays below"
        sentence = f"the best {reaches} the smallest effect worth acting on; {sentence}"
    return Gap(side.name, BASELINE, gap, tolerance, sentence)
