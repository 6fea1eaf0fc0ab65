"""Buttons under messages and in the Home: each holds a line, and a click on it is as if that line had been typed."""

import re
from collections.abc import Callable
from dataclasses import replace

from slack_bolt import Ack, App

from backlog.errors import BacklogError
from bot.flows.services import Caller
from bot.slack.answers import LATER, perform, tell
from bot.slack.blocks import POST_LINE, POST_SAID
from bot.slack.desk import Desk, Payload, Stranger, place_of, told
from bot.slack.home import refresh_home
from bot.slack.modals.fields import in_words
from bot.slack.modals.message import Message, open_from
from bot.slack.modals.opening import open_for
from bot.slack.threads import NEW, meant_in
from bot.verbs import Answer, split_line, typed_so_far
from bot.verbs.answer import refusal
from integrations.http import IntegrationError
from reports.buttons import LINE


def register(app: App, desk: Desk) -> None:
    """Listen to clicks."""

    @app.action(re.compile(rf"^{LINE}:"))
    def on_line(ack: Ack, body: Payload) -> None:
        clicked(desk, body, click_line)
        ack()

    @app.action(re.compile("^post:"))
    def on_post(ack: Ack, body: Payload) -> None:
        clicked(desk, body, post_to_channel)
        ack()


def clicked(desk: Desk, body: Payload, act: Callable[[Desk, Caller, Payload], None]) -> None:
    """Let a member act, and tell them what is refused. A stranger is told so only where they clicked, if Slack takes
    answers there: never in a message of their own."""
    trigger, place = told(body, "trigger_id"), place_of(body)
    try:
        act(desk, desk.caller(body, "action", trigger), body)
    except Stranger as stranger:
        if place.response_url:
            tell(desk.services, Caller("", "", f"action:{trigger}"), refusal(stranger.what, stranger.remedy), place)
    except (BacklogError, IntegrationError) as error:
        member = Caller(told(body, "user", "id"), "", f"action:{trigger}")
        tell(desk.services, member, refusal(error.what, error.remedy), place)


def click_line(desk: Desk, caller: Caller, body: Payload) -> None:
    """Do what the button's line says, in the name of whoever clicked; a line that lacks something opens its modal, and
    a new experiment that is asked for in a thread is made of the thread's first message."""
    place, thread_ts = place_of(body), told(body, "message", "thread_ts")
    line = meant_in(desk.services, told(body, "actions", 0, "value"), place.channel, thread_ts)
    words, trigger_id = split_line(line), told(body, "trigger_id")
    if thread_ts and _is_bare_idea(words):
        typed = {name: in_words(value) for name, value in typed_so_far(words).items() if value}
        open_from(desk, caller, trigger_id, Message(thread_ts, typed=typed), place)
        return
    said = perform(desk.services, caller, words, place, line)
    if said.problem == "incomplete" and open_for(desk, caller, words, trigger_id, place):
        return
    tell(desk.services, caller, said, place, "" if said.problem else line)
    if told(body, "view", "type") == "home":
        refresh_home(desk.services, caller.id)


def _is_bare_idea(words: list[str]) -> bool:
    """Whether that asks for a new experiment without saying what it comes from."""
    typed = typed_so_far(words) if words[:1] == [NEW] else None
    return typed is not None and not typed.get("parent") and not typed.get("anyway")


def post_to_channel(desk: Desk, caller: Caller, body: Payload) -> None:
    """Show an answer that only one person saw to the channel, with their name on it."""
    how, value = told(body, "actions", 0, "action_id"), told(body, "actions", 0, "value")
    if how not in (POST_LINE, POST_SAID):
        return
    place = replace(place_of(body), open=True)
    said = perform(desk.services, caller, split_line(value), place) if how == POST_LINE else Answer(value)
    if said is not LATER:
        tell(desk.services, caller, said, place)
