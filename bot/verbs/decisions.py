"""Verbs at the end of an experiment: what we found, and what we do about it."""

import click

from backlog.experiment import Decision, Outcome, ReasonCode
from bot.flows.change_experiment import Changed
from bot.flows.decide_experiment import decide_experiment, record_outcome
from bot.verbs.answer import Answer
from bot.verbs.experiments import pass_request, said, text_argument
from bot.verbs.grammar import Request, exp

NEXT_HELP = "What follows from it: a key, or the title of a new experiment in quotes."


@exp.command("outcome")
@click.argument("key")
@click.argument("outcome", type=click.Choice([outcome.value for outcome in Outcome], case_sensitive=False))
@text_argument("learning")
@click.option("--next", "follow", default="", help=NEXT_HELP)
@click.option("--code", type=click.Choice([*ReasonCode]), help="Why, in a word.")
@pass_request
def outcome(
    request: Request, /, key: str, outcome: str, learning: tuple[str, ...], follow: str, code: str | None
) -> Answer:
    """Say what we found and the sentence worth keeping."""
    reason = ReasonCode(code) if code else None
    done = record_outcome(request.services, request.caller, key, Outcome(outcome), " ".join(learning), follow, reason)
    ask = f'/exp decide {done.experiment.key} {"|".join(Decision)} "why"'
    return said(done, f"{done.experiment.key} has the outcome {outcome}.", *_follows(done), f"Next: {ask}")


@exp.command("decide")
@click.argument("key")
@click.argument("decision", type=click.Choice([decision.value for decision in Decision], case_sensitive=False))
@text_argument("reason")
@click.option("--next", "follow", default="", help=NEXT_HELP)
@pass_request
def decide(request: Request, /, key: str, decision: str, reason: tuple[str, ...], follow: str) -> Answer:
    """Say what we do about it, and why; an iteration or a pivot goes on in a linked experiment."""
    done = decide_experiment(request.services, request.caller, key, Decision(decision), " ".join(reason), follow)
    return said(done, f"{done.experiment.key} is {done.experiment.stage}: {decision}.", *_follows(done))


def _follows(done: Changed) -> list[str]:
    next_key = done.entry.changes.get("next_key")
    return [f"{next_key} follows from it: /exp show {next_key}"] if next_key else []


@exp.command("extend")
@click.argument("key")
@text_argument("reason")
@pass_request
def extend(request: Request, /, key: str, reason: tuple[str, ...]) -> Answer:
    """Bet one more appetite; counted, and only on new runs."""
    done = decide_experiment(request.services, request.caller, key, Decision.EXTEND, " ".join(reason))
    return said(done, f"{done.experiment.key} is extended, {done.entry.text}")
