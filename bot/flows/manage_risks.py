"""Risks and health as people see them: add a risk, answer one, call a goal's health."""

from datetime import timedelta

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.experiment import EXPERIMENT_KEY, ISSUE_KEY
from backlog.register import MANUAL, Answer, Registered, exposure_of
from backlog.snapshot import Health, HealthCall, Risk
from bot.flows.services import Caller, Services, acting
from bot.flows.watch_risks import watch_risks
from store.experiments import find_experiment
from store.goals import find_goal
from store.people import load_names
from store.risks import add_health_call, answer_risk, find_registered, load_register, open_risk, resolve_risks


def list_risks(services: Services, subject: str = "") -> list[tuple[Registered, str]]:
    """The standing risks with their owner's name, the greatest exposure first, after a fresh look at the backlog."""
    watch_risks(services)
    with services.database.read() as connection:
        standing = load_register(connection, standing=True)
        wanted = [e for e in standing if not subject or e.risk.subject.lower() == subject.lower()]
        people = load_names(connection, {entry.risk.owner for entry in wanted})
    wanted.sort(key=lambda entry: (-entry.risk.exposure, entry.number))
    return [(entry, people.get(entry.risk.owner, entry.risk.owner)) for entry in wanted]


def add_risk(
    services: Services, caller: Caller, subject: str, cause: str, impact: str, owner: str, review: timedelta
) -> int:
    """Put a person's own risk into the register; returns its number. Raises BacklogError where it says nothing."""
    if not cause.strip():
        raise BacklogError("A risk needs its sentence.", f'/exp risk add {subject} "vendor data ends in May"')
    exposure, now = exposure_of(impact), services.now()
    with acting(services, caller, "add a risk") as connection:
        key = _subject(connection, subject)
        risk = Risk(
            rule=MANUAL, subject=key, cause=cause.strip(), effect=f"its impact is {impact.lower()}",
            evidence="a person says so", owner=owner or caller.id, action="look at it on the review date",
            review_on=(now + review).date(), exposure=exposure, trend="new",
        )  # fmt: skip
        return open_risk(connection, risk, now)


def _subject(connection: Connection, text: str) -> str:
    """The key of the goal or experiment that is meant. Raises NotFound."""
    if EXPERIMENT_KEY.fullmatch(text) or (text.isupper() and ISSUE_KEY.fullmatch(text)):
        return find_experiment(connection, text).key
    return find_goal(connection, text).key


def answer(services: Services, caller: Caller, number: int, said: Answer, why: str, review: timedelta) -> Registered:
    """Acknowledge or mute a risk, with the reason, until its review date."""
    if not why.strip():
        raise BacklogError(
            f"Say why risk {number} is {said}.", f'/exp risk ack {number} "vendor was asked" --review 14d'
        )
    with acting(services, caller, "answer a risk") as connection:
        find_registered(connection, number)
        answer_risk(connection, number, said, caller.id, why.strip(), (services.now() + review).date())
        return find_registered(connection, number)


def close_risk(services: Services, caller: Caller, number: int) -> Registered:
    """Resolve a risk that a person added; those of rules resolve by themselves."""
    with acting(services, caller, "close a risk") as connection:
        entry = find_registered(connection, number)
        if entry.risk.rule != MANUAL:
            raise BacklogError(
                f"Risk {number} was found by rule and goes when its cause goes: {entry.risk.cause}.",
                f'{entry.risk.action}; or /exp risk mute {number} "why"',
            )
        resolve_risks(connection, [entry], services.now())
    return entry


def call_health(services: Services, caller: Caller, key: str, health: Health, why: str) -> HealthCall:
    """A person's call on a goal's health, kept on its timeline. Raises BacklogError without a reason."""
    if not why.strip():
        raise BacklogError("Say why.", f'/exp health {key} at-risk "labels late"')
    call = HealthCall(health, why.strip(), caller.id, services.now())
    with acting(services, caller, "call a goal's health") as connection:
        add_health_call(connection, find_goal(connection, key).key, call)
    return call
