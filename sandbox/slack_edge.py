"""What Slack does when a person types, clicks, fills in and sends: signs a payload, hands it over, and shows what comes
back within three seconds.

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

from sandbox import slack_payloads as payloads
from sandbox.slack import SlackSandbox
from sandbox.slack_views import View

Json = dict[str, Any]
ACK_S = 3.0  # after this Slack shows operation_timeout
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
RETRIES = 3  # of an event that was not acknowledged


@dataclass(frozen=True, slots=True)
class Ack:
    """What the app answered: HTTP status, body, how long it took, and whether Slack takes it."""

    status: int
    body: Json
    seconds: float
    sent: bytes = b""
    headers: dict[str, str] | None = None
    in_time: bool = True


class SlackEdge:
    """Acts for people. `request_url` is the app's `/slack/events`, `sandbox_url` where the stand-in listens."""

    def __init__(
        self, sandbox: SlackSandbox, sandbox_url: str, request_url: str = "", patience_s: float = ACK_S
    ) -> None:
        self._sandbox, self._sandbox_url, self._request_url = sandbox, sandbox_url, request_url
        self._client = httpx2.Client(
            timeout=30, verify=False
        )  # no TLS on loopback, and reading certificates takes 40 ms
        self._patience_s = patience_s
        self.sent: list[Json] = []

    def command(
        self, text: str, user: str = "U0ANA", channel: str = "C0ML", command: str = "/exp", user_team: str = ""
    ) -> Ack:
        """Type a slash command; its answer appears to the person as Slack would show it."""
        payload = {
            "token": "sandbox",
            "team_id": user_team or self._sandbox.team,
            "team_domain": "sandbox",
            "channel_id": channel,
            "channel_name": self._sandbox.channels[channel].name,
            "user_id": user,
            "user_name": self._sandbox.users[user],
            "command": command,
            "text": text,
            "api_app_id": payloads.APP,
            "is_enterprise_install": "false",
            "response_url": self._response_url(user, channel),
            "trigger_id": self._sandbox.views.trigger(user),
        }
        ack = self._deliver("slash_commands", payload)
        self._show(ack, user, channel)
        return ack

    def click(self, label: str, message: Json, user: str = "U0ANA", channel: str = "C0ML", user_team: str = "") -> Ack:
        """Press the button of that label under a message."""
        block, button = _button(message["blocks"], label)
        return self.use(button, block.get("block_id", "b"), message, user, channel, user_team=user_team)

    def use(
        self,
        element: Json,
        block_id: str,
        message: Json,
        user: str,
        channel: str,
        chosen: str = "",
        user_team: str = "",
    ) -> Ack:
        """Press a button, or choose in a menu, under a message; an ephemeral one has no `ts` of its own that the app
        could use."""
        ts = message.get("ts") or f"{self._sandbox.now():.6f}"
        payload = self._interaction("block_actions", user, user_team) | {
            "container": {
                "type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": "ts" not in message,
            },
            "channel": {"id": channel, "name": self._sandbox.channels[channel].name},
            "response_url": self._response_url(user, channel),
            "actions": [payloads.action_of(element, block_id, self._sandbox.now(), chosen)],
        }  # fmt: skip
        if "ts" in message:
            payload["message"] = {name: message[name] for name in message if name not in ("metadata", "channel")}
        return self._act(payload)

    def click_view(self, label: str, view: View, given: Json | None = None, user_team: str = "") -> Ack:
        """Press a button in a modal or in the App Home."""
        block, button = _button(view.content["blocks"], label)
        return self.use_in(view, button, block.get("block_id", "b"), "", given or {}, user_team)

    def choose(self, block_id: str, value: str, user: str = "U0ANA", given: Json | None = None) -> Ack:
        """Choose in an input that tells the app at once, in the modal a person has open."""
        view = self._sandbox.views.top(user)
        block = next(b for b in view.content["blocks"] if b.get("block_id") == block_id)
        return self.use_in(view, block["element"], block_id, value, {**(given or {}), block_id: value})

    def use_in(self, view: View, element: Json, block_id: str, chosen: str, given: Json, user_team: str = "") -> Ack:
        """Press or choose in a view, while `given` stands in its inputs."""
        shown = self._view(view, given)
        return self._act(
            self._interaction("block_actions", view.user, user_team)
            | {
                "container": {"type": "view", "view_id": view.id},
                "view": shown,
                "actions": [payloads.action_of(element, block_id, self._sandbox.now(), chosen)],
            }
        )

    def submit(self, user: str = "U0ANA", user_team: str = "", **given: Any) -> Ack:
        """Fill in the modal a person has open and send it. Names are block ids' last word (`goal_add__key` for two of
        one name). Raises LookupError where a required input is empty, as Slack does not send it then."""
        view = self._sandbox.views.top(user)
        return self.send(
            view, {_block_id(view.content["blocks"], name): value for name, value in given.items()}, user_team
        )

    def send(self, view: View, values: Json, user_team: str = "") -> Ack:
        """Send a modal with these values by block id, and show what the app answers."""
        user, shown = view.user, self._view(view, values)
        missing = payloads.missing_in(view.content["blocks"], shown["state"])
        if missing:
            raise LookupError(f"please fill in {', '.join(missing)}")
        payload = self._interaction("view_submission", user, user_team) | {"view": shown}
        payload["response_urls"] = self._response_urls(view.content["blocks"], shown["state"], user)
        ack = self._deliver("interactive", payload)
        if ack.in_time:
            self._follow(view, ack.body)
        return ack

    def close(self, user: str = "U0ANA") -> None:
        """Close the modal on top."""
        self._sandbox.views.stacks[user].pop()

    def suggest(self, block_id: str, query: str, user: str = "U0ANA", user_team: str = "") -> list[str]:
        """Type into a select that asks the app; the texts of what it offers."""
        return [option["text"]["text"] for option in options_of(self.ask_options(block_id, query, user, user_team))]

    def ask_options(self, block_id: str, query: str, user: str, user_team: str = "") -> Ack:
        """What the app answers to what was typed into such a select."""
        view = self._sandbox.views.top(user)
        block = next(b for b in view.content["blocks"] if b.get("block_id") == block_id)
        payload = self._interaction("block_suggestion", user, user_team) | {
            "action_id": block["element"]["action_id"], "block_id": block_id, "value": query,
            "container": {"type": "view", "view_id": view.id}, "view": self._view(view, {}),
        }  # fmt: skip
        del payload["trigger_id"]
        ack = self._deliver("interactive", payload)
        if ack.in_time and self._sandbox.judge_options and (problems := self._sandbox.judge_options(ack.body)):
            raise ValueError(f"Slack would not show these options: {problems}")
        return ack

    def shortcut(self, callback_id: str, user: str = "U0ANA", user_team: str = "") -> Ack:
        """Use a global shortcut."""
        payload = self._interaction("shortcut", user, user_team) | {"callback_id": callback_id, "action_ts": "1.1"}
        return self._act(payload)

    def message_shortcut(
        self, callback_id: str, message: Json, user: str = "U0ANA", channel: str = "C0ML", user_team: str = ""
    ) -> Ack:
        """Use a shortcut on a message."""
        payload = self._interaction("message_action", user, user_team) | {
            "callback_id": callback_id, "message_ts": message["ts"], "action_ts": "1.1",
            "channel": {"id": channel, "name": self._sandbox.channels[channel].name},
            "response_url": self._response_url(user, channel),
            "message": {name: message[name] for name in message if name not in ("metadata", "channel", "author")},
        }  # fmt: skip
        del payload["api_app_id"], payload["user"]["username"]  # the one interaction that does not tell them
        return self._act(payload)

    def event(self, body: Json, shared: bool = False, lose: int = 0) -> list[Ack]:
        """Let something happen that the app listens to. The first `lose` answers are lost on the way, and whatever
        was not acknowledged is sent again, three times at most."""
        payload = payloads.event(self._sandbox.team, "U0BOT", body, self._sandbox.now(), shared)
        acks = []
        for attempt in range(RETRIES + 1):
            again = {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": "http_timeout"} if attempt else {}
            acks.append(self._deliver("events_api", payload, again))
            if acks[-1].in_time and attempt >= lose:
                break
        return acks

    def replay(self, ack: Ack) -> Ack:
        """Hand over the same signed request again, as an attacker within five minutes can."""
        return self._post(ack.sent, ack.headers or {})

    def _act(self, payload: Json) -> Ack:
        return self._deliver("interactive", payload)

    def _interaction(self, kind: str, user: str, user_team: str = "") -> Json:
        sandbox = self._sandbox
        begun = payloads.envelope(kind, sandbox.team, user, sandbox.users[user], user_team)
        return begun | {"trigger_id": sandbox.views.trigger(user)}

    def _view(self, view: View, given: Json) -> Json:
        stack = self._sandbox.views.stacks.get(view.user) or [view]
        shown = view.payload(self._sandbox.team, stack[0].id)
        return shown | {"state": payloads.state_of(view.content["blocks"], given)}

    def _follow(self, view: View, told: Json) -> None:
        views, action = self._sandbox.views, told.get("response_action")
        stack = views.stacks[view.user]
        if action == "errors":
            inputs = {block.get("block_id") for block in view.content["blocks"] if block["type"] == "input"}
            if not told["errors"] or not set(told["errors"]) <= inputs:
                raise ValueError(f"errors for {set(told['errors'])}, but the view has {inputs}")
        elif action == "update":
            views.change(view, told["view"])
        elif action == "push":
            views.push(view.user, told["view"])
        elif action == "clear":
            stack.clear()
        else:
            stack.pop()

    def _response_url(self, user: str, channel: str) -> str:
        return self._sandbox_url + self._sandbox.response_path(user, channel)

    def _response_urls(self, blocks: list[Json], state: Json, user: str) -> list[Json]:
        asked = [b for b in blocks if b["type"] == "input" and b["element"].get("response_url_enabled")]
        found = []
        for block in asked:
            action_id = block["element"]["action_id"]
            channel = state["values"][block["block_id"]][action_id].get("selected_conversation")
            if channel:
                url = {"channel_id": channel, "response_url": self._response_url(user, channel)}
                found.append({"block_id": block["block_id"], "action_id": action_id, **url})
        return found

    def _deliver(self, kind: str, payload: Json, headers: dict[str, str] | None = None) -> Ack:
        self.sent.append({"kind": kind, "payload": payload})
        if not self._request_url:
            return self._send(kind, payload)
        if kind == "events_api":
            body, media = json.dumps(payload).encode(), JSON
        else:
            form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, media = urlencode(form).encode(), FORM
        signed = sign(self._sandbox.signing_secret, body, time.time())
        return self._post(body, {**signed, "content-type": media, **(headers or {})})

    def _post(self, body: bytes, headers: dict[str, str]) -> Ack:
        began = time.perf_counter()
        response = self._client.post(self._request_url, content=body, headers=headers)
        seconds = time.perf_counter() - began
        in_time = response.status_code == 200 and seconds <= self._patience_s
        return Ack(response.status_code, _body(response.text), seconds, body, headers, in_time)

    def _send(self, kind: str, payload: Json) -> Ack:
        sandbox, envelope_id = self._sandbox, uuid4().hex
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload}
        if not sandbox.sockets or sandbox.loop is None:
            raise RuntimeError("no socket is open")
        began = time.perf_counter()
        sent = sandbox.sockets[-1].send_text(json.dumps({**envelope, "accepts_response_payload": True}))
        asyncio.run_coroutine_threadsafe(sent, sandbox.loop).result(self._patience_s)
        while envelope_id not in sandbox.acks and time.perf_counter() - began < self._patience_s:
            time.sleep(0.002)
        body = sandbox.acks.pop(envelope_id, None)
        seconds = time.perf_counter() - began
        return Ack(200 if body is not None else 504, body or {}, seconds, in_time=body is not None)

    def _show(self, ack: Ack, user: str, channel: str) -> None:
        if not ack.in_time:
            failed = {"text": "/exp failed with the error operation_timeout"}
            self._sandbox.answer_person(user, channel, failed)
        elif ack.body.get("text") or ack.body.get("blocks"):
            self._sandbox.answer_person(user, channel, ack.body)


def _button(blocks: list[Json], label: str) -> tuple[Json, Json]:
    for block in blocks:
        for element in [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else [])]:
            if element.get("type") == "button" and element["text"]["text"] == label:
                return block, element
    raise LookupError(f'there is no button "{label}"')


def options_of(ack: Ack) -> list[Json]:
    """What a select offers, whether it comes in groups or not."""
    groups = ack.body.get("option_groups") or [ack.body]
    return [option for group in groups for option in group.get("options", ())]


def _block_id(blocks: list[Json], name: str) -> str:
    ids = [block["block_id"] for block in blocks if block["type"] == "input"]
    wanted = name.replace("__", ".")
    found = [one for one in ids if one == wanted or one.rpartition(".")[2] == wanted or one.replace(" ", "_") == wanted]
    if len(found) != 1:
        raise LookupError(f'"{name}" is not one of {ids}')
    return str(found[0])


def sign(secret: str, body: bytes, at: float) -> dict[str, str]:
    """The headers Slack sends: HMAC-SHA256 of `v0:{timestamp}:{body}`."""
    base = b"v0:%d:%s" % (int(at), body)
    signature = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"content-type": FORM, "x-slack-request-timestamp": str(int(at)), "x-slack-signature": signature}


def _body(text: str) -> Json:
    try:
        found = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {"text": text}
    return found if isinstance(found, dict) else {}
