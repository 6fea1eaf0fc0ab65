"""The register of risks: what opened, continues and resolved, what people said of it, and what they added themselves.

A risk is known by its rule and subject: found again it continues, no longer found it resolves, found after that it
opens anew. A person may acknowledge it (it stays, marked) or mute it (it is left out) until its review date.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from backlog.drift import Level
from backlog.errors import BacklogError
from backlog.snapshot import Risk

REGRESSION, CONFIRMED = "production_regression", str(Level.CONFIRMED)
MANUAL = "manual"  # the rule of what a person added
EXPOSURES = {"low": 0.25, "medium": 0.5, "high": 0.75}  # of the impact that a person gives
NEW_FOR = timedelta(days=7)  # a manual risk counts as new until the next weekly report


class Answer(StrEnum):
    """What a person said of a risk."""

    NONE = ""
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class Registered:
    """A risk in the register. `answer_until` is the review date on which the answer lapses."""

    number: int
    risk: Risk
    opened_at: datetime
    seen_at: datetime
    resolved_at: datetime | None = None
    answer: Answer = Answer.NONE
    answered_by: str = ""
    why: str = ""
    answer_until: date | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by; a manual one by its number."""
        return (self.risk.rule, self.risk.subject) if self.risk.rule != MANUAL else (MANUAL, str(self.number))

    def answered(self, on: date) -> Answer:
        """What a person said, while it holds."""
        holds = self.answer_until is None or on < self.answer_until
        return self.answer if holds else Answer.NONE


@dataclass(frozen=True, slots=True)
class Turn:
    """What a look at the backlog changes in the register."""

    opened: tuple[Risk, ...]
    continued: tuple[Registered, ...]
    resolved: tuple[Registered, ...]


def hold_against(register: Iterable[Registered], found: Sequence[Risk]) -> Turn:
    """What opens, continues and resolves; manual risks are left to people."""
    standing = {entry.key: entry for entry in register if entry.resolved_at is None and entry.risk.rule != MANUAL}
    named = {(risk.rule, risk.subject): risk for risk in found}
    return Turn(
        opened=tuple(risk for key, risk in named.items() if key not in standing),
        continued=tuple(replace(standing[key], risk=risk) for key, risk in named.items() if key in standing),
        resolved=tuple(entry for key, entry in standing.items() if key not in named),
    )


def newly_confirmed(turn: Turn, before: Iterable[Registered]) -> list[Risk]:
    """Regressions in production confirmed now and not at the last look: only those interrupt a channel."""
    known = {entry.key for entry in before if CONFIRMED in entry.risk.cause}
    now = (*turn.opened, *(entry.risk for entry in turn.continued))
    return [r for r in now if r.rule == REGRESSION and CONFIRMED in r.cause and (r.rule, r.subject) not in known]


def with_answers(found: Sequence[Risk], register: Iterable[Registered], now: datetime) -> list[Risk]:
    """What was found by rule and what people added, each with its number and what was said of it. A report leaves the
    muted ones out; they have not resolved."""
    standing = [entry for entry in register if entry.resolved_at is None]
    known: Mapping[tuple[str, str], Registered] = {entry.key: entry for entry in standing}
    marked = [_marked(risk, known.get((risk.rule, risk.subject)), now) for risk in found]
    manual = [_marked(_aged(entry, now), entry, now) for entry in standing if entry.risk.rule == MANUAL]
    return [*marked, *manual]


def _aged(entry: Registered, now: datetime) -> Risk:
    return replace(entry.risk, trend="new" if now - entry.opened_at < NEW_FOR else "continuing")


def _marked(risk: Risk, entry: Registered | None, now: datetime) -> Risk:
    if entry is None:
        return risk
    answer = entry.answered(now.date())
    review = entry.answer_until if answer and entry.answer_until else risk.review_on
    return replace(
        risk, number=entry.number, answer=str(answer), answered=entry.why if answer else "", review_on=review
    )


def exposure_of(impact: str) -> float:
    """The exposure of an impact in words. Raises BacklogError naming those there are."""
    if impact.lower() not in EXPOSURES:
        raise BacklogError(f'"{impact[:40]}" is no impact.', f"Use one of: {', '.join(EXPOSURES)}.")
    return EXPOSURES[impact.lower()]
