"""The buttons under notices and reminders: each is a verb, typed by whoever clicks."""

from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App

from bot.flows.remind_deciders import SNOOZE
from bot.flows.services import AlreadyDone, Caller, Services
from bot.flows.tell_subscribers import UNSUBSCRIBE
from bot.slack.blocks import to_message
from bot.verbs import Request, answer
from store import outbox


def add_notice_buttons(app: App, services: Services) -> None:
    """Let the app handle their clicks."""

    @app.action(UNSUBSCRIBE)
    def on_unsubscribe(ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        answer_click(services, body, ["unsubscribe", str(action.get("value", ""))])

    @app.action(SNOOZE)
    def on_snooze(ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        answer_click(services, body, ["snooze", str(action.get("value", ""))])


def answer_click(services: Services, body: Mapping[str, Any], words: list[str]) -> None:
    """Run the line that a button stands for and answer only to whoever clicked; the same click again does nothing."""
    user, delivery = body.get("user") or {}, f"click:{body.get('trigger_id', '')}"
    caller = Caller(str(user.get("id", "")), str(user.get("username") or user.get("name") or ""), delivery)
    try:
        said = answer(words, Request(services, caller))
    except AlreadyDone:
        return
    payload = {"response_url": str(body.get("response_url", "")), **to_message(said)}
    with services.database.write() as connection:
        outbox.put(connection, f"slack:respond:{delivery}", "slack.respond", payload, services.now())
