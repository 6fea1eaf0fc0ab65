"""Verbs on watches: a rule of one's own on a metric."""

import click

from backlog.errors import BacklogError
from backlog.watch import EPOCH, NEEDED, Side, Watch
from bot.flows.watch_metrics import find_metric, list_watches, unwatch_metric, watch_metric
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request, exp


@exp.command("watch")
@click.argument("name", required=False, default="")
@click.option("--goal", default="", help="The goal it belongs to, where several have it.")
@click.option("--env", "environment", default="", help="dev or prod, where it is read in both.")
@click.option("--below", type=float, help="Fire below this.")
@click.option("--above", type=float, help="Fire above this.")
@click.option("--for", "needed", type=int, default=NEEDED, show_default=True, help="Readings in a row.")
@click.option("--recover", type=float, help="Where it counts as recovered; else the bound.")
@pass_request
def watch(
    request: Request, /, name: str, goal: str, environment: str, below: float | None, above: float | None,
    needed: int, recover: float | None,
) -> Answer:  # fmt: skip
    """Be told once when a metric breaks a rule: /exp watch recall --env prod --below 0.81 --for 3 --recover 0.83"""
    if not name:
        return _all(request)
    bound = above if below is None else below
    if bound is None or (below is not None and above is not None):
        raise BacklogError("A watch has one bound.", f"/exp watch {name} --env prod --below 0.81")
    metric = find_metric(request.services, name, goal.lower(), environment)
    wanted = Watch(
        metric_id=metric.id,
        goal=metric.goal,
        name=metric.name,
        environment=metric.environment,
        side=Side.ABOVE if below is None else Side.BELOW,
        bound=bound,
        needed=needed,
        recover=bound if recover is None else recover,
        made_by=request.caller.id,
        since=EPOCH,
    )
    made = watch_metric(request.services, request.caller, metric, wanted)
    text = f"Watching: {made.rule}, recovered at {made.recover:g}. A breach that is going on counts."
    return Answer(text, data={"number": made.number})


def _all(request: Request) -> Answer:
    watches = list_watches(request.services)
    if not watches:
        return Answer("Nothing is watched.", more=("/exp watch recall --env prod --below 0.81",), data=[])
    rows = [
        (w.rule, f"{w.recover:g}", _state(w), "" if w.since == EPOCH else f"{w.since:%Y-%m-%d %H:%M}") for w in watches
    ]
    data = [
        {"metric": w.name, "goal": w.goal, "environment": w.environment, "side": str(w.side), "bound": w.bound,
         "for": w.needed, "recover": w.recover, "fired": w.fired, "silent": w.silent}
        for w in watches
    ]  # fmt: skip
    headings = ("rule", "recovers at", "state", "since (UTC)")
    return Answer(f"{len(watches)} watch{'' if len(watches) == 1 else 'es'}", table=table_of(headings, rows), data=data)


def _state(watch: Watch) -> str:
    return ", ".join(word for word, holds in (("fired", watch.fired), ("silent", watch.silent)) if holds) or "quiet"


@exp.command("unwatch")
@click.argument("name")
@click.option("--goal", default="", help="The goal it belongs to, where several have it.")
@click.option("--env", "environment", default="", help="dev or prod, where it is read in both.")
@pass_request
def unwatch(request: Request, /, name: str, goal: str, environment: str) -> Answer:
    """Watch a metric no more: /exp unwatch recall --env prod"""
    metric = find_metric(request.services, name, goal.lower(), environment)
    count = unwatch_metric(request.services, request.caller, metric)
    return Answer(
        f"{metric.name} of {metric.goal} in {metric.environment} is no longer watched.", data={"ended": count}
    )
