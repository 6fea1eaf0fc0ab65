"""Jira's wire for one account: session and authentication by the `jira` package, retries and limits by ourselves.

Reads are tried again, writes never: the package would send a comment up to three times on a dropped connection.
"""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import requests
import stamina
from jira import JIRA
from jira.exceptions import JIRAError
from requests.adapters import HTTPAdapter

from integrations.http import PASSING, SIGNED_OUT, IntegrationError, TryAgain, read_retry_after

BODY_MAX = 64 << 20  # bytes of an answer after unpacking; a page of a hundred issues is far below
CHUNK = 64 << 10
WAIT_MAX_S = 60.0  # a longer Retry-After is left to the next round


class Wire:
    """Asks one Jira. Nothing is asked before the first call.

    `asked` counts the requests, `limits` are the newest headers that told of a rate limit, `server_time` is what Jira's
    clock said with its last answer.
    """

    def __init__(
        self, url: str, *, cloud: bool, email: str = "", token: str = "", pat: str = "", timeout_s: float, gateway: str
    ) -> None:
        self._url, self._gateway = url, gateway.rstrip("/")
        self.asked = 0
        self.limits: dict[str, str] = {}
        self.server_time: datetime | None = None
        account: dict[str, Any] = {"basic_auth": (email, token)} if cloud else {"token_auth": pat}
        self._jira = JIRA(
            url,
            options={"rest_api_version": "3" if cloud else "2"},
            max_retries=0,
            timeout=timeout_s,
            get_server_info=False,
            **account,
        )
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Capped())

    @property
    def session(self) -> requests.Session:
        """The session of `requests` below."""
        return self._jira._session

    def read(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer, asked for again where the failure may pass. Raises IntegrationError."""
        try:
            for attempt in stamina.retry_context(on=self._passes, attempts=4, timeout=None, wait_initial=0.2):
                with attempt:
                    try:
                        return self._ask(method, path, **request)
                    except IntegrationError as error:
                        if error.permanent:
                            raise
                        raise TryAgain(error) from None
        except TryAgain as passing:
            raise passing.error from None
        raise AssertionError("stamina either returns or raises")

    def write(self, method: str, path: str, body: Any) -> Any:
        """The same for what changes something: asked once. `unknown` of the error tells that it may have arrived."""
        return self._ask(method, path, json=body)

    @staticmethod
    def _passes(error: Exception) -> bool | float:
        """Whether to try again; Retry-After is the least wait, and a long one ends this round."""
        if not isinstance(error, TryAgain):
            return False
        wait = error.error.retry_after
        return True if wait is None else wait <= WAIT_MAX_S and max(wait, 0.2)

    def _address(self, path: str) -> str:
        """The full address of a call; with a gateway, the site's id is found first."""
        if self._gateway:
            self._jira._options["server"] = f"{self._gateway}/ex/jira/{self._cloud_id()}"
            self._gateway = ""  # found once
        return str(self._jira._get_url(path))

    def _cloud_id(self) -> str:
        answer = self.session.request("GET", f"{self._url}/_edge/tenant_info")
        try:
            return quote(str(answer.json()["cloudId"]), safe="")
        except (ValueError, KeyError, TypeError):
            what = f"{self._url} does not tell the id of its site."
            raise IntegrationError("Jira", what, "Check [jira] url.", permanent=True) from None

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        self.asked += 1
        try:
            response = self.session.request(method, self._address(path), **request)
            self.server_time = _read_date(response.headers.get("Date", ""))
            self.limits = _limits(response) or self.limits
            _check_signed_in(response)
        except JIRAError as error:
            if error.response is not None:
                self.limits = _limits(error.response) or self.limits
            raise _refusal(error) from None
        except requests.ConnectTimeout as error:
            raise _unanswered(error, sent=False) from None
        except requests.ConnectionError as error:
            raise _unanswered(error, sent="refused" not in str(error).lower()) from None
        except requests.RequestException as error:
            raise _unanswered(error, sent=True) from None
        try:
            return response.json() if response.content else {}
        except (ValueError, RecursionError):
            what = "it answered something that is not JSON, perhaps a login page."
            # A proxy's page may stand in front of a Jira that took the write all the same.
            raise IntegrationError("Jira", what, "Check [jira] url.", unknown=True) from None


class _TooLarge(requests.RequestException):
    """An answer that nobody meant."""


class _Capped(HTTPAdapter):
    """Reads an answer up to a size, counted after unpacking: a small one may unpack to whatever memory there is."""

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """One exchange, read to its end."""
        response = super().send(request, **{**options, "stream": True})
        body = bytearray()
        for chunk in response.iter_content(CHUNK):
            body += chunk
            if len(body) > BODY_MAX:
                response.close()
                raise _TooLarge(f"more than {BODY_MAX >> 20} MiB")
        response._content, response._content_consumed = bytes(body), True  # type: ignore[attr-defined]
        return response


def _check_signed_in(response: requests.Response) -> None:
    """An expired token is answered as nobody is: a search with 200 and fewer issues, or none."""
    if "AUTHENTICATED_FAILED" in response.headers.get("X-Seraph-LoginReason", ""):
        what = "it did not take the account, and answered what anybody may see."
        remedy = "Renew [jira] token (Cloud) or [jira] pat (Data Center)."
        raise IntegrationError("Jira", what, remedy, permanent=True, unknown=True, code=SIGNED_OUT)


LIMIT_HEADERS = (
    "X-RateLimit-Remaining",
    "X-RateLimit-Limit",
    "X-RateLimit-NearLimit",
    "RateLimit-Reason",
    "Retry-After",
)


def _limits(response: requests.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in LIMIT_HEADERS if name in response.headers}


def _refusal(error: JIRAError) -> IntegrationError:
    response = error.response
    status = int(error.status_code or 0)
    says = _messages(response) if response is not None else str(error.text)
    remedies = {
        401: "Renew [jira] token (Cloud) or [jira] pat (Data Center); a token with scopes needs [jira] scoped = true.",
        403: "Give the account the right, or check that its token is not expired.",
        404: "It is deleted, moved out of sight, or its key is wrong.",
        410: "This server speaks another version: check [jira] deployment.",
    }
    return IntegrationError(
        "Jira",
        f"it answered {status}: {says}",
        remedies.get(status, ""),
        permanent=400 <= status < 500 and status != 429,
        unknown=status >= 500,
        retry_after=_retry_after(response) if status in PASSING and response is not None else None,
        code=str(status),
    )


def _messages(response: requests.Response) -> str:
    """Jira's own words; the package drops `errorMessages` when there are `errors` too."""
    try:
        body = response.json()
        words = [
            *body.get("errorMessages", ()),
            *(f"{name}: {text}" for name, text in body.get("errors", {}).items()),
        ]
    except (ValueError, AttributeError, TypeError, RecursionError):
        words = [" ".join(response.text[:200].split())]
    return " ".join(str(word) for word in words)[:500]


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    seconds = read_retry_after(value)
    if seconds is not None or not value:
        return seconds
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at - datetime.now(at.tzinfo)).total_seconds())
    except (ValueError, TypeError):
        return None


def _read_date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None


def _unanswered(error: Exception, sent: bool) -> IntegrationError:
    what = f"it does not answer ({type(error).__name__})."
    return IntegrationError("Jira", what, "Check the network and [jira] url.", unknown=sent)
