"""Links that open one page for a while without a login, and other values that only this server can have written.

A signature covers what it is for, so that one never serves as another. The first key signs, every key is believed:
put a new one in front, and take the old one out when its links may end.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

DAY = timedelta(days=1)
JIRA_SPAN = 400 * DAY  # how long the link on an issue opens its page; each change of the stage renews it


@dataclass(frozen=True, slots=True)
class Links:
    """Signs and checks; `span` is how long a link holds."""

    keys: Sequence[bytes]
    span: timedelta = 90 * DAY

    def to(self, path: str, now: datetime, span: timedelta | None = None) -> str:
        """The path with a query that opens it. Ends at a midnight, so that within a day the link stays the same."""
        end = datetime.combine((now + (span or self.span) + DAY).astimezone(UTC).date(), time(), UTC)
        until = str(int(end.timestamp()))
        return f"{path}?until={until}&sig={self.sign('page', path, until)}"

    def admits(self, path: str, query: Mapping[str, str], now: datetime) -> bool:
        """Whether a request for that path carries a query of ours that has not ended."""
        until = query.get("until", "")
        return is_ahead(until, now) and self.holds(query.get("sig", ""), "page", path, until)

    def sign(self, *what: str) -> str:
        """A signature over these words; the first names its purpose."""
        return _signature(self.keys[0], what)

    def holds(self, signature: str, *what: str) -> bool:
        """Whether one of our keys signed these words."""
        given = signature.encode()
        return any(hmac.compare_digest(given, _signature(key, what).encode()) for key in self.keys)


def is_ahead(until: str, now: datetime) -> bool:
    """Whether a time in seconds since 1970, as a query or a cookie has it, is still to come."""
    return until.isascii() and until.isdigit() and len(until) < 12 and int(until) > now.timestamp()


def _signature(key: bytes, what: Sequence[str]) -> str:
    message = json.dumps(what).encode()  # no word can run into the next one
    return urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode().rstrip("=")
