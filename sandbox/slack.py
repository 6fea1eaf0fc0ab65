"""A Slack workspace on loopback: the Web API methods a bot needs, views, response URLs and Socket Mode.

Names of methods, arguments and errors are Slack's. It renders nothing and checks blocks by the documented limits;
`judge` adds a stricter check.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.faults import AFTER, Faults, bad_answer
from sandbox.slack_manners import Pace, lacking_scope
from sandbox.slack_rules import Json, Refusal, check_blocks
from sandbox.slack_views import Views

RESPONSE_USES, RESPONSE_AGE_S = 5, 30 * 60
SCOPES = (
    "commands,chat:write,chat:write.public,channels:read,channels:history,files:write,groups:history,im:history,"
    "im:write,app_mentions:read,links:read,links:write,users:read,usergroups:read"
)


@dataclass(slots=True)
class Channel:
    """A channel with its messages, oldest first; `member` tells whether the bot is in it."""

    id: str
    name: str
    member: bool = True
    readable: bool = True
    messages: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Ephemeral:
    """A message only one person sees."""

    user: str
    channel: str
    message: Json
    at: float


@dataclass(slots=True)
class File:
    """An uploaded file; only a complete one may be shown."""

    name: str
    length: int
    alt: str
    content: bytes = b""
    complete: bool = False


class SlackSandbox:
    """The workspace. `app` is the ASGI application; `calls` lists every request with its answer's status."""

    def __init__(
        self,
        bot_token: str = "xoxb-sandbox",
        signing_secret: str = "0123456789abcdef0123456789abcdef",
        app_token: str = "xapp-sandbox",
        now: Callable[[], float] = time.time,
        judge: Callable[[list[Json]], list[str]] | None = None,
        judge_view: Callable[[Json], list[str]] | None = None,
        judge_options: Callable[[Json], list[str]] | None = None,
    ) -> None:
        self.bot_token, self.signing_secret, self.app_token = bot_token, signing_secret, app_token
        self.now, self.judge, self.judge_options = now, judge, judge_options
        self.team = "T0SANDBOX"
        self.scopes = SCOPES
        self.users = {"U0ANA": "ana", "U0BEN": "ben", "U0CHI": "chi"}
        self.channels = {c.id: c for c in (Channel("C0ML", "ml"), Channel("C0MGMT", "ml-managers"))}
        self.groups: dict[str, list[str]] = {"S0LEADS": ["U0BEN"]}
        self.views = Views(now, judge_view)
        self.unfurled: list[Json] = []
        self.ephemerals: list[Ephemeral] = []
        self.files: dict[str, File] = {}
        self.calls: list[Json] = []
        self.faults = Faults()
        self.pace = Pace(now)  # how often methods may be called; off, so that a story may be told in a moment
        self.sockets: list[WebSocket] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.acks: dict[str, Json] = {}
        self._responses: dict[str, Json] = {}
        self._last_ts = 0.0
        self._address = ""

    async def app(self, scope: Json, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] == "websocket":
            await self._socket(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        response = await self._answer(request, send)
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: Request, send: Any) -> Response | None:
        method = request.url.path.removeprefix("/api/").strip("/")
        args = {} if method.startswith("upload/") else await _arguments(request)
        self._address = str(request.base_url).rstrip("/")
        call: Json = {"method": method, "args": args, "status": 0, "at": self.now()}
        self.calls.append(call)
        fault = self.faults.take(method.partition("/")[0])
        if fault and fault.kind not in AFTER:
            return await bad_answer(fault, send)
        if wait_s := self.pace.wait_s(method, self._channel_id(args)):
            call["status"] = 429
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(wait_s)})
        if method.startswith("upload/"):
            body, status = self._receive_file(method.removeprefix("upload/"), await request.body())
        elif method.startswith("commands/"):
            body, status = self._respond(method.removeprefix("commands/"), args)
        else:
            body, status = self._call(method, request, args), 200
        call.update(status=status, ok=body.get("ok"))
        if fault:
            return await bad_answer(fault, send)
        headers = {"x-oauth-scopes": self.scopes, "Date": formatdate(self.now(), usegmt=True)}
        return JSONResponse(body, status, headers) if body else PlainTextResponse("ok", status)

    def _call(self, method: str, request: Request, args: Json) -> Json:
        handle = METHODS.get(method)
        try:
            if handle is None:
                raise Refusal("unknown_method", req_method=method)
            self._authorize(method, request, args)
            if lacks := lacking_scope(method, self.scopes):
                raise Refusal("missing_scope", needed=lacks, provided=self.scopes)
            return {"ok": True, **handle(self, args)}
        except Refusal as refusal:
            return refusal.body

    def _authorize(self, method: str, request: Request, args: Json) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or args.get("token", "")
        if not token:
            raise Refusal("not_authed")
        if token != (self.app_token if method == "apps.connections.open" else self.bot_token):
            raise Refusal("invalid_auth")

    # Web API

    def auth_test(self, args: Json) -> Json:
        """auth.test"""
        return {
            "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "scrumbut", "team_id": self.team,
            "user_id": "U0BOT", "bot_id": "B0BOT",
        }  # fmt: skip

    def group_users(self, args: Json) -> Json:
        """usergroups.users.list"""
        if args.get("usergroup") not in self.groups:
            raise Refusal("no_such_subteam")
        return {"users": self.groups[args["usergroup"]]}

    def chat_post(self, args: Json) -> Json:
        """chat.postMessage"""
        channel = self._channel(args, by_name=True)
        if not channel.member:
            raise Refusal("not_in_channel")
        message = self._message(args) | {"ts": self._ts(), "channel": channel.id}
        if args.get("thread_ts"):
            self._find(channel, args["thread_ts"])
            message["thread_ts"] = args["thread_ts"]
        channel.messages.append(message)
        return {"channel": channel.id, "ts": message["ts"], "message": _without_metadata(message)}

    def chat_update(self, args: Json) -> Json:
        """chat.update"""
        channel = self._channel(args)
        message = self._find(channel, args.get("ts", ""))
        kept = {name: message[name] for name in ("ts", "thread_ts", "metadata", "channel") if name in message}
        message_now = self._message(args)
        message.clear()
        message.update(message_now, **kept, edited={"user": "U0BOT", "ts": self._ts()})
        return {"channel": channel.id, "ts": message["ts"], "text": message["text"]}

    def permalink(self, args: Json) -> Json:
        """chat.getPermalink"""
        channel = self._channel(args)
        message = self._find(channel, str(args.get("message_ts", "")))
        link = f"https://sandbox.slack.com/archives/{channel.id}/p{message['ts'].replace('.', '')}"
        return {"channel": channel.id, "permalink": link}

    def chat_unfurl(self, args: Json) -> Json:
        """chat.unfurl"""
        unfurls = _decoded(args.get("unfurls"))
        if not isinstance(unfurls, dict) or not unfurls:
            raise Refusal("missing_unfurls")
        if not (args.get("channel") and args.get("ts")) and not (args.get("unfurl_id") and args.get("source")):
            raise Refusal("missing_channel")
        for shown in unfurls.values():
            problems = check_blocks(shown["blocks"]) + (self.judge(shown["blocks"]) if self.judge else [])
            if problems:
                raise Refusal("invalid_blocks", response_metadata={"messages": problems})
        self.unfurled.append({**args, "unfurls": unfurls})
        return {}

    def views_open(self, args: Json) -> Json:
        """views.open"""
        view = self.views.open(str(args.get("trigger_id", "")), _decoded(args.get("view")) or {})
        return {"view": view.payload(self.team)}

    def views_update(self, args: Json) -> Json:
        """views.update"""
        view = self.views.find(args.get("view_id", ""), args.get("external_id", ""))
        if view is None:
            raise Refusal("not_found")
        self.views.change(view, _decoded(args.get("view")) or {})
        return {"view": view.payload(self.team)}

    def views_publish(self, args: Json) -> Json:
        """views.publish"""
        if args.get("user_id") not in self.users:
            raise Refusal("user_not_found")
        view = self.views.publish(args["user_id"], _decoded(args.get("view")) or {})
        return {"view": view.payload(self.team)}

    def history(self, args: Json) -> Json:
        """conversations.history, newest first"""
        channel = self._readable(args)
        roots = [m for m in channel.messages if m.get("thread_ts") in (None, m["ts"])]
        return self._page(list(reversed(roots)), args)

    def replies(self, args: Json) -> Json:
        """conversations.replies, oldest first with the root"""
        channel = self._readable(args)
        root = self._find(channel, args.get("ts", ""), "thread_not_found")
        return self._page([m for m in channel.messages if m is root or m.get("thread_ts") == root["ts"]], args)

    def conversations(self, args: Json) -> Json:
        """conversations.list"""
        if "private_channel" in str(args.get("types", "")) and "groups:read" not in self.scopes:
            raise Refusal("missing_scope", needed="groups:read", provided=self.scopes)
        channels = [{"id": c.id, "name": c.name, "is_channel": True, "is_member": c.member}
                    for c in self.channels.values() if c.id[0] != "D"]  # fmt: skip
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
        rest = start + limit < len(channels)
        cursor = {"response_metadata": {"next_cursor": str(start + limit) if rest else ""}}
        return {"channels": channels[start : start + limit], **cursor}

    def channel_info(self, args: Json) -> Json:
        """conversations.info"""
        channel = self._channel(args)
        return {"channel": {"id": channel.id, "name": channel.name, "is_member": channel.member}}

    def validate(self, args: Json) -> Json:
        """blocks.validate"""
        blocks = _decoded(args.get("blocks")) or []
        problems = check_blocks(blocks) + (self.judge(blocks) if self.judge else [])
        if problems:
            raise Refusal("invalid_blocks", response_metadata={"messages": problems})
        return {}

    def open_conversation(self, args: Json) -> Json:
        """conversations.open"""
        if args.get("users") not in self.users:
            raise Refusal("user_not_found")
        return {"channel": {"id": self.conversation(args["users"]).id}}

    def user_info(self, args: Json) -> Json:
        """users.info"""
        user = args.get("user", "")
        if user not in self.users:
            raise Refusal("user_not_found")
        return {"user": {"id": user, "name": self.users[user], "real_name": self.users[user].title()}}

    def upload_url(self, args: Json) -> Json:
        """files.getUploadURLExternal"""
        length = int(args.get("length") or 0)
        if not args.get("filename") or length <= 0:
            raise Refusal("invalid_arguments")
        file_id = f"F{len(self.files):08d}{self.team}"
        self.files[file_id] = File(str(args["filename"]), length, str(args.get("alt_txt") or ""))
        return {"upload_url": f"{self._address}/upload/{file_id}", "file_id": file_id}

    def complete_upload(self, args: Json) -> Json:
        """files.completeUploadExternal"""
        for named in _decoded(args.get("files")) or []:
            file = self.files.get(named["id"])
            if file is None or len(file.content) != file.length:
                raise Refusal("file_not_found")
            file.complete = True
        return {"files": _decoded(args.get("files"))}

    def _receive_file(self, file_id: str, content: bytes) -> tuple[Json, int]:
        if file_id not in self.files:
            return {"ok": False, "error": "not_found"}, 404
        self.files[file_id].content = content
        return {}, 200

    def open_socket(self, args: Json) -> Json:
        """apps.connections.open; the address is completed by the request's own host"""
        return {"url": f"{self.socket_url}/link"}

    socket_url = ""  # set by whoever serves the app, such as ws://127.0.0.1:4010

    # State

    def _channel(self, args: Json, by_name: bool = False) -> Channel:
        wanted = str(args.get("channel", ""))
        named = (c for c in self.channels.values() if by_name and c.name == wanted.lstrip("#"))
        if by_name and wanted in self.users:
            return self.conversation(wanted)
        channel = self.channels.get(wanted) or next(named, None)
        if channel is None:
            raise Refusal("channel_not_found")
        return channel

    def _channel_id(self, args: Json) -> str:
        """What a call is about, whether it names the channel or tells its id."""
        wanted = str(args.get("channel", ""))
        return next((c.id for c in list(self.channels.values()) if c.name == wanted.lstrip("#")), wanted)

    def conversation(self, user: str) -> Channel:
        """The bot's own conversation with a person, named after them; it comes into being with its first message."""
        id_ = f"D{user[1:]}"
        return self.channels.setdefault(id_, Channel(id_, f"@{self.users[user]}"))

    def _readable(self, args: Json) -> Channel:
        channel = self._channel(args)
        if not (channel.member and channel.readable):
            raise Refusal("not_in_channel" if channel.readable else "missing_scope", needed="channels:history")
        return channel

    def _find(self, channel: Channel, ts: str, error: str = "message_not_found") -> Json:
        found = next((m for m in channel.messages if m["ts"] == ts), None)
        if found is None:
            raise Refusal(error)
        return found

    def _message(self, args: Json) -> Json:
        text, blocks = str(args.get("text") or ""), _decoded(args.get("blocks")) or []
        if not text and not blocks:
            raise Refusal("no_text")
        if len(text) > 40_000:
            raise Refusal("msg_too_long")
        problems = (
            check_blocks(blocks) + self._hidden_files(blocks) + (self.judge(blocks) if self.judge and blocks else [])
        )
        if problems:
            raise Refusal("invalid_blocks", response_metadata={"messages": problems})
        metadata = _decoded(args.get("metadata"))
        message = {"type": "message", "user": "U0BOT", "bot_id": "B0BOT", "text": text, "blocks": blocks}
        return message | ({"metadata": metadata} if metadata else {})

    def _hidden_files(self, blocks: list[Json]) -> list[str]:
        shown = [
            (index, block["slack_file"].get("id")) for index, block in enumerate(blocks) if block.get("slack_file")
        ]
        return [
            f"invalid slack file [json-pointer:/blocks/{index}/slack_file]"
            for index, file_id in shown
            if not (file_id in self.files and self.files[file_id].complete)
        ]

    def _page(self, messages: list[Json], args: Json) -> Json:
        oldest, latest = float(args.get("oldest") or 0), float(args.get("latest") or "inf")
        shown = [m for m in messages if oldest < float(m["ts"]) < latest]
        start, limit = int(args.get("cursor") or 0), min(int(args.get("limit") or 100), 999)
        more = start + limit < len(shown)
        page = shown[start : start + limit]
        if str(args.get("include_all_metadata", "")).lower() not in ("1", "true"):
            page = [_without_metadata(m) for m in page]
        cursor = {"response_metadata": {"next_cursor": str(start + limit)}} if more else {}
        return {"messages": page, "has_more": more, **cursor}

    def _ts(self) -> str:
        self._last_ts = max(self.now(), self._last_ts + 0.000_100)
        return f"{self._last_ts:.6f}"

    def write(self, text: str, user: str, channel: str) -> Json:
        """What a person writes in a channel; a slash command too, which Slack itself would show to nobody."""
        author = self.users[user].title()
        message = {"type": "message", "ts": self._ts(), "text": text, "blocks": [], "author": author, "user": user}
        self.channels[channel].messages.append(message)
        return message

    def messages(self, name: str) -> list[Json]:
        """The messages of a channel by name, threads' answers included, oldest first."""
        return next(c.messages for c in self.channels.values() if c.name == name)

    # Response URLs

    def response_path(self, user: str, channel: str) -> str:
        """A new response URL's path for what that person typed there."""
        key = f"{self.team}-{len(self._responses):08d}"
        self._responses[key] = {"user": user, "channel": channel, "uses": 0, "at": self.now()}
        return f"/commands/{key}"

    def _respond(self, key: str, args: Json) -> tuple[Json, int]:
        known = self._responses.get(key)
        if known is None or self.now() - known["at"] > RESPONSE_AGE_S:
            return {"ok": False, "error": "expired_url"}, 404
        known["uses"] += 1
        if known["uses"] > RESPONSE_USES:
            return {"ok": False, "error": "used_url"}, 404
        try:
            self.answer_person(known["user"], known["channel"], args)
        except Refusal as refusal:
            return refusal.body, 400
        return {}, 200

    def answer_person(self, user: str, channel: str, answer: Json) -> None:
        """What an acknowledgement or a response shows: to one person, or in the channel if it says so."""
        message = self._message(answer)
        if answer.get("response_type") == "in_channel":
            self.channels[channel].messages.append(message | {"ts": self._ts(), "channel": channel})
        else:
            self.ephemerals.append(Ephemeral(user, channel, message, float(self._ts())))

    # Socket Mode

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        self.loop = asyncio.get_running_loop()
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets) + 1})
        self.sockets.append(socket)
        try:
            while True:
                envelope = json.loads(await socket.receive_text())
                self.acks[envelope.get("envelope_id", "")] = envelope.get("payload") or {}
        except (WebSocketDisconnect, json.JSONDecodeError, KeyError):
            self.sockets.remove(socket)


METHODS: dict[str, Callable[[SlackSandbox, Json], Json]] = {
    "auth.test": SlackSandbox.auth_test,
    "chat.postMessage": SlackSandbox.chat_post,
    "chat.update": SlackSandbox.chat_update,
    "chat.getPermalink": SlackSandbox.permalink,
    "chat.unfurl": SlackSandbox.chat_unfurl,
    "views.open": SlackSandbox.views_open,
    "views.update": SlackSandbox.views_update,
    "views.publish": SlackSandbox.views_publish,
    "conversations.history": SlackSandbox.history,
    "conversations.replies": SlackSandbox.replies,
    "conversations.list": SlackSandbox.conversations,
    "conversations.info": SlackSandbox.channel_info,
    "blocks.validate": SlackSandbox.validate,
    "conversations.open": SlackSandbox.open_conversation,
    "users.info": SlackSandbox.user_info,
    "usergroups.users.list": SlackSandbox.group_users,
    "apps.connections.open": SlackSandbox.open_socket,
    "files.getUploadURLExternal": SlackSandbox.upload_url,
    "files.completeUploadExternal": SlackSandbox.complete_upload,
}


async def _arguments(request: Request) -> Json:
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        return dict(json.loads(body or b"{}"))
    return dict(request.query_params) | dict(parse_qsl(body.decode()))


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


def _without_metadata(message: Json) -> Json:
    return {name: value for name, value in message.items() if name != "metadata"}
