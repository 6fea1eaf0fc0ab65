"""Which addresses a source may be read from: the address that is really connected to decides, not the name.

A name is resolved once, each answer is checked, and the connection goes to a checked answer: neither a redirect nor a
DNS answer that changes between check and use gets past it.
"""

import ipaddress
import socket
import time
from collections.abc import Iterable
from typing import Any

import httpcore2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges whose last 32 bits (or, for 6to4, bits 16 to 48) hold an IPv4 address that the packet ends up at.
NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
COMPATIBLE = ipaddress.IPv6Network("::/96")
UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is given out of IPv6's public space
# Not public, whatever `is_global` says; clouds keep metadata in the first.
SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "3fff::/20")))


class AddressRefused(Exception):
    """A host leads to an address that is not public and not allowed; `host` is "host:port" as the config writes it."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} leads to {address}")
        self.host = host
        self.address = address


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, also where it hides an IPv4 address.

    `is_global` alone lets 64:ff9b::a9fe:a9fe (cloud metadata through NAT64), 2002:7f00:1:: and multicast through.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address not in UNICAST or address.teredo is not None or address.scope_id:
            return False
    if any(address in network for network in SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in (*NAT64, COMPATIBLE)):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def resolve(host: str, port: int, allow: frozenset[str]) -> list[str]:
    """The addresses of a host that may be connected to. Raises AddressRefused where there is none, OSError where the
    name is unknown.

    A name in `allow` may lead into a private network but never to a link-local address, where clouds keep their
    secrets; only that address itself, written out, allows it.
    """
    written = host_and_port(host, port)
    found = list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    passed = [text for text in found if _passes(text, host, written in allow)]
    if not passed:
        raise AddressRefused(written, found[0])
    return passed


def _passes(text: str, host: str, allowed: bool) -> bool:
    address = ipaddress.ip_address(text)
    if is_public(address):
        return True
    inner = _embedded(address) if isinstance(address, ipaddress.IPv6Address) else None
    local = (inner or address).is_link_local or address.is_multicast or address.is_unspecified
    return allowed and (text == host.strip("[]") or not local)


def host_and_port(host: str, port: int) -> str:
    """As `[security] allow_hosts` writes it: name:port, or [IPv6 address]:port."""
    bare = host.strip("[]").rstrip(".").lower()
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only, and gives a whole answer `limit_s` seconds: a server that sends a byte now
    and then never runs into the timeout of a single read."""

    def __init__(self, allow: frozenset[str], limit_s: float) -> None:
        self._allow = allow
        self._limit_s = limit_s
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """The first checked address that answers."""
        try:
            addresses = resolve(host, port, self._allow)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            return _LimitedStream(stream, self._limit_s)
        raise failure or httpcore2.ConnectError(f"{host} has no address")


class _LimitedStream(httpcore2.NetworkStream):
    """A stream whose answer to what was written last must be whole within the limit."""

    def __init__(self, inner: httpcore2.NetworkStream, limit_s: float) -> None:
        self._inner = inner
        self._limit_s = limit_s
        self._deadline = time.monotonic() + limit_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout(f"no whole answer within {self._limit_s:g} s")
        return self._inner.read(max_bytes, min(left, timeout or left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)
        self._deadline = time.monotonic() + self._limit_s

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        return _LimitedStream(self._inner.start_tls(*args, **kwargs), self._limit_s)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
