"""A limit for each address that asks for pages."""

import ipaddress
import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.flows.pace import Pace

NETWORK = 64  # bits of an IPv6 address that belong to one subscriber; the rest they choose themselves
# Slack and Jira sign what they send, and what is not signed costs less than a refusal saves; probes come from inside.
UNLIMITED = re.compile(r"/slack/events|(/w/\w+)?/jira/webhook|/healthz|/readyz|/metrics")


class PacedPages:
    """The pages of an application, with a limit for each address that asks."""

    def __init__(self, app: ASGIApp, pace: Pace) -> None:
        self._app, self._pace = app, pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, or answers 429."""
        limited = scope["type"] == "http" and not UNLIMITED.fullmatch(scope["path"])
        wait_s = self._pace.wait_s(network_of(scope)) if limited else 0.0
        if wait_s:
            retry = {"Retry-After": str(int(wait_s) + 1)}
            await PlainTextResponse("too many requests", 429, retry)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def network_of(scope: Scope) -> str:
    """Who asks: the address, or the network of an IPv6 one."""
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, NETWORK), strict=False)) if address.version == 6 else host
