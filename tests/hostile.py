"""Servers that do not do what they should, on loopback: each answer is written byte by byte."""

import gzip
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

Answer = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@contextmanager
def hostile(answer: Answer, hear: Callable[[bytes], object] = lambda _: None) -> Iterator[str]:
    """A server whose every connection is answered like that; gives "127.0.0.1:port". `hear` is told each request."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client had enough
                hear(_request(self.request))
                answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _request(sock: socket.socket) -> bytes:
    """A whole request; its body may come in another packet than its head."""
    got, wanted = b"", 1
    while len(got) < wanted and (part := sock.recv(65_536)):
        got += part
        head, end, _ = got.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        wanted = len(head) + len(end) + (int(length[1]) if length else 0) if end else len(got) + 1
    return got


def says(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> Answer:
    """One whole answer."""

    def answer(sock: socket.socket) -> None:
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        sock.sendall(b"HTTP/1.1 " + status + b"\r\n" + headers + length + body)

    return answer


def hangs(sock: socket.socket) -> None:
    """Takes the request and says nothing."""
    time.sleep(60)


def drips(sock: socket.socket) -> None:
    """A byte now and then: no single read ever takes long."""
    sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        sock.sendall(b" ")
        time.sleep(0.05)


def never_ends(sock: socket.socket) -> None:
    """A body without end."""
    sock.sendall(HEAD + b"Connection: close\r\n\r\n[")
    while True:
        sock.sendall(b"0," * 500_000)


def bomb(sock: socket.socket) -> None:
    """A small body that unpacks to a large one."""
    says(_packed(), b"Content-Encoding: gzip\r\n")(sock)


@cache
def _packed() -> bytes:
    return gzip.compress(bytes(100 << 20), compresslevel=1)


def redirects(sock: socket.socket) -> None:
    """To itself, for ever."""
    here: Any = sock.getsockname()
    says(b"", f"Location: http://127.0.0.1:{here[1]}/more?token=s3cret\r\n".encode(), b"302 Found")(sock)
