"""A modal whose line is tried first: a loading view at once, then what the trial said, then the line itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.flows.services import Caller, Services
from bot.slack.answers import FULL, no_room
from bot.slack.blocks import Block, answer_blocks, plain
from bot.slack.desk import Desk
from bot.slack.modals.opening import fill, loading, new_name, say
from bot.verbs import Answer, Deferred, Request, answer
from store import queue

WORDS = "words"  # callback_id of a view that is sent to carry out the line it holds
TITLE = "Reading once"
METADATA_MAX = 3_000  # characters
DRY = "--dry-run"


def begin(desk: Desk, caller: Caller, words: Sequence[str], meta: Mapping[str, str]) -> Answer | Block:
    """Let the queue try the line and show that it is at it; a refusal where the line is wrong already."""
    held = json.dumps({"words": list(words), **meta})
    if len(held) > METADATA_MAX:
        return Answer("That is too long to be tried here; type it as a line.", problem="refused")
    try:
        return answer(dry(words), Request(desk.services, caller, may_defer=True))
    except Deferred:
        name = new_name("trial")
    args = {"words": dry(words), "held": held, "view": name, "user": caller.id, "name": caller.name}
    with desk.services.database.write() as connection:
        if no_room(connection, desk.services):
            return FULL
        queue.defer(connection, name, "show_trial", args, desk.services.now())
    return {"response_action": "push", "view": loading(TITLE, name)}


def dry(words: Sequence[str]) -> list[str]:
    """The line that only tries."""
    at = words.index("--")
    return [*words[:at], DRY, *words[at:]]


def show_trial(services: Services, args: Mapping[str, Any]) -> None:
    """The queue's part: try, and show in the waiting view what came of it; one that was closed meanwhile is let be."""
    said = answer(args["words"], Request(services, Caller(args["user"], args["name"])))
    view = say(TITLE, *answer_blocks(said), external_id=args["view"])
    if not said.problem:
        view |= {"submit": plain("Save"), "callback_id": WORDS, "private_metadata": args["held"]}
        view["close"] = plain("Back")
    fill(services, view)
