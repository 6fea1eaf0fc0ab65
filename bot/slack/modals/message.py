"""The form of a new experiment that is made of a message: its text and its address are kept, and below an experiment's
card it follows from that one.

What has to be asked for first (the address, the first message of a thread) is the queue's; a loading view stands there
meanwhile.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog

from backlog.experiment import TITLE_MAX
from bot.flows.services import Caller, Messenger, Services
from bot.slack.answers import FULL, Place, no_room, tell
from bot.slack.blocks import Block, cut
from bot.slack.desk import Desk
from bot.slack.modals.forms import FORMS
from bot.slack.modals.opening import USED, came_from, draw_form, fill, loading, new_name
from bot.slack.threads import card_above
from bot.verbs import Answer
from integrations.http import IntegrationError
from store import queue

log = structlog.get_logger(__name__)

TITLE = "New experiment"
TEXT_MAX = 2_500  # characters of a message that are kept; a text input takes 3,000
TO_THE_BOT = "<@"  # what a message begins with that speaks to somebody, and is no idea


@dataclass(frozen=True, slots=True)
class Message:
    """What the form is made of: where the message stands, its text (None where it has to be asked for), and what was
    typed already, by parameter, which wins."""

    ts: str
    thread_ts: str = ""
    text: str | None = None
    typed: Mapping[str, Any] = field(default_factory=dict)


def open_from(desk: Desk, caller: Caller, trigger_id: str, message: Message, place: Place) -> None:
    """Show at once that something comes, and let the queue fill it; where too much waits there, nothing opens."""
    with desk.services.database.read() as connection:
        full = no_room(connection, desk.services)
    if full:
        tell(desk.services, caller, FULL, place)
        return
    name = new_name("message")
    if not open_at_once(desk, caller, trigger_id, loading(TITLE, name), place):
        return
    args = {"view": name, "channel": place.channel, "url": place.response_url, **asdict(message)}
    with desk.services.database.write() as connection:
        queue.defer(connection, name, "fill_from_message", args, desk.services.now())


def open_at_once(desk: Desk, caller: Caller, trigger_id: str, view: Block, place: Place) -> bool:
    """Open the view; where Slack does not, the person is told what to type, unless this very click has opened it."""
    try:
        desk.messenger.open_view(trigger_id, view)
    except IntegrationError as error:
        log.warning("no modal", why=str(error))
        if error.code == USED:
            return False
        said = Answer(f"Slack did not open the form: {error.what}", more=("Type /exp new instead.",), problem="refused")
        tell(desk.services, caller, said, place)
        return False
    return True


def fill_from_message(services: Services, args: Mapping[str, Any]) -> None:
    """The queue's part: the form, filled with what the message says and where it stands. A view that was closed
    meanwhile is let be."""
    assert services.messenger is not None
    given = {**_said_in(services.messenger, args), **_above(services, args), **args["typed"]}
    meta = came_from(Place(args["channel"], args["url"]))
    view = draw_form(services, "new", FORMS["new"], given, meta) | {"external_id": args["view"]}
    fill(services, view)


def _said_in(messenger: Messenger, args: Mapping[str, Any]) -> dict[str, str]:
    where = (args["channel"], args["ts"])
    asked = messenger.read(*where) if args["text"] is None else args["text"]
    text = cut(asked.strip(), TEXT_MAX)
    if not text or (args["text"] is None and text.startswith(TO_THE_BOT)):
        return {}
    return {"title": cut(" ".join(text.split()), TITLE_MAX), "note": f"{text}\n\nFrom {_address(messenger, *where)}"}


def _address(messenger: Messenger, channel: str, ts: str) -> str:
    try:
        return messenger.permalink(channel, ts)
    except IntegrationError as error:
        if not error.permanent:
            raise
        return f"a message of {ts} in {channel}"  # the bot may not look there


def _above(services: Services, args: Mapping[str, Any]) -> dict[str, str]:
    key = card_above(services, args["channel"], args["thread_ts"])
    return {"parent": key} if key else {}
