"""Several Slack workspaces at one address, and how an app is installed in them: OAuth v2 with tokens that expire.

A request belongs to the workspace of its token. A refresh token is spent by its first use, as Slack's are.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox.slack import SlackSandbox

Json = dict[str, Any]
LIVES_S = 43_200  # seconds, twelve hours


class SlackWorkspaces:
    """The workspaces by their team ids. `visitor` is the team of whoever installs next, `enterprises` the organisation
    of a team, `whole` tells that a team's organisation installs for all of its teams. `rotates` makes tokens expire."""

    def __init__(
        self,
        workspaces: Iterable[SlackSandbox],
        now: Callable[[], float] = time.time,
        client_id: str = "1.2",
        client_secret: str = "shh",
        rotates: bool = False,
    ) -> None:
        self.workspaces = {one.team: one for one in workspaces}
        self.now, self.rotates = now, rotates
        self.client_id, self.client_secret = client_id, client_secret
        self.visitor = next(iter(self.workspaces))
        self.enterprises: dict[str, str] = {}
        self.whole = False
        self.exchanges: list[Json] = []  # what was asked of oauth.v2.access, and whether it was granted
        self._codes: dict[str, Json] = {}
        self._tokens: dict[str, tuple[str, float]] = {}  # token -> (team, until)
        self._refreshes: dict[str, str] = {}  # refresh token -> team

    async def app(self, scope: Json, receive: Any, send: Any) -> None:
        """The ASGI application."""
        request = Request(scope, receive)
        path = request.url.path
        if path == "/oauth/v2/authorize":
            await self._authorize(request)(scope, receive, send)
        elif path == "/api/oauth.v2.access":
            await JSONResponse(self._exchange(await _form(request)))(scope, receive, send)
        else:
            await self._hand_on(request, scope, receive, send)

    async def _hand_on(self, request: Request, scope: Json, receive: Any, send: Any) -> None:
        path = request.url.path
        named = next((one for team, one in self.workspaces.items() if f"/{team}-" in path or path.endswith(team)), None)
        if named is not None:  # a response URL, or an upload
            await named.app(scope, receive, send)
            return
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        team, until = self._tokens.get(token, ("", 0.0))
        if not team:
            await JSONResponse({"ok": False, "error": "invalid_auth"})(scope, receive, send)
        elif until < self.now():
            await JSONResponse({"ok": False, "error": "token_expired"})(scope, receive, send)
        else:
            workspace = self.workspaces[team]
            workspace.bot_token = token
            await workspace.app(scope, receive, send)

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != self.client_id or not asked.get("scope") or not asked.get("state"):
            return JSONResponse({"ok": False, "error": "invalid_client"}, 400)
        code = uuid4().hex
        self._codes[code] = {**asked, "team": self.visitor}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    def _exchange(self, given: Json) -> Json:
        answer = self._granted(given)
        self.exchanges.append({"grant_type": given.get("grant_type", "code"), "ok": answer["ok"]})
        return answer

    def _granted(self, given: Json) -> Json:
        if (given.get("client_id"), given.get("client_secret")) != (self.client_id, self.client_secret):
            return {"ok": False, "error": "bad_client_secret"}
        if given.get("grant_type") == "refresh_token":
            team = self._refreshes.pop(given.get("refresh_token", ""), "")
            return self._grant(team) if team else {"ok": False, "error": "invalid_refresh_token"}
        asked = self._codes.pop(given.get("code", ""), None)
        if asked is None:
            return {"ok": False, "error": "invalid_code"}
        if given.get("redirect_uri") != asked["redirect_uri"]:
            return {"ok": False, "error": "bad_redirect_uri"}
        return self._grant(asked["team"], asked["scope"])

    def _grant(self, team: str, scope: str = "commands") -> Json:
        token, enterprise = f"xoxb-{team}-{uuid4().hex}", self.enterprises.get(team)
        until = self.now() + LIVES_S if self.rotates else float("inf")
        self._tokens[token] = (team, until)
        answer = {
            "ok": True, "token_type": "bot", "access_token": token, "scope": scope, "bot_user_id": "U0BOT",
            "app_id": "A0SANDBOX", "authed_user": {"id": "U0ANA"}, "is_enterprise_install": self.whole,
            "team": None if self.whole else {"id": team, "name": f"Sandbox {team}"},
            "enterprise": {"id": enterprise, "name": "Sandbox Inc"} if enterprise else None,
        }  # fmt: skip
        if self.rotates:
            refresh = f"xoxe-1-{uuid4().hex}"
            self._refreshes[refresh] = team
            answer |= {"refresh_token": refresh, "expires_in": LIVES_S}
        return answer

    def revoke(self, team: str) -> None:
        """Take the app out of a workspace: none of its tokens is good any more."""
        self._tokens = {token: held for token, held in self._tokens.items() if held[0] != team}
        self._refreshes = {refresh: held for refresh, held in self._refreshes.items() if held != team}


async def _form(request: Request) -> Json:
    return dict(parse_qsl((await request.body()).decode()))
