"""Verbs on metrics: define one, read it once."""

import math
from typing import Any

import click

from backlog.metric import DEV, Aggregation, Better, Metric
from bot.flows.manage_metrics import Trial, check_metric, define_metric, read_once, try_metric
from bot.verbs.answer import Answer, Table, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Deferred, Request, exp

AGGREGATIONS = click.Choice([aggregation.value for aggregation in Aggregation], case_sensitive=False)
DIRECTIONS = click.Choice([better.value for better in Better], case_sensitive=False)


@exp.group("metric", offers=(("New metric", "metric add"), ("Read one once", "metric test"), ("Watches", "watch")))
def metric() -> None:
    """Metrics: the numbers that compare experiments"""


@metric.command("add")
@click.argument("name")
@click.option("--goal", required=True, help="The goal it stands for.")
@click.option("--source", required=True, help="Where it is read: a name from [[sources]].")
@click.option("--key", required=True, help="Its name at the source.")
@click.option("--env", "environment", default=DEV, help="dev or prod; more may be named.")
@click.option("--agg", "aggregation", type=AGGREGATIONS, default=Aggregation.BEST.value, help="Of a run.")
@click.option("--better", type=DIRECTIONS, default=Better.UP.value, help="The direction of improvement.")
@click.option("--unit", default="", help="Such as share or ms.")
@click.option("--eval-set", default="", help="The evaluation set's name and version.")
@click.option("--tolerance", type=float, help="The gap between dev and prod that still counts as parity.")
@click.option("--scope", default="", help="What the source reads: an MLflow experiment's name, a W&B team/project.")
@click.option("--quantile", type=click.FloatRange(0, 1), help="With --agg quantile: 0.95 is the value 95 % stay below.")
@click.option("--window", default="", help="Only the readings this long before a run's last one count: 1d.")
@click.option("--every", default="", help="How often it is read, where less often than its source: 1d.")
@click.option("--dry-run", is_flag=True, help="Read it once and show the raw values; nothing is stored.")
@pass_request
def add(request: Request, /, dry_run: bool, **fields: Any) -> Answer:
    """Track a metric: /exp metric add recall --goal churn --source mlflow --key val_recall"""
    wanted = Metric(**{**fields, "better": Better(fields["better"]), "aggregation": Aggregation(fields["aggregation"])})
    if dry_run:
        checked = check_metric(request.services, wanted)
        if request.may_defer:
            raise Deferred
        return _tried(read_once(request.services, checked))
    done = define_metric(request.services, request.caller, wanted)
    ask = f"/exp metric test {done.name} --goal {done.goal} --env {done.environment}"
    text = f"{done.name} of {done.goal} in {done.environment} is read from {done.source}."
    return Answer(text, more=(f"Next: {ask}",), data={"goal": done.goal, "name": done.name})


@metric.command("test", slow=True, reads=True)
@click.argument("name")
@click.option("--goal", default="", help="The goal it belongs to.")
@click.option("--env", "environment", default="", help="dev or prod.")
@pass_request
def test(request: Request, /, name: str, goal: str, environment: str) -> Answer:
    """Read a metric once and show the raw values; nothing is stored."""
    return _tried(try_metric(request.services, name, goal.lower(), environment))


def _tried(trial: Trial) -> Answer:
    found, rows = trial.metric, rows_of(trial)
    where = f"{found.source}, key {found.key}, {found.environment}"
    return Answer(
        f"{found.name} ({where}): {trial.count} readings" if rows else f"{found.name} ({where}) has no reading yet.",
        table=readings_table(rows) if rows else None,
        data={"count": trial.count, "latest": rows},
    )


def rows_of(trial: Trial) -> list[tuple[Any, ...]]:
    """The raw values that a trial shows, newest first."""
    return [
        (
            f"{r.at:%Y-%m-%d %H:%M:%S}",
            "not finite" if math.isnan(r.value) else repr(r.value),
            r.run,
            r.step,
            r.experiment,
        )
        for r in trial.latest
    ]


def readings_table(rows: list[tuple[Any, ...]]) -> Table:
    """Those under their headings."""
    return table_of(("time (UTC)", "value", "run", "step", "experiment"), rows)
