"""What waits for whom: decisions for those who may decide, and for the owners what they were asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from backlog.experiment import Entry, Experiment, Stage, Wanted
from backlog.subscription import ANSWERED_BY, LOOK, deciders_of, is_asked, unanswered, waits
from bot.flows.services import Services
from bot.roles import Role
from store.experiments import load_acts, load_by_numbers, load_experiments
from store.people import members_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """An experiment that waits: since when, for whom, what for in a few words, and the verb that answers it."""

    experiment: Experiment
    since: datetime
    people: Sequence[str]
    why: str
    verb: str


def waiting(connection: Connection, services: Services) -> list[Waiting]:
    """All that waits now: decisions first, each in the order of the experiments' numbers."""
    may_decide = members_of(connection, services.roles.who_may(Role.DECIDER))
    deciding = load_experiments(connection, Wanted(stage=Stage.DECIDING))
    decisions = [_decision(e, deciders_of(e, may_decide, services.roles.open)) for e in deciding if waits(e)]
    return [*decisions, *_questions(connection)]


def _decision(e: Experiment, people: Sequence[str]) -> Waiting:
    why = f"{e.outcome}, {e.learning}" if e.outcome else "no outcome yet"
    return Waiting(e, e.stage_since or e.created_at, people, why, "decide" if e.outcome else "outcome")


def _questions(connection: Connection) -> list[Waiting]:
    acts = {act for asked, answers in ANSWERED_BY.items() for act in (asked, *answers)}
    asked = unanswered(load_acts(connection, acts))
    known = {e.number: e for e in load_by_numbers(connection, sorted({number for number, _ in asked}))}
    return [_question(known[number], entry) for number, entry in asked if is_asked(known[number], entry.act)]


def _question(e: Experiment, entry: Entry) -> Waiting:
    why, verb = (f"a look is due, {entry.text}", "checkpoint") if entry.act == LOOK else (_blocked(e), "unblock")
    return Waiting(e, entry.at, [e.owner], why, verb)


def _blocked(e: Experiment) -> str:
    return f"is it still blocked? {e.blocked_reason}"
