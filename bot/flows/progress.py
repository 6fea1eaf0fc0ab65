"""How an experiment's own runs stand, in words."""

from sqlalchemy import Connection

from backlog.experiment import Experiment
from backlog.progress import standing
from store.metrics import load_metrics, run_values


def progress_lines(connection: Connection, experiment: Experiment) -> list[str]:
    """One line per environment of the experiment's metric: its best run and how many there are."""
    lines = []
    for metric in load_metrics(connection, goal=experiment.goal, name=experiment.metric) if experiment.metric else ():
        stands = standing(run_values(connection, metric, experiment.number), metric.better)
        if stands:
            runs = f"{stands.runs} run{'' if stands.runs == 1 else 's'}"
            lines.append(f"best {stands.best:.4g} in {metric.environment}, {runs}")
    return lines
