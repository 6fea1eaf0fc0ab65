"""The buttons of reports: a reviewer's three before one goes out. Each is a verb, typed by whoever clicks."""

import re

from slack_bolt import Ack, App

from bot.flows.services import Caller
from bot.slack.answers import perform, tell
from bot.slack.buttons import clicked
from bot.slack.desk import Desk, Payload, place_of, told
from reports.review import APPROVE, EDIT, LINE, SKIP

VERBS = {APPROVE: "approve", SKIP: "skip", EDIT: "line"}


def register(app: App, desk: Desk) -> None:
    """Listen to their clicks."""

    @app.action(re.compile("|".join(VERBS)))
    def on_review(ack: Ack, body: Payload) -> None:
        clicked(desk, body, review)
        ack()


def review(desk: Desk, caller: Caller, body: Payload) -> None:
    """Do what the reviewer clicked; what the field above the buttons holds goes along with an edit."""
    action, report = told(body, "actions", 0, "action_id"), told(body, "actions", 0, "value")
    line = ["--", told(body, "state", "values", LINE, LINE, "value")] if action == EDIT else []
    words, place = ["report", VERBS[action], "--id", report, *line], place_of(body)
    tell(desk.services, caller, perform(desk.services, caller, words, place), place)
