"""Shortcuts: a new experiment from anywhere, and one made of a message, which keeps its text and its address."""

from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt import Ack, App

from backlog.experiment import TITLE_MAX
from bot.flows.services import Caller, Services
from bot.manifest import FROM_ANYWHERE, FROM_MESSAGE
from bot.slack.answers import Place, tell
from bot.slack.blocks import Block, cut, plain
from bot.slack.buttons import clicked
from bot.slack.desk import Desk, Payload, place_of, told
from bot.slack.modals.forms import FORMS
from bot.slack.modals.opening import USED, came_from, draw_form, loading, new_name
from bot.verbs import Answer
from integrations.http import IntegrationError
from store import outbox, queue

log = structlog.get_logger(__name__)

TITLE = "New experiment"
TEXT_MAX = 2_500  # characters of a message that are kept; a text input takes 3,000
CARD = "slack:card:"


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
    _open(desk, caller, body, view)


def _channel_picker() -> Block:
    # Slack sends an address for answers with the channel, so the bot need not be a member there.
    element = {
        "type": "conversations_select", "action_id": "channel", "response_url_enabled": True,
        "default_to_current_conversation": True,
    }  # fmt: skip
    label = plain("Tell of it in")
    return {"type": "input", "block_id": "channel", "label": label, "element": element, "optional": True}


def open_from_message(desk: Desk, caller: Caller, body: Payload) -> None:
    """Show at once that something comes; the message's address has to be asked for."""
    name = new_name("message")
    if not _open(desk, caller, body, loading(TITLE, name)):
        return
    message, place = body.get("message"), place_of(body)
    args = {
        "view": name, "channel": place.channel, "url": place.response_url, "ts": told(message, "ts"),
        "thread_ts": told(message, "thread_ts"), "text": told(message, "text"),
    }  # fmt: skip
    with desk.services.database.write() as connection:
        queue.defer(connection, name, "fill_from_message", args, desk.services.now())


def _open(desk: Desk, caller: Caller, body: Payload, view: Block) -> bool:
    try:
        desk.messenger.open_view(told(body, "trigger_id"), view)
    except IntegrationError as error:
        log.warning("no modal", why=str(error))
        if error.code == USED:
            return False
        said = Answer(f"Slack did not open the form: {error.what}", more=("Type /exp new instead.",), problem="refused")
        tell(desk.services, caller, said, place_of(body))
        return False
    return True


def fill_from_message(services: Services, args: Mapping[str, Any]) -> None:
    """The queue's part: the form, filled with what the message says and where it stands; below an experiment's card it
    follows from that one. A view that was closed meanwhile is let be."""
    assert services.messenger is not None
    text = cut(args["text"].strip(), TEXT_MAX)
    title = cut(" ".join(text.split()), TITLE_MAX)
    note = f"{text}\n\nFrom {_address(services, args)}"
    given = {"title": title, "note": note, **_above(services, args)}
    meta = came_from(Place(args["channel"], args["url"]))
    view = draw_form(services, "new", FORMS["new"], given, meta) | {"external_id": args["view"]}
    try:
        services.messenger.update_view(args["view"], view, external=True)
    except IntegrationError as error:
        if not error.permanent:
            raise
        log.info("the view is closed", why=error.what)


def _address(services: Services, args: Mapping[str, Any]) -> str:
    assert services.messenger is not None
    try:
        return services.messenger.permalink(args["channel"], args["ts"])
    except IntegrationError as error:
        if not error.permanent:
            raise
        return f"a message of {args['ts']} in {args['channel']}"  # the bot may not look there


def _above(services: Services, args: Mapping[str, Any]) -> dict[str, str]:
    if not args["thread_ts"]:
        return {}
    with services.database.read() as connection:
        name = outbox.name_of_message(connection, args["channel"], args["thread_ts"])
    return {"parent": name.removeprefix(CARD)} if name.startswith(CARD) else {}
