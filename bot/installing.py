"""`/slack/install`: a workspace installs the app (OAuth v2).

The state is worth one answer: to the browser that asked, within ten minutes.
"""

import secrets
from collections.abc import Callable
from html import escape

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.flows.installations import install
from bot.flows.services import Services
from bot.pages import HEADERS, simple_page
from bot.round_trip import RoundTrip
from integrations.http import IntegrationError
from store.installations import Installation
from store.people import first_delivery

log = structlog.get_logger(__name__)

BACK = "/slack/oauth_redirect"
NOT_BEGUN = "This was not begun here, was ended already, or took too long. Begin again at /slack/install."


class Installing:
    """The two pages of an installing; `installed` is told of each workspace."""

    def __init__(self, services: Services, installed: Callable[[Installation], object]) -> None:
        assert services.installer is not None
        self._services, self._installer, self._installed = services, services.installer, installed
        self._trip = RoundTrip(services, "install", "/slack")

    def routes(self) -> list[Route]:
        """Where an installing begins and where Slack sends whoever installs back to."""
        return [Route("/slack/install", self._begin), Route(BACK, self._end)]

    @property
    def _back(self) -> str:
        return f"{self._services.public_url}{BACK}"

    def _begin(self, request: Request) -> Response:
        state = secrets.token_urlsafe(24)
        response = RedirectResponse(self._installer.slack.question(self._back, state), 303, HEADERS)
        self._trip.begin(response, state)
        return response

    def _end(self, request: Request) -> Response:
        if self._trip.words(request) is None or not self._first(request.query_params["state"]):
            return _told("Not installed", NOT_BEGUN, 403)
        code = request.query_params.get("code", "")
        if not code:
            return _told("Not installed", "Slack says that nobody allowed it. Nothing was changed.", 403)
        try:
            installed = install(self._installer, code, self._back)
        except IntegrationError as error:
            log.warning("not installed", why=str(error))
            return _told("Not installed", "Slack did not confirm it. Begin again at /slack/install.", 502)
        self._installed(installed)
        response = _told("Installed", f"scrumbut is in {installed.name}. Type /exp there to begin.")
        self._trip.end(response)
        return response

    def _first(self, state: str) -> bool:
        with self._services.database.write() as connection:
            return first_delivery(connection, f"install:{state}", self._services.now())


def _told(title: str, words: str, status: int = 200) -> HTMLResponse:
    return simple_page(title, f"<p>{escape(words)}</p>", status)
