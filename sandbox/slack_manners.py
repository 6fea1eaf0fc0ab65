"""How Slack holds an app to its manners: scopes, and how often a method may be called.

Tiers are Slack's, per method, app and workspace in a minute; posting is one message a second in a channel. A 429 stops
only the method, or for posts the channel, it was given for.
"""

from collections.abc import Callable, Mapping
from math import ceil

MINUTE_S, POST_S = 60.0, 1.0
TIER_2, TIER_3, TIER_4 = 20, 50, 100  # calls a minute
HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
READ = ("channels:read", "groups:read", "im:read", "mpim:read")
# One of these scopes is enough; a method that is not here needs none.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "chat.postMessage": ("chat:write",), "chat.update": ("chat:write",), "chat.unfurl": ("links:write",),
    "conversations.history": HISTORY, "conversations.replies": HISTORY, "conversations.list": READ,
    "conversations.info": READ, "conversations.open": ("channels:manage", "groups:write", "im:write", "mpim:write"),
    "users.info": ("users:read",), "usergroups.users.list": ("usergroups:read",),
    "files.getUploadURLExternal": ("files:write",), "files.completeUploadExternal": ("files:write",),
}  # fmt: skip
TIERS: Mapping[str, int] = {
    "chat.update": TIER_3, "chat.unfurl": TIER_3, "conversations.history": TIER_3, "conversations.replies": TIER_3,
    "conversations.list": TIER_2, "conversations.info": TIER_3, "conversations.open": TIER_3, "users.info": TIER_4,
    "usergroups.users.list": TIER_2, "files.getUploadURLExternal": TIER_4, "files.completeUploadExternal": TIER_4,
    "views.open": TIER_4, "views.update": TIER_4, "views.publish": TIER_4,
}  # fmt: skip


def lacking_scope(method: str, scopes: str) -> str:
    """The scope that a method lacks; empty where one of those it takes is there."""
    needed = NEEDS.get(method, ())
    return "" if not needed or set(needed) & set(scopes.split(",")) else needed[0]


class Pace:
    """Counts calls, and says how many seconds to wait where there were too many; zero while it is not `on`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.on = False
        self._now = now
        self._calls: dict[str, list[float]] = {}

    def wait_s(self, method: str, channel: str) -> int:
        """Seconds to wait before this call may be made, as Retry-After tells them; a call that may is counted."""
        if not self.on:
            return 0
        if method == "chat.postMessage":
            return self._count(f"post {channel}", 1, POST_S)
        return self._count(method, TIERS[method], MINUTE_S) if method in TIERS else 0

    def _count(self, what: str, most: int, span_s: float) -> int:
        now = self._now()
        recent = [at for at in self._calls.get(what, ()) if now - at < span_s]
        if len(recent) >= most:
            return max(1, ceil(recent[0] + span_s - now))
        self._calls[what] = [*recent, now]
        return 0
