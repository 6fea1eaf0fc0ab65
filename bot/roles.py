"""Who may do what: four roles, each may do what the one before it may.

Knows ids and groups, not people's names, and asks nobody: who belongs to a group is told to it.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum

from backlog.errors import BacklogError

SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}")


class Role(StrEnum):
    """In order. A *viewer* reads, a *member* works on the backlog, a *decider* decides and bets beyond the limit, an
    *admin* changes policy, schedules and settings."""

    VIEWER = "viewer"
    MEMBER = "member"
    DECIDER = "decider"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The position in the order, from 0."""
        return list(Role).index(self)


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles as configured: ids of users and of user groups by role, and the role of the command line.

    Until a decider or an admin is named, everybody may do everything; from then on whoever is not named is a member.
    """

    named: Mapping[Role, frozenset[str]] = field(default_factory=dict)
    cli: Role = Role.ADMIN

    @property
    def open(self) -> bool:
        """Whether nobody is named who could be asked."""
        return not (self.named.get(Role.DECIDER) or self.named.get(Role.ADMIN))

    @property
    def groups(self) -> list[str]:
        """The ids of the user groups among those named."""
        return sorted({name for names in self.named.values() for name in names if is_group(name)})

    def role_of(self, person: str, groups: Set[str]) -> Role:
        """A person's role: the highest that names them or one of their groups; a viewer is only who is named as one."""
        for role in reversed(Role):
            if self.named.get(role, frozenset()) & {person, *groups}:
                return role
        return Role.ADMIN if self.open else Role.MEMBER

    def who_may(self, needed: Role) -> list[str]:
        """The ids that hold that role or a higher one, the nearest role first."""
        return [name for role in Role if role.rank >= needed.rank for name in sorted(self.named.get(role, ()))]


class NotAllowed(BacklogError):
    """The act needs a higher role. Says which one, and who holds it."""

    def __init__(self, act: str, held: Role, needed: Role, who_may: str) -> None:
        article = "an" if needed is Role.ADMIN else "a"
        super().__init__(
            f"To {act} one must be {article} {needed}; your role is {held}.",
            f"Who may: {who_may or 'nobody is named yet'}. Roles are set under [roles] in config.toml.",
        )
        self.needed = needed


def check_person(name: str) -> str:
    """The id as it is. Raises BacklogError for anything but an id of Slack's."""
    if not SLACK_ID.fullmatch(name):
        raise BacklogError(
            f'"{name[:60]}" is no Slack id. Users begin with U or W (profile, Copy member ID), user groups with S.'
        )
    return name


def is_group(name: str) -> bool:
    """Whether an id is one of a Slack user group."""
    return name.startswith("S") and name.isupper()
