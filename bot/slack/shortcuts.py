"""Shortcuts: a new experiment from anywhere, and one made of a message."""

from slack_bolt import Ack, App

from bot.flows.services import Caller
from bot.manifest import FROM_ANYWHERE, FROM_MESSAGE
from bot.slack.blocks import Block, plain
from bot.slack.buttons import clicked
from bot.slack.desk import Desk, Payload, place_of, told
from bot.slack.modals.forms import FORMS
from bot.slack.modals.message import Message, open_at_once, open_from
from bot.slack.modals.opening import draw_form


def register(app: App, desk: Desk) -> None:
    """Listen to both."""

    @app.shortcut(FROM_ANYWHERE)
    def on_new(ack: Ack, body: Payload) -> None:
        clicked(desk, body, open_new)
        ack()

    @app.shortcut(FROM_MESSAGE)
    def on_message(ack: Ack, body: Payload) -> None:
        clicked(desk, body, open_from_message)
        ack()


def open_new(desk: Desk, caller: Caller, body: Payload) -> None:
    """Ask for a new experiment, and in which channel to tell of it."""
    view = draw_form(desk.services, "new", FORMS["new"], {}, {}, [_channel_picker()])
    open_at_once(desk, caller, told(body, "trigger_id"), view, place_of(body))


def _channel_picker() -> Block:
    # Slack sends an address for answers with the channel, so the bot need not be a member there.
    element = {
        "type": "conversations_select", "action_id": "channel", "response_url_enabled": True,
        "default_to_current_conversation": True,
    }  # fmt: skip
    label = plain("Tell of it in")
    return {"type": "input", "block_id": "channel", "label": label, "element": element, "optional": True}


def open_from_message(desk: Desk, caller: Caller, body: Payload) -> None:
    """Ask for a new experiment made of the message."""
    message = body.get("message")
    of = Message(told(message, "ts"), told(message, "thread_ts"), told(message, "text"))
    open_from(desk, caller, told(body, "trigger_id"), of, place_of(body))
