"""`/slack/events` over HTTP: a guard in front of Bolt, which parses a body before it checks who sent it.

Malformed headers and bodies would each be an unauthenticated 500 with a traceback there.
"""

import re
from collections.abc import Callable

import structlog
from slack_bolt import App
from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
from slack_sdk.signature import SignatureVerifier
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

log = structlog.get_logger(__name__)

TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
Others = Callable[[str, str], App | None]  # (enterprise, team) -> the app of a workspace that installed it
NOT_HERE = "scrumbut is not installed in this workspace."
BODY_MAX = 1 << 20  # bytes; Slack's own payloads stay far below


class SlackEndpoint:
    """Receives Slack's requests and runs Bolt in a worker thread, so that a waiting database blocks no other."""

    def __init__(self, app: App | None, signing_secret: str, others: Others | None = None) -> None:
        """`app` is that of the workspace at home, None where there is none; `others` finds those of the rest."""
        self._app, self._others = app, others
        self._verifier = SignatureVerifier(signing_secret)

    async def receive(self, request: Request) -> Response:
        """What Bolt answers; 401 for what Slack did not sign, 413 for too much, 400 for what cannot be read."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                return PlainTextResponse("too large", 413)
        if not self._signed(request, bytes(body)):
            return PlainTextResponse("not signed by Slack", 401)
        try:
            answer = await run_in_threadpool(self._dispatch, request, bytes(body))
        except Exception as error:  # Bolt's parsing raises whatever a malformed payload makes it stumble over
            log.warning("unreadable request", why=f"{type(error).__name__}: {error}"[:200])
            return PlainTextResponse("unreadable", 400)
        return answer

    def _signed(self, request: Request, body: bytes) -> bool:
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        # The verifier trusts the form of both; what it would stumble over is not Slack's.
        if not (TIMESTAMP.fullmatch(timestamp) and SIGNATURE.fullmatch(signature)):
            return False
        try:
            return self._verifier.is_valid(body.decode(), timestamp, signature)
        except UnicodeDecodeError:
            return False

    def _dispatch(self, request: Request, body: bytes) -> Response:
        asked = to_bolt_request(request, body)
        app = self._app
        if self._others is not None:
            app = self._others(asked.context.enterprise_id or "", asked.context.team_id or "") or self._app
        if app is None:
            return PlainTextResponse(NOT_HERE)  # Slack shows it to whoever typed; an event is not sent again
        response: Response = to_starlette_response(app.dispatch(asked))
        return response
