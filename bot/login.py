"""Sign in with Slack (OpenID Connect), for whoever opens a page without one of the bot's links.

Only members of the bot's own workspace are let in. Slack's answer comes straight from Slack over TLS, so its token
needs no check of its signature (OpenID Connect Core 3.1.3.7); state and nonce tie it to the browser that asked.
"""

import secrets

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.config import Slack
from bot.flows.services import Services
from bot.pages import HEADERS, MEMBER, let_in
from bot.round_trip import RoundTrip
from integrations.http import IntegrationError
from integrations.slack_login import SlackLogin

log = structlog.get_logger(__name__)

PLACES = ("/reports/", "/experiments/")  # where a login may lead; anywhere else would serve a stranger's link


class Login:
    """The two pages of a login."""

    def __init__(self, settings: Slack, services: Services) -> None:
        self._services = services
        self._trip = RoundTrip(services, "login", "/login")
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
        state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        response = RedirectResponse(self._slack.question(self._back, state, nonce), 303, HEADERS)
        self._trip.begin(response, state, nonce, wanted if wanted.startswith(PLACES) else PLACES[0])
        return response

    def _end(self, request: Request) -> Response:
        begun = self._trip.words(request)
        if begun is None:
            return _refused("This login was not begun here, or took too long. Try again from the page.")
        nonce, wanted = begun
        try:
            self._slack.check(request.query_params.get("code", ""), self._back, nonce)
        except IntegrationError as error:
            log.warning("login refused", why=str(error))
            return _refused("Slack did not confirm that you belong to this workspace.")
        response = RedirectResponse(wanted, 303, HEADERS)
        let_in(response, self._services, MEMBER)
        self._trip.end(response)
        return response


def _refused(why: str) -> Response:
    return HTMLResponse(f"<!doctype html><html lang=en><title>No login</title><p>{why}</p>", 403, HEADERS)
