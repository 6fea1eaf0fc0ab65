"""What happens in Slack: the Home is opened, the bot is spoken to, a link to us is shared.

Slack sends an event again until it is acknowledged. Nothing is marked as handled beforehand, for a crash would lose it:
an answer is told once to a delivery, a link is shown once in its span, and a Home may be drawn twice.
"""

import re
from collections.abc import Callable

from slack_bolt import Ack, App

from backlog.errors import BacklogError
from bot.flows.read_backlog import find_past
from bot.flows.services import Caller
from bot.slack.answers import LATER, Place, perform, tell
from bot.slack.desk import Desk, Payload, told
from bot.slack.home import refresh_home
from bot.slack.threads import meant_in
from bot.slack.unfurls import unfurl_links
from bot.verbs import Answer, find_verb, names_family, split_line
from bot.verbs.grammar import menu

MENTION = re.compile(r"<@[UW][A-Z0-9]+(\|[^>]*)?>")
NEAREST = 3  # experiments that plain words are answered with


def register(app: App, desk: Desk) -> None:
    """Listen to events."""

    @app.event("app_home_opened")
    def on_home(ack: Ack, body: Payload) -> None:
        _happened(desk, body, lambda caller: refresh_home(desk.services, caller.id))
        ack()

    @app.event("app_mention")
    def on_mention(ack: Ack, body: Payload) -> None:
        _happened(desk, body, lambda caller: reply(desk, caller, body))
        ack()

    @app.event("message")
    def on_message(ack: Ack, body: Payload) -> None:
        if told(body, "event", "channel_type") == "im":
            _happened(desk, body, lambda caller: reply(desk, caller, body))
        ack()

    @app.event("link_shared")
    def on_link(ack: Ack, body: Payload) -> None:
        _happened(desk, body, lambda _: unfurl_links(desk.services, body))
        ack()


def _happened(desk: Desk, body: Payload, act: Callable[[Caller], object]) -> None:
    """Act for a member of our workspace; never on what a bot did."""
    event = body.get("event")
    if told(event, "bot_id") or told(event, "subtype") or not told(event, "user"):
        return
    team = told(event, "user_team") or told(event, "team") or told(body, "team_id")
    try:
        caller = desk.caller({"user": {"id": told(event, "user"), "team_id": team}}, "event", told(body, "event_id"))
    except BacklogError:
        return  # a stranger sees what is posted, and that is all
    act(caller)


def reply(desk: Desk, caller: Caller, body: Payload) -> None:
    """Answer what was said to the bot, in its thread: a verb that reads is read, one that writes is offered at a click,
    and plain words lead to help."""
    event = body.get("event")
    channel, thread_ts = told(event, "channel"), told(event, "thread_ts")
    line = meant_in(desk.services, MENTION.sub(" ", told(event, "text")).strip(), channel, thread_ts)
    place = Place(channel, thread_ts=thread_ts or told(event, "ts"))
    said = _said(desk, caller, line, place)
    if said is not LATER:
        tell(desk.services, caller, said, place)


def _said(desk: Desk, caller: Caller, line: str, place: Place) -> Answer:
    words = split_line(line)
    found = find_verb(words)
    if names_family(words) or (found and found[1].reads):
        return perform(desk.services, caller, words, place)
    if found:
        return Answer("What is said to me only reads. At a click it is done, in your name:", offers=((line, line),))
    past = find_past(desk.services, " ".join(words), every_word=False, limit=NEAREST)
    known = tuple(f"{shown.experiment.key} {shown.experiment.title}" for shown in past)
    help_ = menu()
    return Answer(help_.text, help_.facts, more=(*help_.more, *(("Of that I know:", *known) if known else ())),
                  offers=help_.offers)  # fmt: skip
