"""Slack's Web API as the outbox needs it: post, edit, look up, respond; and views, which a waiting person needs at
once. Never re-sends a write by itself.

The SDK's own retries are off: on a dropped connection they post twice.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from integrations.http import IntegrationError, read_retry_after

Blocks = Sequence[dict[str, Any]]
EVENT = "scrumbut_outbox"  # metadata type under which our key travels
PAGE = 200
CODE = re.compile(r"[a-z_]+")  # how Slack words a refusal
VIEW_S = 2  # seconds that opening a view may take: what a person clicked to open it holds for three

STALE = frozenset({"invalid_auth", "token_expired", "token_revoked", "account_inactive"})  # a newer token may be there

REMEDIES = {
    "not_in_channel": "Invite the bot there: /invite @scrumbut.",
    "channel_not_found": "Check [slack] channel, and invite the bot if the channel is private.",
    "is_archived": "Name another channel in [slack] channel.",
    "invalid_auth": "Set [slack] bot_token to the app's current Bot User OAuth Token.",
    "not_authed": "Set [slack] bot_token.",
    "token_revoked": "Reinstall the app and set the new [slack] bot_token.",
    "token_expired": "Reinstall the app and set the new [slack] bot_token.",
    "account_inactive": "Reinstall the app and set the new [slack] bot_token.",
    "missing_scope": "Add the scope under OAuth & Permissions and reinstall the app.",
    "no_such_subteam": "Check the user groups (S…) under [roles].",
    "expired_trigger_id": "Ask again: a view opens within three seconds of the click, or not at all.",
    "restricted_action": "Ask a workspace admin to let the bot post there.",
}


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message landed."""

    channel_id: str
    ts: str


@dataclass(frozen=True, slots=True)
class Installation:
    """Whose bot it is: the workspace, the Enterprise Grid organisation around it if there is one, the bot's own id."""

    team: str
    enterprise: str
    bot_user: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is, the scopes that were installed (None where Slack does not say), and the time at Slack."""

    team: str
    team_id: str
    user: str
    scopes: frozenset[str] | None
    said_at: datetime | None


class TokenSource(Protocol):
    """A bot token that changes: renewed before it expires, another one after the app was installed again."""

    def current(self) -> str:
        """The token to use now. Raises IntegrationError where there is none."""

    def refused(self) -> bool:
        """Slack did not take it; whether the next call will have a newer one."""


@dataclass(frozen=True, slots=True)
class _Fixed:
    token: str

    def current(self) -> str:
        return self.token

    def refused(self) -> bool:
        return False


class SlackClient:
    """One workspace's bot. Every failure is an IntegrationError that says whether the write may have arrived.

    A 429 stops the one method that Slack named it for, in this workspace, until its Retry-After is over; calls made
    meanwhile are refused here.
    """

    def __init__(
        self,
        token: str | TokenSource,
        api_url: str,
        timeout_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        installation: Installation | None = None,
    ) -> None:
        self._now = now
        self._stopped: dict[str, datetime] = {}  # method -> until when
        self._source: TokenSource = _Fixed(token) if isinstance(token, str) else token
        self._client = WebClient(base_url=api_url, timeout=int(timeout_s) or 1, retry_handlers=[])
        self._hasty = WebClient(base_url=api_url, timeout=min(int(timeout_s) or 1, VIEW_S), retry_handlers=[])
        self._installation = installation
        self._hosts = {"hooks.slack.com", "files.slack.com", urlsplit(api_url).netloc}
        self._timeout_s = timeout_s
        self._channels: dict[str, str] = {}

    def post(
        self,
        channel: str,
        text: str,
        blocks: Blocks,
        key: str,
        thread_ts: str = "",
        until: datetime | None = None,
    ) -> Posted:
        """Post to a channel (id or name) with our key in the metadata, so that it can be found again. Nothing is sent
        after `until`: a process that was stopped in the midst of it would post what another one has looked for in
        vain, and sent."""
        answer = self._call(
            self._client.chat_postMessage,
            until=until,
            channel=channel,
            text=text,
            blocks=blocks,
            thread_ts=thread_ts or None,
            metadata={"event_type": EVENT, "event_payload": {"key": key}},
            unfurl_links=False,
            unfurl_media=False,
        )
        channel_id, ts = answer.get("channel"), answer.get("ts")
        if not (isinstance(channel_id, str) and isinstance(ts, str)):
            raise IntegrationError("Slack", "it did not say where the message landed.", unknown=True)
        return Posted(channel_id, ts)

    def update(self, channel_id: str, ts: str, text: str, blocks: Blocks) -> None:
        """Edit a message; doing it twice changes nothing."""
        self._call(self._client.chat_update, channel=channel_id, ts=ts, text=text, blocks=blocks)

    def upload(self, name: str, content: bytes, alt: str) -> str:
        """Put a picture where messages may show it; returns the file's id. Nobody sees it before a message does."""
        place = self._call(self._client.files_getUploadURLExternal, filename=name, length=len(content), alt_txt=alt)
        if urlsplit(place["upload_url"]).netloc not in self._hosts:
            raise IntegrationError("Slack", "the upload address is not Slack's.", permanent=True)
        request = Request(place["upload_url"], content, {"Content-Type": "application/octet-stream"})
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:
                answer.read(1_000)
        except HTTPError as error:
            raise IntegrationError("Slack", f"the upload was refused ({error.code}).", permanent=True) from None
        except (OSError, HTTPException) as error:
            raise _unanswered(error) from None
        self._call(self._client.files_completeUploadExternal, files=[{"id": place["file_id"], "title": alt[:200]}])
        return str(place["file_id"])

    def installation(self) -> Installation:
        """Whose bot it is; asked once, where it is not known from the installing."""
        if self._installation is None:
            told = self._call(self._hasty.auth_test)
            enterprise = told.get("enterprise_id") or ""
            self._installation = Installation(told["team_id"], enterprise, told["user_id"])
        return self._installation

    def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        """Open a modal for whoever clicked; the trigger works once, within three seconds."""
        self._call(self._hasty.views_open, trigger_id=trigger_id, view=view)

    def update_view(self, view_id: str, view: Mapping[str, Any], external: bool = False) -> None:
        """Show something else in an open modal, named by Slack's id or by the one we gave it; twice changes nothing."""
        named: dict[str, Any] = {"external_id" if external else "view_id": view_id}
        self._call(self._hasty.views_update, view=view, **named)

    def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        """Show a person's App Home; twice changes nothing."""
        self._call(self._client.views_publish, user_id=user, view=view)

    def unfurl(self, where: Mapping[str, Any], unfurls: Mapping[str, Any]) -> None:
        """Show what links in a message lead to; `where` is `{"channel", "ts"}` or `{"unfurl_id", "source"}`."""
        self._call(self._client.chat_unfurl, unfurls=unfurls, **where)

    def permalink(self, channel_id: str, ts: str) -> str:
        """The lasting address of a message."""
        return str(self._call(self._client.chat_getPermalink, channel=channel_id, message_ts=ts)["permalink"])

    def read(self, channel_id: str, ts: str) -> str:
        """The text of a thread's first message; empty where there is none, or the bot may not read there."""
        try:
            found = self._call(self._client.conversations_replies, channel=channel_id, ts=ts, limit=1)["messages"]
        except IntegrationError as error:
            if not error.permanent:
                raise
            return ""
        return str(found[0].get("text") or "") if found else ""

    def identity(self) -> Identity:
        """Who the token is and what it may do."""
        said = self._call(self._client.auth_test)
        headers = {name.lower(): value for name, value in said.headers.items()}
        scopes = headers.get("x-oauth-scopes")
        return Identity(
            team=said.get("team") or "",
            team_id=said.get("team_id") or "",
            user=said.get("user") or "",
            scopes=None if scopes is None else frozenset(scope.strip() for scope in scopes.split(",")),
            said_at=_read_date(headers.get("date", "")),
        )

    def is_member(self, channel: str) -> bool:
        """Whether the bot is in a channel given by id or name. Raises IntegrationError where there is none."""
        found = self._call(self._client.conversations_info, channel=self.channel_id(channel))["channel"]
        return bool(found.get("is_member"))

    def validate(self, blocks: Blocks) -> None:
        """Let Slack look at blocks without showing them. Raises IntegrationError with what it says against them."""
        self._call(self._client.api_call, api_method="blocks.validate", json={"blocks": json.dumps(list(blocks))})

    def group_members(self, group: str) -> list[str]:
        """The ids of a user group's members."""
        return list(self._call(self._client.usergroups_users_list, usergroup=group)["users"])

    def find(self, channel: str, key: str, oldest: datetime, thread_ts: str = "") -> Posted | None:
        """The message that carries our key; None when none since `oldest` does. A permanent error means that the
        bot may not read there."""
        channel_id = self.channel_id(channel)
        for message in self._messages(channel_id, oldest, thread_ts):
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == EVENT and metadata.get("event_payload", {}).get("key") == key:
                return Posted(channel_id, message["ts"])
        return None

    def _messages(self, channel_id: str, oldest: datetime, thread_ts: str) -> Iterator[dict[str, Any]]:
        since = f"{oldest.timestamp():.6f}"
        call = self._client.conversations_replies if thread_ts else self._client.conversations_history
        where: dict[str, Any] = {
            "channel": channel_id,
            "oldest": since,
            **({"ts": thread_ts} if thread_ts else {}),
        }
        for page in self._pages(call, include_all_metadata=True, **where):
            # Some servers ignore `oldest`; without our own check an old twin could be found.
            yield from (message for message in page["messages"] if float(message["ts"]) >= float(since))

    def channel_id(self, channel: str) -> str:
        """The id of a channel given by id or name, or of the bot's conversation with a person given by id. Raises
        IntegrationError(permanent) for an unknown name."""
        name = channel.lstrip("#")
        if name[:1] in "UW" and name.isalnum() and name.isupper():
            return str(self._call(self._client.conversations_open, users=name)["channel"]["id"])
        if name[:1] in "CGD" and name.isalnum() and name.isupper():
            return name
        if name not in self._channels:
            try:
                self._learn_channels("public_channel,private_channel")
            except IntegrationError as error:
                if error.code != "missing_scope":  # groups:read is only for teams with private channels
                    raise
                self._learn_channels("public_channel")
        if name not in self._channels:
            raise IntegrationError(
                "Slack", f'there is no channel "{channel}".', REMEDIES["channel_not_found"], permanent=True
            )
        return self._channels[name]

    def _learn_channels(self, types: str) -> None:
        for page in self._pages(self._client.conversations_list, exclude_archived=True, types=types):
            self._channels |= {found["name"]: found["id"] for found in page["channels"]}

    def respond(self, response_url: str, text: str, blocks: Blocks, in_channel: bool = False) -> None:
        """Answer where a person asked, seen by them alone or in the channel; works five times within 30 minutes, and
        only at Slack. An IntegrationError of code "expired" tells that it works no more."""
        if urlsplit(response_url).netloc not in self._hosts:
            raise IntegrationError("Slack", "the response address is not Slack's.", permanent=True)
        hook = WebhookClient(response_url, timeout=int(self._timeout_s) or 1, retry_handlers=[])
        try:
            seen_by = "in_channel" if in_channel else "ephemeral"
            answer = hook.send(text=text, blocks=list(blocks), response_type=seen_by, replace_original=False)
        except (OSError, HTTPException) as error:
            raise _unanswered(error) from None
        if answer.status_code != 200:
            what = f"the response was refused ({answer.status_code})."
            code = "expired" if answer.status_code == 404 else ""
            raise IntegrationError("Slack", what, permanent=True, code=code)

    def _pages(self, call: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
        cursor = ""
        while True:
            page = self._call(call, limit=PAGE, cursor=cursor or None, **arguments)
            yield page
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def _call(self, call: Callable[..., Any], *, until: datetime | None = None, **arguments: Any) -> Any:
        method = str(arguments.get("api_method") or call.__name__)
        rest = (self._stopped.get(method, self._now()) - self._now()).total_seconds()
        if rest > 0:
            raise IntegrationError("Slack", "too many requests.", retry_after=rest, code="ratelimited")
        self._client.token = self._hasty.token = self._source.current()
        if until is not None and self._now() > until:
            raise IntegrationError("Slack", "the process was stopped, and it was too late to send.")
        try:
            return call(**arguments)
        except SlackApiError as error:
            refusal = _refusal(error)
            if refusal.code in STALE and self._source.refused():
                raise IntegrationError("Slack", "its token has changed.", retry_after=1.0, code=refusal.code) from None
            if refusal.code == "ratelimited":
                self._stopped[method] = self._now() + timedelta(seconds=refusal.retry_after or 0)
            raise refusal from None
        except (OSError, HTTPException, ValueError, RecursionError) as error:  # the last two: no JSON, or too deep
            raise _unanswered(error) from None


def check_app_level_token(token: str, api_url: str, timeout_s: float) -> None:
    """Raise IntegrationError unless Slack would open a socket for that token; none is opened."""
    client = SlackClient(token, api_url, timeout_s)
    client._call(client._client.apps_connections_open, app_token=token)


def _read_date(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None


def _refusal(error: SlackApiError) -> IntegrationError:
    response: Any = error.response
    status, code = getattr(response, "status_code", 0), str(response.get("error") or "") if response else ""
    headers = {name.lower(): value for name, value in getattr(response, "headers", {}).items()}
    if status == 429 or code == "ratelimited":
        wait = read_retry_after(str(headers.get("retry-after") or "1"))
        return IntegrationError("Slack", "too many requests.", retry_after=wait, code="ratelimited")
    if status >= 500 or not CODE.fullmatch(code) or code in ("internal_error", "fatal_error", "service_unavailable"):
        # Neither is a page of a proxy in between a refusal of Slack's.
        return IntegrationError("Slack", f"it answered {status} {code[:120]}".strip() + ".", unknown=True)
    details = "; ".join((response.get("response_metadata") or {}).get("messages", ())[:3])
    needed = f' (needs "{response["needed"]}")' if response.get("needed") else ""
    what = f'it refused with "{code}"{needed}. {details}'.strip()
    return IntegrationError("Slack", what, REMEDIES.get(code, ""), permanent=True, code=code)


def _unanswered(error: Exception) -> IntegrationError:
    """A request without an answer; where the connection was refused, nothing was sent."""
    reason = error.reason if isinstance(error, URLError) else error
    sent = not isinstance(reason, ConnectionRefusedError)
    what = f"it does not answer ({type(reason).__name__})."
    return IntegrationError("Slack", what, "Check the network and [slack] api_url.", unknown=sent)
