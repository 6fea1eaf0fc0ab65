"""One way to the outside: sessions with limits, and refusals in one shape for every service.

Add a service by raising IntegrationError from its module; nothing here knows any particular API.
"""

import json
import re
from typing import Any

import httpx2
import stamina

BODY_MAX = 64 << 20  # bytes after decompression; more is an attack or a mistake
AGENT = "scrumbut"


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


class _TryAgain(Exception):
    """A read that may well succeed in a moment."""

    def __init__(self, error: IntegrationError) -> None:
        super().__init__(str(error))
        self.error = error


def open_client(timeout_s: float) -> httpx2.Client:
    """A session that follows no redirects: an address from the config is meant as it stands."""
    return httpx2.Client(timeout=timeout_s, follow_redirects=False, headers={"User-Agent": AGENT})


def fetch_json(client: httpx2.Client, service: str, method: str, url: str, **request: Any) -> Any:
    """The JSON that a *read* answers, tried three times where the failure may pass.

    Raises IntegrationError for every other answer, without the address's password or query in its words.
    """
    try:
        for attempt in stamina.retry_context(on=_TryAgain, attempts=3, timeout=30, wait_initial=0.2, wait_max=5):
            with attempt:
                return _fetch_once(client, service, method, url, **request)
    except _TryAgain as passing:
        raise passing.error from None
    raise AssertionError("stamina either returns or raises")


def _fetch_once(client: httpx2.Client, service: str, method: str, url: str, **request: Any) -> Any:
    try:
        with client.stream(method, url, **request) as response:
            body = _read(response, service)
    except httpx2.InvalidURL as error:
        raise IntegrationError(service, f'"{safe_url(url)}" is no address.', permanent=True) from error
    except httpx2.TransportError as error:
        what = f"{safe_url(url)} does not answer ({type(error).__name__})."
        raise _TryAgain(IntegrationError(service, what, "Check that it runs and that url is right.")) from None
    if response.status_code in (429, 502, 503, 504):
        raise _TryAgain(_refusal(service, response, body))
    if response.status_code >= 300:
        raise _refusal(service, response, body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        begin = body[:60].decode(errors="replace")
        what = f"{safe_url(url)} answered something that is not JSON: {begin!r}."
        raise IntegrationError(service, what, "Check that url names the API, not a login page.") from None


def _read(response: httpx2.Response, service: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > BODY_MAX:
            raise IntegrationError(service, f"the answer is larger than {BODY_MAX >> 20} MiB.", permanent=True)
    return bytes(body)


def _refusal(service: str, response: httpx2.Response, body: bytes) -> IntegrationError:
    says = " ".join(body[:200].decode(errors="replace").split())
    return IntegrationError(
        service,
        f"HTTP {response.status_code} from {safe_url(str(response.url))}: {says}",
        permanent=response.status_code < 500 and response.status_code != 429,
        retry_after=read_retry_after(response.headers.get("Retry-After")),
        code=str(response.status_code),
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
