"""One way to the outside: sessions with limits, and refusals in one shape for every service.

Add a service by raising IntegrationError from its module; nothing here knows any particular API.
"""

import re
import ssl
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import httpcore2
import httpx2
import stamina
from pydantic import TypeAdapter, ValidationError

from integrations.guard import AddressRefused, GuardedBackend

BODY_MAX = 32 << 20  # bytes after decompression; more is an attack or a mistake
AGENT = "scrumbut"
ENCODINGS = ("", "identity", "gzip", "deflate")  # others unpack a thousandfold and more, or are nested
# Codes of refusals. Jira says 404 for "deleted" and "not visible to you" alike.
SIGNED_OUT, FORBIDDEN, NOT_FOUND = "401", "403", "404"
PASSING = (429, 502, 503, 504)  # statuses that may be gone in a moment

T = TypeVar("T")


class IntegrationError(Exception):
    """An outside service did not do what was asked.

    `permanent`: trying again unchanged cannot help. `unknown`: the request may have arrived, so a write must be
    looked up before it is sent again. `retry_after` is in seconds, as the service said; `code` is the service's own
    word for the refusal.
    """

    def __init__(
        self,
        service: str,
        what: str,
        remedy: str = "",
        *,
        permanent: bool = False,
        unknown: bool = False,
        retry_after: float | None = None,
        code: str = "",
    ) -> None:
        super().__init__(f"{service}: {what} {remedy}".strip())
        self.service = service
        self.what = what
        self.remedy = remedy
        self.permanent = permanent
        self.unknown = unknown
        self.retry_after = retry_after
        self.code = code


class TryAgain(Exception):
    """A read that may well succeed in a moment; `error` says what was wrong with it."""

    def __init__(self, error: IntegrationError) -> None:
        super().__init__(str(error))
        self.error = error


class Session:
    """Reads one service: guarded addresses, no redirects, `timeout_s` for a whole answer, at most `rate` requests a
    second and `concurrency` at a time. Threads may share it.

    Redirects are not followed: an address from the config is meant as it stands, and so are its secrets.
    """

    def __init__(
        self,
        service: str,
        *,
        headers: Mapping[str, str] | None = None,
        auth: str = "",
        timeout_s: float = 30.0,
        allow: frozenset[str] = frozenset(),
        rate: float = 50.0,
        concurrency: int = 4,
    ) -> None:
        self.service = service
        self.concurrency = concurrency
        user, _, password = auth.partition(":")
        self._client = httpx2.Client(
            transport=_GuardedTransport(allow, timeout_s),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,  # a proxy or .netrc of the environment would lead past the guard
            headers={"User-Agent": AGENT, "Accept-Encoding": "gzip", **(headers or {})},
            auth=(user, password) if auth else None,
        )
        self._pace = _Pace(rate)
        self._slots = threading.BoundedSemaphore(concurrency)

    def fetch(self, method: str, url: str, shape: TypeAdapter[T], **request: Any) -> T:
        """The JSON that a *read* answers, in its shape, tried three times where the failure may pass.

        Raises IntegrationError for every other answer, without the address's password or query in its words.
        """
        try:
            for attempt in stamina.retry_context(
                on=TryAgain, attempts=3, timeout=30, wait_initial=0.2, wait_max=5, wait_jitter=0.2
            ):
                with attempt, self._slots:
                    self._pace.wait()
                    return self._fetch_once(method, url, shape, request)
        except TryAgain as passing:
            raise passing.error from None
        raise AssertionError("stamina either returns or raises")

    def send(self, method: str, url: str, shape: TypeAdapter[T], **request: Any) -> T:
        """The same for what must not be sent twice: tried once, and `unknown` where it may have arrived."""
        try:
            with self._slots:
                self._pace.wait()
                return self._fetch_once(method, url, shape, request)
        except TryAgain as passing:
            passing.error.unknown = True
            raise passing.error from None

    def check_reachable(self, url: str) -> None:
        """Raise IntegrationError unless something answers at that address and lets us in; asks once."""
        try:
            status, body = self._exchange("GET", url, {})
        except TryAgain as passing:
            raise passing.error from None
        if status.status_code in (401, 403) or status.status_code >= 500:
            raise _refusal(self.service, status, body)

    def _fetch_once(self, method: str, url: str, shape: TypeAdapter[T], request: Mapping[str, Any]) -> T:
        status, body = self._exchange(method, url, request)
        if status.status_code in PASSING:
            raise TryAgain(_refusal(self.service, status, body))
        if status.status_code >= 300:
            raise _refusal(self.service, status, body)
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            raise self._not_understood(url, body, error) from None

    def _exchange(self, method: str, url: str, request: Mapping[str, Any]) -> tuple[httpx2.Response, bytes]:
        try:
            with self._client.stream(method, url, **request) as response:
                return response, _read(response, self.service)
        except AddressRefused as refused:
            raise IntegrationError(
                self.service,
                f"{safe_url(url)} leads to {refused.address}, which is not public.",
                f'If that is meant, add "{refused.host}" to [security] allow_hosts in config.toml.',
                permanent=True,
            ) from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpcore2.UnsupportedProtocol):
            raise IntegrationError(self.service, f'"{safe_url(url)}" is no address.', permanent=True) from None
        except (httpx2.TransportError, httpx2.DecodingError, *_BROKEN) as error:
            what = f"{safe_url(url)} does not answer ({type(error).__name__})."
            raise TryAgain(IntegrationError(self.service, what, "Check that it runs and that url is right.")) from None

    def _not_understood(self, url: str, body: bytes, error: ValidationError) -> IntegrationError:
        problem = error.errors(include_url=False, include_input=False)[0]
        if problem["type"] == "json_invalid":
            what = f"{safe_url(url)} answered something that is not JSON: {body[:60].decode(errors='replace')!r}."
            return IntegrationError(self.service, what, "Check that url names the API, not a login page.")
        where = ".".join(str(part) for part in problem["loc"])
        what = f'{safe_url(url)} answered JSON of another shape: "{where}": {problem["msg"]}.'
        return IntegrationError(self.service, what, "Check that url names the API and its version.")


_BROKEN = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that all sources are held against; to read them takes longer than most requests."""
    return httpx2.create_ssl_context()


class _GuardedTransport(httpx2.BaseTransport):
    """httpx2 over a pool of its own core whose connections are guarded."""

    def __init__(self, allow: frozenset[str], limit_s: float) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_trust(),
            max_connections=20,
            keepalive_expiry=5.0,
            network_backend=GuardedBackend(allow, limit_s),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        stream: Any = answer.stream
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(stream))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Any:
        return iter(self._stream)

    def close(self) -> None:
        self._stream.close()


class _Pace:
    """At most `rate` passes a second, evenly spaced; threads may share it."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._gap
        if at > now:
            time.sleep(at - now)


def _read(response: httpx2.Response, service: str) -> bytes:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        what = f'the answer has the content encoding "{encoding[:40]}", which was not asked for.'
        raise IntegrationError(service, what, "Check what stands between here and url.", permanent=True)
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > BODY_MAX:
            raise IntegrationError(service, f"the answer is larger than {BODY_MAX >> 20} MiB.", permanent=True)
    return bytes(body)


def _refusal(service: str, response: httpx2.Response, body: bytes) -> IntegrationError:
    status, remedy = response.status_code, ""
    says = " ".join(body[:200].decode(errors="replace").split())
    if status in (301, 302, 303, 307, 308):
        says = f"it redirects to {safe_url(response.headers.get('Location', 'nowhere'))[:200]}."
        remedy = "Redirects are not followed: write the address it should be as url."
    return IntegrationError(
        service,
        f"HTTP {status} from {safe_url(str(response.url))}: {says}",
        remedy,
        permanent=status < 500 and status != 429,
        retry_after=read_retry_after(response.headers.get("Retry-After")),
        code=str(status),
    )


def safe_url(url: str) -> str:
    """The address without user, password and query."""
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0]


def read_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header; a fraction is fine, a date or nonsense counts as none."""
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None
