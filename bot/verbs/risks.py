"""Verbs on risks and health: see them, add one, answer one, call a goal's health."""

import click

from backlog.cadence import read_span
from backlog.register import EXPOSURES
from backlog.register import Answer as Said
from backlog.snapshot import Health
from bot.flows.manage_risks import add_risk, answer, call_health, close_risk, list_risks
from bot.flows.read_backlog import resolve_person
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request, text_argument
from bot.verbs.grammar import Request, exp

HEALTHS = {"on-track": Health.ON_TRACK, "at-risk": Health.AT_RISK, "off-track": Health.OFF_TRACK}
REVIEW = "14d"


@exp.group(
    "risk",
    offers=(
        ("Open risks", "risk list"),
        ("New risk", "risk add"),
        ("Acknowledge", "risk ack"),
        ("Mute", "risk mute"),
        ("Close", "risk close"),
    ),
)
def risk() -> None:
    """Risks: reasons to look, found by rule or named by a person"""


@risk.command("list", reads=True)
@click.argument("subject", required=False, default="")
@pass_request
def list_(request: Request, /, subject: str) -> Answer:
    """The open risks, the greatest exposure first: /exp risk list churn"""
    entries = list_risks(request.services, subject)
    today = request.services.now().date()
    rows = [
        (e.number, e.risk.subject, e.risk.cause, e.risk.evidence, e.risk.action, who, _state(e.answered(today), e.why))
        for e, who in entries
    ]
    data = [
        {
            "number": e.number, "rule": e.risk.rule, "subject": e.risk.subject, "cause": e.risk.cause,
            "effect": e.risk.effect, "evidence": e.risk.evidence, "action": e.risk.action, "owner": e.risk.owner,
            "exposure": e.risk.exposure, "opened_at": e.opened_at.isoformat(), "answer": str(e.answered(today)),
            "why": e.why, "review_on": (e.answer_until or e.risk.review_on).isoformat(),
        }
        for e, _ in entries
    ]  # fmt: skip
    headings = ("no.", "of", "cause", "evidence", "do", "owner", "state")
    text = f"{len(rows)} open risk{'' if len(rows) == 1 else 's'}" if rows else "No open risk."
    return Answer(text, table=table_of(headings, rows) if rows else None, data=data)


def _state(said: Said, why: str) -> str:
    return f"{said}: {why}" if said else "open"


@risk.command("add")
@click.argument("subject")
@text_argument("cause")
@click.option("--impact", type=click.Choice([*EXPOSURES], case_sensitive=False), default="medium", help="How bad.")
@click.option("--owner", default="", help="Who looks after it; else you.")
@click.option("--review", default=REVIEW, help="When to look again: 14d.")
@pass_request
def add(request: Request, /, subject: str, cause: tuple[str, ...], impact: str, owner: str, review: str) -> Answer:
    """Name a risk yourself: /exp risk add churn "vendor data ends in May" --impact high --owner @ana --review 14d"""
    person = resolve_person(request.services, owner) if owner else ""
    number = add_risk(request.services, request.caller, subject, " ".join(cause), impact, person, read_span(review))
    return Answer(f"Risk {number} of {subject} is on the register.", data={"number": number})


@risk.command("ack")
@click.argument("number", type=int)
@text_argument("why", required=False)
@click.option("--review", default=REVIEW, help="When it speaks up again: 14d.")
@pass_request
def ack(request: Request, /, number: int, why: tuple[str, ...], review: str) -> Answer:
    """Acknowledge a risk; it stays, marked: /exp risk ack 3 "vendor was asked" --review 14d"""
    return _answered(request, number, Said.ACKNOWLEDGED, why, review)


@risk.command("mute")
@click.argument("number", type=int)
@text_argument("why", required=False)
@click.option("--review", default=REVIEW, help="When it comes back: 14d.")
@pass_request
def mute(request: Request, /, number: int, why: tuple[str, ...], review: str) -> Answer:
    """Leave a risk out of reports until its review date: /exp risk mute 3 "known, moves in May" --review 30d"""
    return _answered(request, number, Said.MUTED, why, review)


def _answered(request: Request, number: int, said: Said, why: tuple[str, ...], review: str) -> Answer:
    done = answer(request.services, request.caller, number, said, " ".join(why), read_span(review))
    text = f"Risk {number} ({done.risk.subject}: {done.risk.cause}) is {said} until {done.answer_until:%d %b %Y}."
    return Answer(text, data={"number": number, "answer": str(said), "review_on": str(done.answer_until)})


@risk.command("close")
@click.argument("number", type=int)
@pass_request
def close(request: Request, /, number: int) -> Answer:
    """Close a risk that a person added: /exp risk close 3"""
    done = close_risk(request.services, request.caller, number)
    return Answer(f"Risk {number} ({done.risk.subject}: {done.risk.cause}) is closed.", data={"number": number})


@exp.command("health")
@click.argument("goal")
@click.argument("health", type=click.Choice([*HEALTHS], case_sensitive=False))
@text_argument("why", required=False)
@pass_request
def health(request: Request, /, goal: str, health: str, why: tuple[str, ...]) -> Answer:
    """Say yourself how a goal stands, beside the rules: /exp health churn at-risk "labels late" """
    call = call_health(request.services, request.caller, goal, HEALTHS[health], " ".join(why))
    return Answer(f"{goal}: {call.health}, you say: {call.why}", data={"goal": goal, "health": str(call.health)})
