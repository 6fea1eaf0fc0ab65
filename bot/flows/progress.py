"""How an experiment's own runs stand, in words."""

from sqlalchemy import Connection

from backlog.experiment import Experiment, Kind, Wanted
from backlog.metric import Metric
from backlog.noise import Verdict, confirmation_of, noise_of, repeats_of
from backlog.progress import standing
from store.experiments import load_experiments
from store.metrics import load_metrics, run_values


def progress_lines(connection: Connection, experiment: Experiment) -> list[str]:
    """One line per environment of the experiment's metric: its best run and how many there are."""
    lines = []
    for metric in load_metrics(connection, goal=experiment.goal, name=experiment.metric) if experiment.metric else ():
        stands = standing(run_values(connection, metric, experiment.number), metric.better)
        if stands:
            runs = f"{stands.runs} run{'' if stands.runs == 1 else 's'}"
            sure = _sureness(connection, metric, experiment)
            lines.append(f"best {stands.best:.4g}{sure} in {metric.environment}, {runs}")
    return lines


def _sureness(connection: Connection, metric: Metric, experiment: Experiment) -> str:
    """A best counts as new only where it clears the noise of the goal's repeated settings: those of its baselines and
    the experiment's own seeds. Nothing is said before any was repeated."""
    baselines = load_experiments(connection, Wanted(goal=experiment.goal, kind=Kind.BASELINE))
    own = run_values(connection, metric, experiment.number)
    repeated = [run for e in baselines for run in run_values(connection, metric, e.number)]
    noise = noise_of(repeats_of(baselines, [*own, *repeated]))
    found = confirmation_of(own, noise, metric.better) if noise else None
    return " (unconfirmed)" if found and found[0] is not Verdict.BETTER else ""
