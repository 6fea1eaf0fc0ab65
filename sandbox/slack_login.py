"""Slack's "Sign in with Slack" on loopback: asks nobody, and says who came, with tokens of its own."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

TEAM = "https://slack.com/team_id"


class LoginSandbox:
    """The pages and methods of a login. `visitor` is the team of whoever signs in, `team` the bot's own."""

    def __init__(self, client_id: str = "1.2", client_secret: str = "shh", team: str = "T0SANDBOX") -> None:
        self.client_id, self.client_secret, self.team, self.visitor = client_id, client_secret, team, team
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/openid/connect/authorize", self._authorize),
                Route("/api/openid.connect.token", self._token, methods=["POST"]),
                Route("/api/openid.connect.userInfo", self._user, methods=["POST"]),
                Route("/api/auth.test", self._bot, methods=["POST"]),
            ]
        )

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != self.client_id or "openid" not in asked.get("scope", ""):
            return JSONResponse({"ok": False, "error": "invalid_client"}, 400)
        code = uuid4().hex
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def _token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        asked = self._codes.pop(given.get("code", ""), None)  # once only
        if asked is None or given.get("client_secret") != self.client_secret:
            return JSONResponse({"ok": False, "error": "invalid_code"})
        if given.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"ok": False, "error": "bad_redirect_uri"})
        claims = {"iss": "https://slack.com", "aud": self.client_id, "nonce": asked["nonce"], "sub": "U0ANA"}
        return JSONResponse({"ok": True, "access_token": "xoxp-visitor", "id_token": f"e30.{_encoded(claims)}.x"})

    def _user(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer xoxp-visitor":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        return JSONResponse({"ok": True, "sub": "U0ANA", TEAM: self.visitor})

    def _bot(self, request: Request) -> Response:
        return JSONResponse({"ok": True, "team_id": self.team})


def _encoded(claims: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
