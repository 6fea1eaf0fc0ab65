"""The slash command: answered within its acknowledgement, by a modal where the line lacks something."""

from slack_bolt import Ack, App

from backlog.errors import BacklogError
from bot.slack.answers import LATER, perform
from bot.slack.blocks import Block, to_message
from bot.slack.desk import Desk, Payload, place_of, told
from bot.slack.modals.opening import open_for
from bot.verbs import Answer, split_line
from bot.verbs.answer import refusal
from integrations.http import IntegrationError


def register(app: App, desk: Desk) -> None:
    """Listen to the command."""

    @app.command(desk.command)
    def on_command(ack: Ack, body: Payload) -> None:
        said = answer_command(desk, body)
        ack(**said) if said["text"] else ack()


def answer_command(desk: Desk, body: Payload) -> Block:
    """What a slash command's payload is answered with: a message, empty where a modal opened or where the same payload
    was answered before."""
    line, place = told(body, "text"), place_of(body)
    words = split_line(line)
    try:
        caller = desk.caller(body, "command", told(body, "trigger_id"))
    except BacklogError as error:
        return to_message(refusal(error.what, error.remedy))
    except IntegrationError as error:
        return to_message(refusal(f"{error.service}: {error.what}", error.remedy), line, desk.command)
    said = perform(desk.services, caller, words, place, line)
    if said.problem == "incomplete" and open_for(desk, caller, words, told(body, "trigger_id"), place):
        said = Answer("")
    return to_message(said, line, desk.command, postable=said is not LATER)
