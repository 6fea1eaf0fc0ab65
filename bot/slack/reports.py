"""The buttons of reports: a reviewer's three before one goes out, a reader's three below it. Each is a verb, typed by
whoever clicks."""

import re

from slack_bolt import Ack, App

from bot.flows.services import Caller
from bot.slack.answers import perform, tell
from bot.slack.buttons import clicked
from bot.slack.desk import Desk, Payload, place_of, told
from reports.feedback import ACTION, OPEN, VERDICTS
from reports.review import APPROVE, EDIT, LINE, SKIP

VERBS = {APPROVE: "approve", SKIP: "skip", EDIT: "line"}


def register(app: App, desk: Desk) -> None:
    """Listen to their clicks."""

    @app.action(re.compile("|".join(VERBS)))
    def on_review(ack: Ack, body: Payload) -> None:
        clicked(desk, body, review)
        ack()

    @app.action(re.compile(f"{ACTION}({'|'.join(VERDICTS)})"))
    def on_feedback(ack: Ack, body: Payload) -> None:
        clicked(desk, body, rate)
        ack()

    @app.action(OPEN)
    def on_open(ack: Ack) -> None:
        ack()  # the browser opens the page by itself; Slack still wants an answer


def review(desk: Desk, caller: Caller, body: Payload) -> None:
    """Do what the reviewer clicked; what the field above the buttons holds goes along with an edit."""
    action, report = told(body, "actions", 0, "action_id"), told(body, "actions", 0, "value")
    line = ["--", told(body, "state", "values", LINE, LINE, "value")] if action == EDIT else []
    words, place = ["report", VERBS[action], "--id", report, *line], place_of(body)
    tell(desk.services, caller, perform(desk.services, caller, words, place), place)


def rate(desk: Desk, caller: Caller, body: Payload) -> None:
    """Count what the reader clicked under one part of a report."""
    verdict = told(body, "actions", 0, "action_id").removeprefix(ACTION)
    report, _, section = told(body, "actions", 0, "value").partition(" ")
    words, place = ["report", "rate", verdict, "--id", report, "--section", section], place_of(body)
    tell(desk.services, caller, perform(desk.services, caller, words, place), place)
