"""Sign in with Slack (OpenID Connect), for whoever opens a page without one of the bot's links.

Only members of the bot's own workspace are let in. Slack's answer comes straight from Slack over TLS, so its token
needs no check of its signature (OpenID Connect Core 3.1.3.7); state and nonce tie it to the browser that asked.
"""

import secrets
from urllib.parse import parse_qs, urlencode

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.config import Slack
from bot.flows.links import is_ahead
from bot.flows.services import Services
from bot.pages import HEADERS, MEMBER, let_in
from integrations.http import IntegrationError
from integrations.slack_login import SlackLogin

log = structlog.get_logger(__name__)

COOKIE, ASKED_S = "scrumbut_login", 600  # seconds from the question to Slack's answer
PLACES = ("/reports/", "/experiments/")  # where a login may lead; anywhere else would serve a stranger's link


class Login:
    """The two pages of a login."""

    def __init__(self, settings: Slack, services: Services) -> None:
        self._services = services
        self._slack = SlackLogin(
            settings.api_url,
            settings.client_id,
            settings.client_secret.get_secret_value(),
            settings.bot_token.get_secret_value(),
            services.timeout.total_seconds(),
        )

    def routes(self) -> list[Route]:
        """Where a login begins and where Slack sends its visitor back to."""
        return [Route("/login", self._begin), Route("/login/done", self._end)]

    @property
    def _back(self) -> str:
        return f"{self._services.public_url}/login/done"

    def _begin(self, request: Request) -> Response:
        wanted = request.query_params.get("next", PLACES[0])
        until = str(int(self._services.now().timestamp()) + ASKED_S)
        state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        asked = [until, state, nonce, wanted if wanted.startswith(PLACES) else PLACES[0]]
        response = RedirectResponse(self._slack.question(self._back, state, nonce), 303, HEADERS)
        value = urlencode({"asked": "\n".join(asked), "sig": self._services.links.sign("login", *asked)})
        secure = self._services.public_url.startswith("https://")
        response.set_cookie(COOKIE, value, ASKED_S, path="/login", httponly=True, samesite="lax", secure=secure)
        return response

    def _end(self, request: Request) -> Response:
        state, nonce, wanted = self._asked(request)
        given = request.query_params.get("state", "")
        if not state or not secrets.compare_digest(state.encode(), given.encode()):
            return _refused("This login was not begun here, or took too long. Try again from the page.")
        try:
            self._slack.check(request.query_params.get("code", ""), self._back, nonce)
        except IntegrationError as error:
            log.warning("login refused", why=str(error))
            return _refused("Slack did not confirm that you belong to this workspace.")
        response = RedirectResponse(wanted, 303, HEADERS)
        let_in(response, self._services, MEMBER)
        response.delete_cookie(COOKIE, path="/login")
        return response

    def _asked(self, request: Request) -> tuple[str, str, str]:
        """(state, nonce, where to) of the login this browser began; empty where it began none."""
        cookie = parse_qs(request.cookies.get(COOKIE, ""))
        asked = cookie.get("asked", [""])[0].split("\n")
        ours = self._services.links.holds(cookie.get("sig", [""])[0], "login", *asked)
        if not ours or len(asked) != 4 or not is_ahead(asked[0], self._services.now()):
            return "", "", ""
        return asked[1], asked[2], asked[3]


def _refused(why: str) -> Response:
    return HTMLResponse(f"<!doctype html><html lang=en><title>No login</title><p>{why}</p>", 403, HEADERS)
