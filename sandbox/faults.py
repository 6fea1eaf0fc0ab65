"""Bad answers on request: each kind is one that the real services give."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

Send = Callable[[Any], Awaitable[None]]
BEFORE = {"403", "429", "503", "html", "reset_before", "hang_before"}  # nothing is stored
AFTER = {"error_after", "reset_after", "hang_after"}  # stored, and the client does not hear of it
WITHIN = {"short_page", "repeated_token", "expired_token", "signed_out"}  # the service answers, but not as one hopes
# What Atlassian's page on rate limits names; each may come with or without Retry-After.
REASONS = ("jira-quota-global-based", "jira-quota-tenant-based", "jira-burst-based", "jira-per-issue-on-write")


@dataclass(slots=True)
class Fault:
    """The next `times` calls of an operation fail in this way; `seconds` is Retry-After (a text stands as it is) or the
    length of a hang, `reason` the limit that a 429 names."""

    operation: str
    kind: str
    times: int
    seconds: float | str | None
    skip: int = 0
    reason: str = ""


class Faults:
    """The faults that wait for their call."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(
        self,
        operation: str,
        kind: str,
        times: int = 1,
        seconds: float | str | None = 1,
        skip: int = 0,
        reason: str = "",
    ) -> None:
        """Let the next calls of that operation (or `*`) fail, after `skip` that go well. Raises
        ValueError for an unknown kind."""
        if kind not in BEFORE | AFTER | WITHIN:
            raise ValueError(f"{kind} is none of {sorted(BEFORE | AFTER | WITHIN)}")
        self._waiting.append(Fault(operation, kind, times, seconds, skip, reason))

    def clear(self) -> None:
        """Let everything go well again."""
        self._waiting.clear()

    def take(self, operation: str) -> Fault | None:
        """The fault for this call, used up by it; None when it shall go well."""
        for fault in self._waiting:
            if fault.operation in (operation, "*") and fault.times > 0:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


class Weather(Faults):
    """Faults that come by themselves: that share of the writes is answered badly, half of them taken in all the same.
    `seconds` is how long one that hangs does so."""

    KINDS = ("reset_after", "error_after", "hang_after", "reset_before", "429", "reset_after", "reset_before", "503")
    READS = ("history", "replies", "read_", "search", "auth", "count", "myself", "fields", "upload", "files")

    def __init__(self, share: float, seconds: float = 3, seed: int = 1) -> None:
        super().__init__()
        self._share, self._seconds, self._dice = share, seconds, Random(seed)

    def take(self, operation: str) -> Fault | None:
        """One that was asked for, or one that the dice give."""
        asked = super().take(operation)
        if asked or any(word in operation for word in self.READS) or self._dice.random() >= self._share:
            return asked
        kind = self._dice.choice(self.KINDS)
        return Fault(operation, kind, 1, self._seconds if kind.startswith("hang") else 1)


def drop(send: Send) -> None:
    """Cut the connection without an answer, as a network does."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's cycle; ASGI has no word for this


async def bad_answer(fault: Fault, send: Send) -> Response | None:
    """The answer that the fault gives; None after the connection was dropped."""
    if fault.kind.startswith("hang"):
        await asyncio.sleep(float(fault.seconds or 0))
        drop(send)
        return None
    if fault.kind.startswith("reset"):
        drop(send)
        return None
    if fault.kind == "html":
        return HTMLResponse("<html><body>Log in</body></html>")
    if fault.kind == "403":
        return JSONResponse({"errorMessages": ["You do not have permission."], "errors": {}}, 403)
    told = fault.seconds if isinstance(fault.seconds, str) else f"{fault.seconds or 0:g}"
    headers = {} if fault.seconds is None else {"Retry-After": told}
    headers |= {"RateLimit-Reason": fault.reason} if fault.reason else {}
    if fault.kind == "429":
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
    return JSONResponse({"errorMessages": ["Service unavailable"], "errors": {}}, 503 if fault.kind == "503" else 500)
