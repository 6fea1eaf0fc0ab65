"""A stand-in without a network between: a transport of `requests` that calls the ASGI application itself."""

import asyncio
import threading
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict


def mount(client: Any, app: Any) -> None:
    """Let a JiraClient reach a stand-in at http://jira.test; nothing of the environment leads elsewhere."""
    client._wire.session.mount("http://jira.test", InProcess(app))
    client._wire.session.trust_env = False


class InProcess(BaseAdapter):
    """Answers as the application does; a connection that it drops raises what `requests` raises."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """One exchange."""
        cycle = _Cycle()
        _loop().run_until_complete(self._app(_scope(request), _receive(request), cycle.send))
        if cycle.dropped:
            raise requests.ConnectionError("Connection aborted.")
        response = Response()
        response.status_code, response.headers, response._content = cycle.status, cycle.headers, bytes(cycle.body)
        response.url, response.request = str(request.url), request
        return response

    def close(self) -> None:
        """Nothing is open; the loop stays for the next one."""


_loops = threading.local()


def _loop() -> asyncio.AbstractEventLoop:
    """The thread's loop: one for each exchange would cost more than the exchange."""
    if not hasattr(_loops, "own"):
        _loops.own = asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = _loops.own
    return loop


class _Cycle:
    """What the application sends back; it is its own transport, which a fault may abort."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 500, CaseInsensitiveDict[str](), bytearray()
        self.dropped = False

    @property
    def transport(self) -> "_Cycle":
        return self

    def abort(self) -> None:
        self.dropped = True

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers.update((name.decode(), value.decode()) for name, value in message["headers"])
        else:
            self.body += message.get("body", b"")


def _scope(request: PreparedRequest) -> dict[str, Any]:
    path, _, query = str(request.path_url).partition("?")
    headers = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    return {
        "type": "http", "method": request.method, "path": path, "query_string": query.encode(), "headers": headers,
    }  # fmt: skip


def _receive(request: PreparedRequest) -> Any:
    body = request.body or b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode() if isinstance(body, str) else body, "more_body": False}

    return receive
