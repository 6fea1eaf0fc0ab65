"""What selects search for: experiments, goals, Jira issues and runs, as far as they are known here."""

import re
from collections.abc import Sequence

from slack_bolt import Ack, App

from backlog.errors import BacklogError
from bot.flows.search import find_experiments, find_goals, find_issues, find_runs
from bot.slack.blocks import Block, plain
from bot.slack.desk import Desk, Payload, told
from bot.slack.modals.fields import EXPERIMENT, GOAL, ISSUE, option
from integrations.http import IntegrationError

Choice = tuple[str, str]  # the value and its text


def register(app: App, desk: Desk) -> None:
    """Listen to selects that are typed into."""

    @app.options(re.compile(rf"^({EXPERIMENT}|{GOAL}|{ISSUE})(:|$)"))
    def on_search(ack: Ack, body: Payload) -> None:
        ack(**suggest(desk, body))


def suggest(desk: Desk, body: Payload) -> Block:
    """What there is to choose from; nothing for somebody of another workspace."""
    kind, words = told(body, "action_id").partition(":")[0], told(body, "value")
    try:
        desk.caller(body, "suggestion", "")
    except (BacklogError, IntegrationError):
        return {"options": []}
    if kind == ISSUE:
        groups = {"Jira issues": find_issues(desk.services, words), "Runs": find_runs(desk.services, words)}
        return {"option_groups": [_group(name, found) for name, found in groups.items() if found]}
    find = find_goals if kind == GOAL else find_experiments
    return {"options": [option(value, text) for value, text in find(desk.services, words)]}


def _group(name: str, found: Sequence[Choice]) -> Block:
    return {"label": plain(name, 75), "options": [option(value, text) for value, text in found]}
