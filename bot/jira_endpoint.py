"""`/jira/webhook`: Jira says that an issue changed. A hint and no more: the issue is read again before anything is
believed, so a late, doubled or invented event changes nothing, and without webhooks the polling is complete.
"""

import hashlib
import hmac
import json

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.flows.services import Services
from bot.flows.sync_backlog import hear_of

log = structlog.get_logger(__name__)

BODY_MAX = 8 << 20  # bytes; an event carries its whole issue, and descriptions of over 1 MB occur


class JiraEndpoint:
    """Receives Jira's events for one shared secret."""

    def __init__(self, services: Services, secret: str) -> None:
        self._services, self._secret = services, secret.encode()

    async def receive(self, request: Request) -> Response:
        """204 for a hint taken, again and again; 401 for what Jira did not sign, 413 and 400 for what is no event."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                return PlainTextResponse("too large", 413)
        given = request.headers.get("x-hub-signature", "")
        wanted = "sha256=" + hmac.new(self._secret, bytes(body), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return PlainTextResponse("not signed by Jira", 401)
        try:
            issue_id = str(json.loads(body)["issue"]["id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return PlainTextResponse("no event of an issue", 400)
        delivery = request.headers.get("x-atlassian-webhook-identifier", "")
        await run_in_threadpool(self._take, issue_id, delivery)
        return Response(status_code=204)

    def _take(self, issue_id: str, delivery: str) -> None:
        if hear_of(self._services, issue_id, delivery):
            log.info("hint taken", issue=issue_id)
