"""A team: the goals that are its own, so that a report speaks of these alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Team:
    """A team by its name; without goals it is the whole backlog."""

    name: str
    goals: tuple[str, ...] = ()
