"""Runs a stand-in on loopback, in a thread or until Ctrl-C."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from sandbox.jira import JiraSandbox
from sandbox.slack import SlackSandbox

START_S = 10  # how long a server may take to listen


class PromptServer(uvicorn.Server):
    """Ends as soon as it is told to. The one it is made from looks ten times a second whether it should, and gives its
    connections as long again; a test with three stand-ins would wait half a second for them to end."""

    def end(self) -> None:
        """From another thread: take no more requests, and drop those that hang."""
        self._loop.call_soon_threadsafe(self._ending.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Until the end is asked for."""
        await self.on_tick(0)  # it sets the headers of every answer
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what listens and what is connected; the loop's end cancels what is still being answered."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """Serve an ASGI app on 127.0.0.1 while the block runs; yields its address without a slash at the end."""
    # Named as TCP, else asyncio leaves Nagle on, and every answer in two parts waits 40 ms for the other side.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = PromptServer(
        uvicorn.Config(
            app, log_level="error", lifespan="off", interface="asgi3", proxy_headers=False, date_header=False
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.end()
        thread.join(START_S)
        listener.close()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_forever(slack_port: int, jira_port: int, load: Path | None) -> None:
    """Both stand-ins until Ctrl-C, with the issues of a JSON-lines file if one is named."""
    slack, jira = SlackSandbox(), JiraSandbox()
    loaded = jira.load(load) if load else 0
    with ExitStack() as running:
        slack_url = running.enter_context(serving(slack.app, slack_port))
        jira_url = running.enter_context(serving(jira.app, jira_port))
        print(f"Slack stand-in: {slack_url}/api/  bot_token {slack.bot_token}  signing_secret {slack.signing_secret}")
        print(f"Jira stand-in:  {jira_url}  {jira.email} / {jira.token}, {loaded} issues")
        print("They are not Slack and not Jira. Ctrl-C ends them.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return
