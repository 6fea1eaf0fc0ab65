"""Bad answers on request: each kind is one that the real services give."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

Send = Callable[[Any], Awaitable[None]]
BEFORE = {"403", "429", "503", "html", "reset_before", "hang_before"}  # nothing is stored
AFTER = {"error_after", "reset_after", "hang_after"}  # stored, and the client does not hear of it


@dataclass(slots=True)
class Fault:
    """The next `times` calls of an operation fail in this way; `seconds` is Retry-After or the length of a hang."""

    operation: str
    kind: str
    times: int
    seconds: float | None
    skip: int = 0


class Faults:
    """The faults that wait for their call."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, operation: str, kind: str, times: int = 1, seconds: float | None = 1, skip: int = 0) -> None:
        """Let the next calls of that operation (or `*`) fail, after `skip` that go well. Raises
        ValueError for an unknown kind."""
        if kind not in BEFORE | AFTER:
            raise ValueError(f"{kind} is none of {sorted(BEFORE | AFTER)}")
        self._waiting.append(Fault(operation, kind, times, seconds, skip))

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


def drop(send: Send) -> None:
    """Cut the connection without an answer, as a network does."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's cycle; ASGI has no word for this


async def bad_answer(fault: Fault, send: Send) -> Response | None:
    """The answer that the fault gives; None after the connection was dropped."""
    if fault.kind.startswith("hang"):
        await asyncio.sleep(fault.seconds or 0)
        drop(send)
        return None
    if fault.kind.startswith("reset"):
        drop(send)
        return None
    if fault.kind == "html":
        return HTMLResponse("<html><body>Log in</body></html>")
    if fault.kind == "403":
        return JSONResponse({"errorMessages": ["You do not have permission."], "errors": {}}, 403)
    headers = {} if fault.seconds is None else {"Retry-After": f"{fault.seconds:g}"}
    if fault.kind == "429":
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
    return JSONResponse({"errorMessages": ["Service unavailable"], "errors": {}}, 503 if fault.kind == "503" else 500)
