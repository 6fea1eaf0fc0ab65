"""What the Jira stand-in tells others of: webhooks, the admin's own and the dynamic ones of apps, signed as Jira signs.

An event waits until `send` is called, so that a test may let it come late, twice, or in another order.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx2

from sandbox.refusal import Refusal

if TYPE_CHECKING:
    from sandbox.jira import JiraSandbox
    from sandbox.jira_issues import JiraIssues

Json = dict[str, Any]
LIFE = timedelta(days=30)  # of a dynamic webhook, from its registration or its last refresh
EVENTS = (
    "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated",
    "comment_deleted", "issue_property_set", "issue_property_deleted",
)  # fmt: skip


class Webhooks:
    """Who listens, and what waits to be sent."""

    def __init__(self, jira: "JiraIssues") -> None:
        self._jira = jira
        self.is_app = False  # only apps of OAuth or Connect may register dynamic ones; an API token may not
        self.secret = ""
        self._admins: list[str] = []
        self.dynamic: dict[int, Json] = {}
        self._numbers = count(1_000)
        self.waiting: list[tuple[str, bytes]] = []  # (identifier, body)

    def add(self, url: str, secret: str) -> None:
        """An admin names an address and a secret in Jira's settings."""
        self._admins.append(url)
        self.secret = secret

    def tell(self, event: str, issue: Json, now: datetime) -> None:
        """Something happened to an issue; nothing waits while nobody listens."""
        if not any(self._listeners(event, now)):
            return
        told = {"timestamp": int(now.timestamp() * 1000), "webhookEvent": event, "issue": issue}
        self.waiting.append((f"event-{next(self._numbers)}", json.dumps(told).encode()))

    def _listeners(self, event: str, now: datetime) -> Iterator[str]:
        yield from self._admins
        yield from (hook["url"] for hook in self.alive(now) if event in hook["events"])

    def alive(self, now: datetime) -> list[Json]:
        """The dynamic webhooks that have not expired."""
        return [hook for hook in self.dynamic.values() if hook["expirationDate"] > now.timestamp() * 1000]

    def send(self, times: int = 1, latest_first: bool = False) -> list[int]:
        """Send what waits, each event so often under one identifier; returns the answers' statuses."""
        events = list(reversed(self.waiting)) if latest_first else list(self.waiting)
        self.waiting.clear()
        return [self._post(url, identifier, body, retry) for identifier, body in events for retry in range(times)
                for url in self._listeners(json.loads(body)["webhookEvent"], self._jira.now())]  # fmt: skip

    def _post(self, url: str, identifier: str, body: bytes, retry: int) -> int:
        signature = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json", "X-Hub-Signature": f"sha256={signature}",
            "X-Atlassian-Webhook-Identifier": identifier, "X-Atlassian-Webhook-Retry": str(retry),
        }  # fmt: skip
        # No TLS on loopback, and reading certificates takes 40 ms.
        return httpx2.post(url, content=body, headers=headers, verify=False).status_code


def register_webhooks(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """POST webhook"""
    _check(jira)
    if not isinstance(body, dict) or not body.get("url") or not body.get("webhooks"):
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    results = []
    for wanted in body["webhooks"]:
        number = next(jira.hooks._numbers)
        events = {"events": wanted["events"], "jqlFilter": wanted["jqlFilter"]}
        jira.hooks.dynamic[number] = {"id": number, "url": body["url"], **events, "expirationDate": _expiry(jira)}
        results.append({"createdWebhookId": number})
    return 200, {"webhookRegistrationResult": results}


def read_webhooks(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET webhook: those of the calling app that are alive"""
    _check(jira)
    alive = jira.hooks.alive(jira.now())
    return 200, {"startAt": 0, "maxResults": 100, "total": len(alive), "isLast": True, "values": alive}


def refresh_webhooks(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """PUT webhook/refresh: unknown ids are ignored"""
    _check(jira)
    expiry = _expiry(jira)
    for number in body["webhookIds"]:
        if number in jira.hooks.dynamic:
            jira.hooks.dynamic[number]["expirationDate"] = expiry
    return 200, {"expirationDate": expiry}


def delete_webhooks(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """DELETE webhook: unknown ids are ignored"""
    _check(jira)
    for number in body["webhookIds"]:
        jira.hooks.dynamic.pop(number, None)
    return 202, None


def _check(jira: "JiraSandbox") -> None:
    if not jira.cloud:
        # Data Center's document has no operation for webhooks.
        raise Refusal(501, "The stand-in does not know this operation.")
    if not jira.hooks.is_app:
        raise Refusal(403)  # "Returned if the caller isn't an app"; its words are not recorded


def _expiry(jira: "JiraSandbox") -> int:
    return int((jira.now() + LIFE).timestamp() * 1000)


HOOKS = {
    function.__name__: function for function in (register_webhooks, read_webhooks, refresh_webhooks, delete_webhooks)
}
