"""What Slack does when a person types: signs a payload, hands it over, and shows what comes back within three seconds.

Over HTTP to a request URL, or through the socket that the app opened.
"""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2

from sandbox.slack import SlackSandbox

ACK_S = 3.0  # after this Slack shows operation_timeout
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Ack:
    """What the app answered: HTTP status, body, and how long it took."""

    status: int
    body: dict[str, Any]
    seconds: float
    sent: bytes = b""
    headers: dict[str, str] | None = None


class SlackEdge:
    """Types for people. `request_url` is the app's `/slack/events`, `sandbox_url` where the stand-in listens."""

    def __init__(self, sandbox: SlackSandbox, sandbox_url: str, request_url: str = "") -> None:
        self._sandbox, self._sandbox_url, self._request_url = sandbox, sandbox_url, request_url
        self._client = httpx2.Client(timeout=30)

    def command(self, text: str, user: str = "U0ANA", channel: str = "C0ML", command: str = "/exp") -> Ack:
        """Type a slash command; its answer appears to the person as Slack would show it."""
        payload = {
            "token": "sandbox",
            "team_id": self._sandbox.team,
            "team_domain": "sandbox",
            "channel_id": channel,
            "channel_name": self._sandbox.channels[channel].name,
            "user_id": user,
            "user_name": self._sandbox.users[user],
            "command": command,
            "text": text,
            "api_app_id": "A0SANDBOX",
            "is_enterprise_install": "false",
            "response_url": self._sandbox_url + self._sandbox.response_path(user, channel),
            "trigger_id": uuid4().hex,
        }
        ack = self._deliver(payload)
        self._show(ack, user, channel)
        return ack

    def replay(self, ack: Ack) -> Ack:
        """Hand over the same signed request again, as an attacker within five minutes can."""
        return self._post(ack.sent, ack.headers or {})

    def _deliver(self, payload: dict[str, str]) -> Ack:
        if self._request_url:
            body = urlencode(payload).encode()
            return self._post(body, sign(self._sandbox.signing_secret, body, time.time()))
        return self._send(payload)

    def _post(self, body: bytes, headers: dict[str, str]) -> Ack:
        began = time.perf_counter()
        response = self._client.post(self._request_url, content=body, headers=headers)
        seconds = time.perf_counter() - began
        return Ack(response.status_code, _body(response.text), seconds, body, headers)

    def _send(self, payload: dict[str, str]) -> Ack:
        sandbox, envelope_id = self._sandbox, uuid4().hex
        envelope = {"envelope_id": envelope_id, "type": "slash_commands", "payload": payload}
        if not sandbox.sockets or sandbox.loop is None:
            raise RuntimeError("no socket is open")
        began = time.perf_counter()
        sent = sandbox.sockets[-1].send_text(json.dumps({**envelope, "accepts_response_payload": True}))
        asyncio.run_coroutine_threadsafe(sent, sandbox.loop).result(ACK_S)
        while envelope_id not in sandbox.acks and time.perf_counter() - began < ACK_S:
            time.sleep(0.002)
        body = sandbox.acks.pop(envelope_id, None)
        return Ack(200 if body is not None else 504, body or {}, time.perf_counter() - began)

    def _show(self, ack: Ack, user: str, channel: str) -> None:
        if ack.status != 200 or ack.seconds > ACK_S:
            failed = {"text": "/exp failed with the error operation_timeout"}
            self._sandbox.answer_person(user, channel, failed)
        elif ack.body.get("text") or ack.body.get("blocks"):
            self._sandbox.answer_person(user, channel, ack.body)


def sign(secret: str, body: bytes, at: float) -> dict[str, str]:
    """The headers Slack sends: HMAC-SHA256 of `v0:{timestamp}:{body}`."""
    base = b"v0:%d:%s" % (int(at), body)
    signature = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"content-type": FORM, "x-slack-request-timestamp": str(int(at)), "x-slack-signature": signature}


def _body(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {"text": text}
    return found if isinstance(found, dict) else {}
