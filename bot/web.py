"""The ASGI app: Slack's requests and Jira's, the pages, and health."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from backlog.experiment import Stage
from bot.exposition import expose
from bot.flows.services import Services
from bot.login import Login
from bot.paced_pages import PacedPages
from bot.pages import HEADERS, Pages
from bot.readiness import Readiness
from reports.icons import stage_icon

log = structlog.get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


class Named:
    """Gives each request a key, which every log line of it carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        with bound_contextvars(request=uuid4().hex[:12]):
            await self._app(scope, receive, send)


def open_web(
    services: Services,
    slack: Endpoint | None,
    jira: Endpoint | None = None,
    login: Login | None = None,
    more: Sequence[BaseRoute] = (),
    readiness: Readiness | None = None,
) -> Starlette:
    """The app; without `slack` (Socket Mode, or Slack not configured) it has no `/slack/events`, without `jira` (no
    webhook secret) no `/jira/webhook`, without `login` (no client secret) its pages open by links only. `more` are the
    ways of other workspaces, and `readiness` knows what else must be at work."""
    parts = readiness or Readiness(services)

    def health(_: Request) -> Response:
        with services.database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        return JSONResponse({"ok": True})

    def ready(_: Request) -> Response:
        if problems := parts.problems():
            return JSONResponse({"ok": False, "why": "; ".join(problems)}, 503)
        return JSONResponse({"ok": True})

    def metrics(_: Request) -> Response:
        return Response(expose(services), media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        *workspace_routes(services, jira, can_sign_in=login is not None),
        *(login.routes() if login else ()),
        *more,
    ]
    if slack is not None:
        routes.append(Route("/slack/events", slack, methods=["POST"]))
    return Starlette(routes=routes, middleware=[Middleware(Named), Middleware(PacedPages, pace=services.addresses)])


def workspace_routes(services: Services, jira: Endpoint | None, can_sign_in: bool = False) -> list[BaseRoute]:
    """What each workspace has of its own."""
    routes = [Route("/stages/{stage}.svg", _stage), *Pages(services, can_sign_in).routes()]
    if jira is not None:
        routes.append(Route("/jira/webhook", jira, methods=["POST"]))
    return [*routes]


def _stage(request: Request) -> Response:
    try:
        icon = stage_icon(Stage(request.path_params["stage"]))
    except ValueError:
        return Response(status_code=404)
    return Response(icon, media_type="image/svg+xml", headers=HEADERS)
