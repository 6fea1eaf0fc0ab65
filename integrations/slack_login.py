"""Sign in with Slack: asks Slack's OpenID Connect who came back with a code. Reads only."""

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import TypeAdapter

from integrations.http import IntegrationError, Session

OBJECT = TypeAdapter(dict[str, Any])
TEAM = "https://slack.com/team_id"  # the claim that names the workspace


class SlackLogin:
    """One app's login, for members of the workspace that its bot belongs to."""

    def __init__(self, api_url: str, client_id: str, client_secret: str, bot_token: str, timeout_s: float) -> None:
        self._api, self._id, self._secret, self._bot_token = api_url, client_id, client_secret, bot_token
        # The address is the configuration's own; a stand-in listens on loopback.
        self._session = Session("Slack", timeout_s=timeout_s, allow=frozenset({urlsplit(api_url).netloc}))

    def question(self, back: str, state: str, nonce: str) -> str:
        """Where to send a visitor so that Slack asks them."""
        asked = {
            "response_type": "code", "scope": "openid profile", "client_id": self._id, "redirect_uri": back,
            "state": state, "nonce": nonce,
        }  # fmt: skip
        return f"{self._api.removesuffix('api/')}openid/connect/authorize?{urlencode(asked)}"

    def check(self, code: str, back: str, nonce: str) -> None:
        """Raises IntegrationError unless the code was given to a member of the bot's workspace for this question."""
        given = {"client_id": self._id, "client_secret": self._secret, "code": code, "redirect_uri": back}
        token = self._ask("openid.connect.token", given)
        claims = _claims(str(token.get("id_token", "")))
        if claims.get("nonce") != nonce or claims.get("aud") != self._id:
            raise IntegrationError("Slack", "its token answers another question.", permanent=True)
        ours = self._ask("auth.test", {}, self._bot_token).get("team_id")
        theirs = self._ask("openid.connect.userInfo", {}, str(token.get("access_token", ""))).get(TEAM)
        if not ours or ours != theirs:
            raise IntegrationError("Slack", "the visitor belongs to another workspace.", permanent=True)

    def _ask(self, method: str, data: dict[str, str], token: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        said = self._session.fetch("POST", self._api + method, OBJECT, data=data, headers=headers)
        if not said.get("ok"):
            raise IntegrationError("Slack", f'{method} was refused with "{said.get("error")}".', permanent=True)
        return said


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    try:
        found = json.loads(urlsafe_b64decode(parts[1] + "==="))
    except (IndexError, ValueError):
        found = {}
    return found if isinstance(found, dict) else {}
