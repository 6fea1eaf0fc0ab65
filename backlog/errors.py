"""What the backlog refuses, in words a person can act on.

Every error says what happened and the remedy with the exact command or key; none carries a traceback's worth
of context.
"""


class BacklogError(Exception):
    """An act the backlog refuses. `what` happened, and the `remedy` that supplies what is missing."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class Incomplete(BacklogError):
    """Something that the act needs was not given."""


class NotFound(BacklogError):
    """No goal, experiment, metric or report answers to the given name."""


class GateClosed(BacklogError):
    """A hard gate does not hold. `missing` lists each unmet condition with the command that supplies it."""

    def __init__(self, what: str, missing: tuple[tuple[str, str], ...]) -> None:
        super().__init__(what, "\n".join(f"• {lack}: {remedy}" for lack, remedy in missing))
        self.missing = missing
