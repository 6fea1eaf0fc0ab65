"""The tables of config.toml that say how the team works: reports, roles, limits, appetites and policies."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from backlog.policy import APPETITE_DAYS
from bot.config.values import CadenceText, Email, PersonId, Section, Span, Weight
from bot.roles import Role
from reports.contents import REPORTS


def _scheduled(name: str) -> str:
    known = [kind for kind, report in REPORTS.items() if report.periods]
    if name not in known:
        raise ValueError(f'"{name}" is no report that goes out by itself. Known: {", ".join(known)}.')
    return name


class ReportSection(Section):
    """One `[[reports]]`"""

    name: Annotated[str, AfterValidator(_scheduled)] = "weekly"
    audience: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)] = "manager"
    schedule: CadenceText = "mon 09:00 UTC"
    channel: str = ""
    emails: tuple[Email, ...] = ()
    reviewer: Literal[""] | PersonId = ""
    preview: Span = "4h"
    templates: str = ""
    team: str = ""


class TeamSection(Section):
    """One `[[teams]]`"""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    goals: tuple[str, ...] = ()
    channel: str = ""


class PolicySection(Section):
    """One `[[policy]]`"""

    but: str
    because: str
    instead: str


class Limits(Section):
    """`[limits]`"""

    wip_person: Annotated[int, Field(ge=1)] = 2
    wip_goal: Annotated[int, Field(ge=1)] = 5
    extensions: Annotated[int, Field(ge=0)] = 2
    requests_person: Annotated[int, Field(ge=0)] = 1200
    requests_address: Annotated[int, Field(ge=0)] = 300
    blocked_days: Annotated[int, Field(ge=0)] = 3


class RolesSection(Section):
    """`[roles]`"""

    viewer: tuple[PersonId, ...] = ()
    member: tuple[PersonId, ...] = ()
    decider: tuple[PersonId, ...] = ()
    admin: tuple[PersonId, ...] = ()
    cli: Role = Role.ADMIN


class Priority(Section):
    """`[priority]`"""

    learning_value: Weight = 1
    impact: Weight = 1
    confidence: Weight = 1
    effort: Weight = 1


class Appetite(Section):
    """`[appetite]`"""

    S: Annotated[int, Field(ge=1)] = APPETITE_DAYS["S"]
    M: Annotated[int, Field(ge=1)] = APPETITE_DAYS["M"]
    L: Annotated[int, Field(ge=1)] = APPETITE_DAYS["L"]
