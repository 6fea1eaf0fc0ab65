"""`/slack/events` over HTTP: a guard in front of Bolt, which answers malformed headers with a 500 of its own."""

import re

from slack_bolt import App
from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
BODY_MAX = 1 << 20  # bytes; Slack's own payloads stay far below


class SlackEndpoint:
    """Receives Slack's requests and runs Bolt in a worker thread, so that a waiting database blocks no other."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def receive(self, request: Request) -> Response:
        """What Bolt answers; 401 where the signature cannot even be checked, 413 where the body is too large."""
        headers = request.headers
        timestamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
        if not (TIMESTAMP.fullmatch(timestamp) and SIGNATURE.fullmatch(signature)):
            return PlainTextResponse("not signed by Slack", 401)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                return PlainTextResponse("too large", 413)
        bolt_request = to_bolt_request(request, bytes(body))
        return to_starlette_response(await run_in_threadpool(self._app.dispatch, bolt_request))
