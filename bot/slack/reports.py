"""The buttons of reports: a reviewer's three before one goes out. Each is a verb, typed by whoever clicks."""

from typing import Any

from slack_bolt import Ack, App

from bot.flows.services import Services
from bot.slack.notices import answer_click
from reports.review import APPROVE, EDIT, LINE, SKIP


def add_report_buttons(app: App, services: Services) -> None:
    """Let the app handle their clicks."""

    @app.action(APPROVE)
    def on_approve(ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        answer_click(services, body, ["report", "approve", "--id", str(action.get("value", ""))])

    @app.action(SKIP)
    def on_skip(ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        answer_click(services, body, ["report", "skip", "--id", str(action.get("value", ""))])

    @app.action(EDIT)
    def on_edit(ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        answer_click(services, body, ["report", "line", "--id", str(action.get("value", "")), "--", _line_in(body)])


def _line_in(body: dict[str, Any]) -> str:
    """What the field above the buttons holds when they are pressed."""
    values = (body.get("state") or {}).get("values") or {}
    return str(((values.get(LINE) or {}).get(LINE) or {}).get("value") or "")
