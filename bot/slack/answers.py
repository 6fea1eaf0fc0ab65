"""From a line to its answer and back to whoever asked: the same way for a typed line, a button and a modal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import click
import structlog
from sqlalchemy import Connection
from structlog.contextvars import bound_contextvars

from backlog.experiment import EXPERIMENT_KEY, ISSUE_KEY
from bot.flows.services import AlreadyDone, Caller, Services
from bot.slack.blocks import TABLE_ROWS, to_message
from bot.slack.modals.fields import EXPERIMENT, kind_of
from bot.verbs import Answer, Deferred, Request, answer, find_verb
from bot.verbs.grammar import Verb
from store import outbox, queue
from store.people import first_delivery

log = structlog.get_logger(__name__)

LATER = Answer("On it; the answer follows here.")
FULL = Answer(
    "Too much waits here just now, so this was not taken on; nothing was changed.",
    more=("What waits is done first. Please ask again in a minute.",),
    problem="refused",
)
BROKEN = Answer(
    "Something broke here, and nothing was changed. The log says more; please try again.", problem="refused"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was asked: the channel, and the address under which Slack takes answers there for half an hour;
    both empty in the Home. `thread_ts` names the message that asked, where it is answered in its thread; `open` shows
    the answer to the whole channel."""

    channel: str = ""
    response_url: str = ""
    thread_ts: str = ""
    open: bool = False


def perform(services: Services, caller: Caller, words: Sequence[str], place: Place, line: str = "") -> Answer:
    """What a line does, said at once; a slow one goes to the queue and is answered later. Never raises; a delivery
    that was handled before does nothing and says nothing. `line` is how it was typed, for the later answer."""
    found = find_verb(words)
    with bound_contextvars(**_about(words, found)):
        try:
            asked = Request(services, caller, may_defer=True, may_ask=True, rows=TABLE_ROWS, channel=place.channel)
            said = answer(words, asked)
        except Deferred:
            handed = {"words": list(words), "line": line, "place": asdict(place)}
            said = _hand_over(services, caller, handed)
        except AlreadyDone:
            said = Answer("")
        except Exception:
            log.exception("command failed")
            said = BROKEN
        log.info("command", verb=found[0] if found else "", problem=said.problem)
    return said


def _about(words: Sequence[str], found: tuple[str, Verb, list[str]] | None) -> dict[str, str]:
    """The experiment that a line is about, for the log; of what people write nothing else gets there. A goal-3 looks
    like an issue's key, so only what a verb about an experiment is about can be one."""
    kinds = (
        {kind_of(found[0], param) for param in found[1].params if isinstance(param, click.Argument)} if found else {}
    )
    forms = (EXPERIMENT_KEY, ISSUE_KEY) if EXPERIMENT in kinds else (EXPERIMENT_KEY,)
    key = next((word.upper() for form in forms for word in words if form.fullmatch(word)), "")
    return {"experiment": key} if key else {}


def _hand_over(services: Services, caller: Caller, asked: Mapping[str, Any]) -> Answer:
    args = {**asked, "user": caller.id, "name": caller.name, "delivery": caller.delivery}
    with services.database.write() as connection:
        if no_room(connection, services):
            return FULL
        # The queue forgets a finished task, so it cannot tell a late second delivery from a first one.
        fresh = first_delivery(connection, f"asked:{caller.delivery}", services.now())
        if fresh:
            queue.defer(connection, caller.delivery, "answer_words", args, services.now())
    return LATER if fresh else Answer("")


def no_room(connection: Connection, services: Services) -> bool:
    """Whether so much waits already that nothing people ask for is taken on, which the log then tells."""
    full = queue.is_full(connection, services.queue_limit)
    if full:
        log.warning("queue full", limit=services.queue_limit)
    return full


def answer_later(services: Services, args: Mapping[str, Any]) -> None:
    """The queue's part of a slow line: do it, and answer where it was asked."""
    caller, place = Caller(args["user"], args["name"], args["delivery"]), Place(**args["place"])
    try:
        said = answer(args["words"], Request(services, caller, rows=TABLE_ROWS, channel=place.channel))
    except AlreadyDone:
        return
    tell(services, caller, said, place, args["line"])


def tell(services: Services, caller: Caller, said: Answer, place: Place, line: str = "") -> None:
    """Answer where it was asked, to the person alone or to the channel with their name on it; in a message to the
    person where that place has closed. A refusal is for the person alone. At most once, and nothing twice to the same
    delivery."""
    to_all = place.open and not said.problem
    if to_all and said.text:
        said = replace(said, more=(*said.more, f"Shown by {caller.name}"))
    message = to_message(said, line, postable=bool(place.response_url) and not to_all)
    if not message["text"]:
        return
    kind, where = "slack.respond", {"response_url": place.response_url, "in_channel": to_all, "user": caller.id}
    if place.thread_ts:
        kind, where = "slack.post", {"channel": place.channel, "thread_ts": place.thread_ts}
    told = f"{'later' if said is LATER else 'told'}:{caller.delivery}"[:160]
    with services.database.write() as connection:
        if first_delivery(connection, told, services.now()):
            outbox.put(connection, f"slack:respond:{caller.delivery}"[:160], kind, {**where, **message}, services.now())
