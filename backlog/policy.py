"""What the team put in the place of timeboxes: limits, appetites, weights and the written policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backlog.priority import Weights

APPETITE_DAYS = {"S": 3, "M": 10, "L": 30}  # calendar days; [appetite] in config.toml overrides


@dataclass(frozen=True, slots=True)
class PolicyItem:
    """One Scrum rule the team dropped: "sprints, but …, because …, instead …"."""

    but: str
    because: str
    instead: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The team's numbers: work-in-progress limits, how many extensions anyone may grant, the days after which a block
    is a risk, appetites in calendar days and the weights of the priority."""

    wip_person: int = 2
    wip_goal: int = 5
    extensions: int = 2
    blocked_days: int = 3
    appetite_days: Mapping[str, int] = field(default_factory=lambda: dict(APPETITE_DAYS))
    weights: Weights = field(default_factory=Weights)
    policy: tuple[PolicyItem, ...] = ()
