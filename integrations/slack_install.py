"""Slack's OAuth v2: how a workspace installs the app, and how its token is renewed.

Nothing is sent twice: a code and a refresh token are each spent by their first use.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import TypeAdapter

from integrations.http import IntegrationError, Session

OBJECT = TypeAdapter(dict[str, Any])
METHOD = "oauth.v2.access"
REMEDIES = {
    "invalid_refresh_token": "Install the app there again: /slack/install.",
    "bad_client_secret": "Set [slack] client_secret to the app's current one.",
    "bad_redirect_uri": "Add [web] public_url's /slack/oauth_redirect under OAuth & Permissions, Redirect URLs.",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What Slack gave: for whom, and a bot token. One that expires (`lives_s` seconds) comes with a refresh token.
    `team` is empty where a whole organisation installed the app."""

    team: str
    enterprise: str
    name: str
    bot_user: str
    scopes: str
    installed_by: str
    token: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    lives_s: int | None = None


class SlackInstall:
    """One app's installing."""

    def __init__(self, api_url: str, client_id: str, client_secret: str, scopes: Iterable[str], timeout_s: float):
        self._api, self._id, self._secret = api_url, client_id, client_secret
        self._scopes = ",".join(sorted(scopes))
        # The address is the configuration's own; a stand-in listens on loopback.
        self._session = Session("Slack", timeout_s=timeout_s, allow=frozenset({urlsplit(api_url).netloc}))

    def question(self, back: str, state: str) -> str:
        """Where to send whoever installs, so that Slack asks them."""
        asked = {"client_id": self._id, "scope": self._scopes, "state": state, "redirect_uri": back}
        return f"{self._api.removesuffix('api/')}oauth/v2/authorize?{urlencode(asked)}"

    def grant(self, code: str, back: str) -> Grant:
        """What the code is worth. Raises IntegrationError."""
        return self._ask({"code": code, "redirect_uri": back})

    def renew(self, refresh: str) -> Grant:
        """The next token. Raises IntegrationError, `unknown` where the refresh token may be spent."""
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh})

    def _ask(self, what: dict[str, str]) -> Grant:
        data = {"client_id": self._id, "client_secret": self._secret, **what}
        said = self._session.send("POST", self._api + METHOD, OBJECT, data=data)
        if not said.get("ok"):
            code = str(said.get("error"))[:80]
            refusal = f'{METHOD} was refused with "{code}".'
            raise IntegrationError("Slack", refusal, REMEDIES.get(code, ""), permanent=True, code=code)
        if said.get("token_type") != "bot" or not said.get("access_token"):
            raise IntegrationError("Slack", f"{METHOD} gave no bot token.", permanent=True)
        return _grant(said)


def _grant(said: dict[str, Any]) -> Grant:
    team, enterprise = said.get("team") or {}, said.get("enterprise") or {}
    whole = bool(said.get("is_enterprise_install"))
    lives = said.get("expires_in")
    return Grant(
        team="" if whole else str(team.get("id") or ""),
        enterprise=str(enterprise.get("id") or ""),
        name=str((enterprise if whole else team).get("name") or ""),
        bot_user=str(said.get("bot_user_id") or ""),
        scopes=str(said.get("scope") or ""),
        installed_by=str((said.get("authed_user") or {}).get("id") or ""),
        token=str(said["access_token"]),
        refresh=str(said.get("refresh_token") or ""),
        lives_s=int(lives) if lives else None,
    )
