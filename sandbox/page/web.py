"""Serves the page, tells it what changed, and takes what a person does. For this machine alone: nobody logs in here."""

import asyncio
import json
from collections.abc import AsyncIterator
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.jira import JiraSandbox
from sandbox.page.acts import Acts
from sandbox.page.beside import Beside
from sandbox.page.scene import constants_of, scene_of
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge

FILES = Path(__file__).parent / "files"
BEAT_S = 0.3  # how long a change takes to be seen
KEEP_ALIVE_BEATS = 40
LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# A document is somebody else's HTML: it is shown in a frame that runs nothing and asks for nothing.
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox allow-popups"


class Page:
    """The page over the stand-ins. `app` is the ASGI application; `close` lets open connections end."""

    def __init__(self, slack: SlackSandbox, jira: JiraSandbox, edge: SlackEdge, beside: Beside) -> None:
        self._slack, self._jira, self._beside = slack, jira, beside
        self._acts = Acts(slack, jira, edge, beside)
        self._closed = False
        routes = [
            Route("/", lambda _: _file("index.html")),
            Route("/files/{name}", lambda request: _file(request.path_params["name"])),
            Route("/constants", lambda _: JSONResponse(constants_of(beside))),
            Route("/changes", self._changes),
            Route("/documents/{id}", self._document),
            Route("/uploads/{id}", self._upload),
            Route("/acts/{name}", self._act, methods=["POST"]),
        ]
        self.app: ASGIApp = _Guard(Starlette(routes=routes))

    def close(self) -> None:
        """End what is streamed."""
        self._closed = True

    def _changes(self, _: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        """Server-sent events: first everything, then what is different, as {"set": {id: item}, "gone": [id]}."""
        told: dict[str, str] = {}
        beat = 0
        while not self._closed:
            scene = await run_in_threadpool(scene_of, self._slack, self._jira, self._beside)
            now = {id_: json.dumps(item) for id_, item in scene.items()}
            gone = [id_ for id_ in told if id_ not in now]
            changed = ",".join(f"{json.dumps(id_)}:{text}" for id_, text in now.items() if told.get(id_) != text)
            if changed or gone:
                yield f'data: {{"set":{{{changed}}},"gone":{json.dumps(gone)}}}\n\n'
            elif beat % KEEP_ALIVE_BEATS == 0:
                yield ": still here\n\n"
            told, beat = now, beat + 1
            await asyncio.sleep(BEAT_S)

    async def _act(self, request: Request) -> Response:
        try:
            given = await request.json()
            if not isinstance(given, dict):
                raise ValueError("an act takes an object")
            return JSONResponse(await run_in_threadpool(self._acts.do, request.path_params["name"], given))
        except (LookupError, ValueError) as error:
            return JSONResponse({"error": str(error.args[0] if error.args else error)}, 400)

    def _document(self, request: Request) -> Response:
        try:
            html = self._beside.read(request.path_params["id"])
        except LookupError as error:
            return Response(str(error), 404)
        return HTMLResponse(html, headers={"Content-Security-Policy": DOCUMENT_POLICY})

    def _upload(self, request: Request) -> Response:
        file = self._slack.files.get(request.path_params["id"])
        if file is None or not file.complete:
            return Response("not found", 404)
        return Response(file.content, media_type=guess_type(file.name)[0] or "application/octet-stream")


class _Guard:
    """Only this machine's own page may ask: a foreign page that a browser has open could otherwise act here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not _own(headers):
            await Response("This page is for this machine alone.", 403)(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send))


def _own(headers: dict[str, str]) -> bool:
    host, origin = headers.get("host", ""), headers.get("origin")
    known = urlsplit(f"//{host}").hostname in LOOPBACK
    return known and origin in (None, f"http://{host}")


def _with_headers(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message["headers"]}
            extra: list[tuple[bytes, bytes]] = [
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
            ]
            if b"content-security-policy" not in named:
                extra.append((b"content-security-policy", POLICY.encode()))
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return sending


def _file(name: str) -> Response:
    path = FILES / name
    return FileResponse(path) if path.parent == FILES and path.is_file() else Response("not found", 404)
