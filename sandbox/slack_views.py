"""The views of a Slack workspace: modals in stacks of at most three, and App Homes. Names and errors are Slack's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sandbox.slack_rules import Json, Refusal

TRIGGER_S = 3.0
STACK_MAX = 3
TITLE_MAX, METADATA_MAX = 24, 3000  # characters
VIEW_BLOCKS_MAX = 100


@dataclass(slots=True)
class View:
    """A view somebody has open: what it shows, and below which one it lies on their stack."""

    id: str
    user: str
    content: Json
    previous: str = ""
    changes: int = 0

    def payload(self, team: str, root: str = "") -> Json:
        """The view as Slack tells it to the app."""
        shown = self.content
        if shown["type"] == "home":
            kept: Json = {"title": None, "submit": None, "close": None}
        else:
            kept = {name: _titled(shown.get(name)) for name in ("title", "submit", "close")}
        return {
            "id": self.id, "team_id": team, "type": shown["type"], "blocks": shown["blocks"],
            "private_metadata": shown.get("private_metadata", ""), "callback_id": shown.get("callback_id", ""),
            "external_id": shown.get("external_id", ""), "state": {"values": {}}, "hash": f"{self.changes}.{self.id}",
            "clear_on_close": bool(shown.get("clear_on_close")), "notify_on_close": bool(shown.get("notify_on_close")),
            "root_view_id": root or self.id, "previous_view_id": self.previous or None, "app_id": "A0SANDBOX",
            "app_installed_team_id": team, "bot_id": "B0BOT", **kept,
        }  # fmt: skip


def _titled(text: Any) -> Json | None:
    return {"type": "plain_text", "text": text["text"], "emoji": bool(text.get("emoji", True))} if text else None


class Views:
    """All that is open, and in `shown` all that ever was. What Slack would not show raises Refusal."""

    def __init__(self, now: Callable[[], float], judge: Callable[[Json], list[str]] | None) -> None:
        self.now, self.judge = now, judge
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.shown: list[Json] = []
        self._triggers: dict[str, tuple[str, float]] = {}

    def trigger(self, user: str) -> str:
        """A new trigger id, as a click or a command carries it."""
        name = f"{int(self.now())}.{len(self._triggers)}.{uuid4().hex}"
        self._triggers[name] = (user, self.now())
        return name

    def top(self, user: str) -> View:
        """What a person looks at. Raises LookupError where no modal is open."""
        stack = self.stacks.get(user)
        if not stack:
            raise LookupError(f"{user} has no modal open")
        return stack[-1]

    def open(self, trigger_id: str, content: Json) -> View:
        """A new view for whoever the trigger belongs to, which works once and for three seconds."""
        known = self._triggers.pop(trigger_id, None)
        if known is None:
            raise Refusal("exchanged_trigger_id" if "." in trigger_id else "invalid_trigger_id")
        user, at = known
        if self.now() - at > TRIGGER_S:
            raise Refusal("expired_trigger_id")
        self._check(content, "modal")
        view = self._new(user, content)
        self.stacks[user] = [view]
        return view

    def push(self, user: str, content: Json) -> View:
        """Lay a view on top."""
        stack = self.stacks[user]
        if len(stack) >= STACK_MAX:
            raise Refusal("push_limit_reached")
        self._check(content, "modal")
        view = self._new(user, content, stack[-1].id)
        stack.append(view)
        return view

    def change(self, view: View, content: Json) -> None:
        """Show something else."""
        self._check(content, "modal")
        view.content, view.changes = content, view.changes + 1
        self.shown.append(content)

    def find(self, view_id: str = "", external_id: str = "") -> View | None:
        """An open modal by Slack's id or by the app's own."""
        views = (view for stack in self.stacks.values() for view in stack)
        return next(
            (v for v in views if (external_id and v.content.get("external_id") == external_id) or v.id == view_id), None
        )

    def publish(self, user: str, content: Json) -> View:
        """Show a person's Home."""
        self._check(content, "home")
        self.homes[user] = self._new(user, content)
        return self.homes[user]

    def _check(self, content: Json, kind: str) -> None:
        problems = self.problems(content, kind)
        if problems:
            raise Refusal("invalid_arguments", response_metadata={"messages": problems})

    def problems(self, content: Json, kind: str) -> list[str]:
        """What Slack would refuse."""
        blocks = content.get("blocks") or []
        found = [] if content.get("type") == kind else [f"type must be {kind}"]
        found += [] if 0 < len(blocks) <= VIEW_BLOCKS_MAX else [f"{len(blocks)} blocks"]
        if kind == "modal" and not 0 < len(content.get("title", {}).get("text", "")) <= TITLE_MAX:
            found.append("title")
        if len(content.get("private_metadata", "")) > METADATA_MAX:
            found.append("private_metadata")
        if any(block.get("type") in ("data_visualization", "data_table") for block in blocks):
            found.append("unsupported block")
        return found + (self.judge(content) if self.judge else [])

    def _new(self, user: str, content: Json, previous: str = "") -> View:
        self.shown.append(content)
        return View(f"V{uuid4().hex[:10].upper()}", user, content, previous)
