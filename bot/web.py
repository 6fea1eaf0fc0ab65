"""The ASGI app: Slack's requests, stored reports, and health."""

from collections.abc import Awaitable, Callable
from html import escape

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from backlog.errors import NotFound
from backlog.experiment import Stage
from bot.exposition import expose
from bot.flows.services import Caller, Services
from bot.terminal import to_text
from bot.verbs import Request as VerbRequest
from bot.verbs import answer
from reports.icons import stage_icon
from store.reports import find_report, list_reports

Endpoint = Callable[[Request], Awaitable[Response]]
# A report is one file without script or request; the header holds it to that, whatever a template says.
VISITOR = Caller("", "")  # reads only, so nothing is done in anybody's name
REPORT_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}


def open_web(services: Services, slack: Endpoint | None, jira: Endpoint | None = None) -> Starlette:
    """The app; without `slack` (Socket Mode, or Slack not configured) it has no `/slack/events`, without `jira` (no
    webhook secret) no `/jira/webhook`."""

    def health(_: Request) -> Response:
        with services.database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        return JSONResponse({"ok": True})

    def report(request: Request) -> Response:
        try:
            with services.database.read() as connection:
                found = find_report(connection, request.path_params["id"])
        except NotFound as error:
            return HTMLResponse(f"<p>{escape(str(error))}</p>", 404, REPORT_HEADERS)
        return HTMLResponse(found.html, headers=REPORT_HEADERS)

    def reports(_: Request) -> Response:
        with services.database.read() as connection:
            known = list_reports(connection)
        items = "".join(f'<li><a href="/reports/{escape(id_)}">{escape(id_)}</a></li>' for id_, _, _ in known)
        page = f"<!doctype html><html lang=en><title>Reports</title><h1>Reports</h1><ul>{items}</ul>"
        return HTMLResponse(page if items else page + "<p>None yet.</p>", headers=REPORT_HEADERS)

    def experiment(request: Request) -> Response:
        said = answer(["show", request.path_params["key"]], VerbRequest(services, VISITOR))
        body = f"<!doctype html><html lang=en><title>{escape(said.text)}</title><pre>{escape(to_text(said))}</pre>"
        return HTMLResponse(body, 404 if said.problem else 200, REPORT_HEADERS)

    def stage(request: Request) -> Response:
        try:
            icon = stage_icon(Stage(request.path_params["stage"]))
        except ValueError:
            return Response(status_code=404)
        return Response(icon, media_type="image/svg+xml", headers=REPORT_HEADERS)

    def metrics(_: Request) -> Response:
        return Response(expose(services), media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route("/experiments/{key}", experiment),
        Route("/stages/{stage}.svg", stage),
        Route("/healthz", health),
        Route("/metrics", metrics),
        Route("/reports/", reports),
        Route("/reports/{id}", report),
    ]
    if slack is not None:
        routes.append(Route("/slack/events", slack, methods=["POST"]))
    if jira is not None:
        routes.append(Route("/jira/webhook", jira, methods=["POST"]))
    return Starlette(routes=routes)
