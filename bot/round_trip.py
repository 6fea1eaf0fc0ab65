"""A way over Slack and back: what one browser begins here, only the same browser ends here, within ten minutes."""

import json
import secrets
from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import Response

from bot.flows.links import is_ahead
from bot.flows.services import Services
from bot.pages import place_of

ASKED_S = 600  # seconds from the question to Slack's answer


class RoundTrip:
    """The ways of one kind. A cookie under `path` holds what was begun, signed for this `purpose`."""

    def __init__(self, services: Services, purpose: str, path: str) -> None:
        self._services, self._purpose, self._path = services, purpose, place_of(services) + path
        self._cookie = f"scrumbut_{purpose}"

    def begin(self, response: Response, state: str, *words: str) -> None:
        """Remember in the browser what was asked; `state` comes back with the answer."""
        until = str(int(self._services.now().timestamp()) + ASKED_S)
        asked = json.dumps([until, state, *words])
        value = urlencode({"asked": asked, "sig": self._services.links.sign(self._purpose, asked)})
        secure = self._services.public_url.startswith("https://")
        response.set_cookie(self._cookie, value, ASKED_S, self._path, httponly=True, samesite="lax", secure=secure)

    def words(self, request: Request) -> Sequence[str] | None:
        """What was begun with the state that the answer brings; None for what was not begun in this browser, or took
        too long."""
        cookie = parse_qs(request.cookies.get(self._cookie, ""))
        asked = cookie.get("asked", [""])[0]
        if not self._services.links.holds(cookie.get("sig", [""])[0], self._purpose, asked):
            return None
        until, state, *words = json.loads(asked)
        given = request.query_params.get("state", "")
        begun_here = secrets.compare_digest(state.encode(), given.encode())
        return words if begun_here and is_ahead(until, self._services.now()) else None

    def end(self, response: Response) -> None:
        """Forget it."""
        response.delete_cookie(self._cookie, path=self._path)
