"""What a person does on the page, handed to the stand-ins.

Each act takes what the browser sent and tells what came back; a wrong one raises LookupError or ValueError in words.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sandbox.jira import JiraSandbox
from sandbox.page.beside import Beside
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import Ack, SlackEdge, options_of
from sandbox.slack_rules import Refusal
from sandbox.slack_views import View

Json = dict[str, Any]
FORWARD_MAX = timedelta(days=31)  # at once; the reports of more weeks would all come together


class Acts:
    """A person's hands."""

    def __init__(self, slack: SlackSandbox, jira: JiraSandbox, edge: SlackEdge, beside: Beside) -> None:
        self._slack, self._jira, self._edge, self._beside = slack, jira, edge, beside
        self._known: Mapping[str, Callable[[Json], Json]] = {
            "say": self._say, "use": self._use, "use_in": self._use_in, "send": self._send, "close": self._close,
            "options": self._options, "shortcut": self._shortcut, "home": self._home, "forward": self._forward,
            "bench": self._bench, "status": self._status,
        }  # fmt: skip

    def do(self, name: str, given: Json) -> Json:
        """Do it. Raises LookupError for what is not there, ValueError for what cannot be done."""
        act = self._known.get(name)
        if act is None:
            raise LookupError(f'there is no act "{name}"')
        try:
            return act(given)
        except KeyError as error:
            raise LookupError(f"{error} is missing") from error
        except Refusal as refusal:
            raise ValueError(refusal.body["error"]) from refusal

    def _say(self, given: Json) -> Json:
        text, user, channel = str(given["text"]).strip(), self._person(given), self._channel(given)
        if not text:
            raise ValueError("there is nothing to say")
        message = self._slack.write(text, user, channel)
        command, _, line = text.partition(" ")
        if command == self._beside.command:
            return _told(self._edge.command(line.strip(), user, channel, command))
        self._let_hear(message, user, channel)
        return {}

    def _let_hear(self, message: Json, user: str, channel: str) -> None:
        """The app is told what is said in its own conversation with somebody, and elsewhere where it is named."""
        said = {"user": user, "text": message["text"], "ts": message["ts"], "channel": channel}
        if channel.startswith("D"):
            self._edge.event({"type": "message", "channel_type": "im", **said})
        elif "@scrumbut" in message["text"]:
            text = message["text"].replace("@scrumbut", "<@U0BOT>")
            self._edge.event({"type": "app_mention", **said, "text": text})

    def _use(self, given: Json) -> Json:
        message = self._message(given)
        block, element = _element(message["blocks"], given)
        user, channel = self._person(given), self._channel(given)
        block_id = block.get("block_id", "b")
        return _told(self._edge.use(element, block_id, message, user, channel, str(given.get("chosen", ""))))

    def _use_in(self, given: Json) -> Json:
        view = self._view(given)
        block, element = _element(view.content["blocks"], given)
        values, chosen = dict(given.get("values") or {}), str(given.get("chosen", ""))
        if block["type"] == "input":
            values[block["block_id"]] = chosen
        return _told(self._edge.use_in(view, element, block.get("block_id", "b"), chosen, values))

    def _send(self, given: Json) -> Json:
        return _told(self._edge.send(self._view(given), dict(given.get("values") or {})))

    def _close(self, given: Json) -> Json:
        self._view(given)
        self._edge.close(self._person(given))
        return {}

    def _options(self, given: Json) -> Json:
        self._view(given)
        ack = self._edge.ask_options(str(given["block_id"]), str(given.get("query", "")), self._person(given))
        return {"options": options_of(ack)}

    def _shortcut(self, given: Json) -> Json:
        name, user = str(given["callback_id"]), self._person(given)
        if "ts" not in given:
            return _told(self._edge.shortcut(name, user))
        return _told(self._edge.message_shortcut(name, self._message(given), user, self._channel(given)))

    def _home(self, given: Json) -> Json:
        user = self._person(given)
        self._edge.event({"type": "app_home_opened", "user": user, "channel": f"D{user[1:]}", "tab": "home"})
        return {}

    def _forward(self, given: Json) -> Json:
        span = timedelta(minutes=float(given["minutes"]))
        if not timedelta() < span <= FORWARD_MAX:
            raise ValueError(f"time goes forward, by {FORWARD_MAX.days} days at most")
        self._beside.forward(span)
        return {}

    def _bench(self, given: Json) -> Json:
        return {"said": self._beside.bench.run({str(name): str(value) for name, value in given.items()})}

    def _status(self, given: Json) -> Json:
        """What somebody does in Jira by hand."""
        name = str(given["status"])
        if name not in self._jira.workflow:
            raise LookupError(f'Jira has no status "{name}"')
        done = {"name": "Done"} if self._jira.workflow[name] == "done" else None
        self._jira.edit(str(given["key"]), status=(name, self._jira.workflow[name]), resolution=done)
        return {}

    def _person(self, given: Json) -> str:
        if given["user"] not in self._slack.users:
            raise LookupError(f'there is no person "{given["user"]}"')
        return str(given["user"])

    def _channel(self, given: Json) -> str:
        """A channel, or the app's conversation with that person, which begins with the first word."""
        channel, user = str(given["channel"]), self._person(given)
        if channel == f"D{user[1:]}":
            return self._slack.conversation(user).id
        if channel not in self._slack.channels:
            raise LookupError(f'there is no channel "{channel}"')
        return channel

    def _message(self, given: Json) -> Json:
        if "number" in given:
            return self._slack.ephemerals[int(given["number"])].message
        messages = self._slack.channels[self._channel(given)].messages
        found = next((m for m in messages if m["ts"] == given["ts"]), None)
        if found is None:
            raise LookupError("that message is gone")
        return found

    def _view(self, given: Json) -> View:
        user = self._person(given)
        home = self._slack.views.homes.get(user)
        if home is not None and home.id == given["view"]:
            return home
        view = self._slack.views.top(user)
        if view.id != given["view"]:
            raise LookupError("that form is closed")
        return view


def _element(blocks: list[Json], given: Json) -> tuple[Json, Json]:
    """The block and the element in it that were used; the page names them by place and id."""
    block = blocks[int(given["block"])]
    own = [block[name] for name in ("element", "accessory") if name in block]
    for element in [*own, *block.get("elements", ())]:
        if element.get("action_id") == given["action_id"]:
            return block, element
    raise LookupError(f'there is no "{given["action_id"]}"')


def _told(ack: Ack) -> Json:
    """What the person sees of an answer at once."""
    errors = ack.body.get("errors") if ack.body.get("response_action") == "errors" else None
    return {"status": ack.status, "in_time": ack.in_time, "ms": round(ack.seconds * 1000), "errors": errors or {}}
