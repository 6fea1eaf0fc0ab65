"""What selects search for: experiments, goals, Jira issues and runs, as far as they are known here."""

import re
from collections.abc import Callable, Mapping, Sequence

from slack_bolt import Ack, App

from backlog.errors import BacklogError
from bot.flows.search import find_experiments, find_goals, find_issues, find_runs, find_sources
from bot.flows.services import Services
from bot.slack.blocks import Block, plain
from bot.slack.desk import Desk, Payload, told
from bot.slack.modals.fields import EXPERIMENT, GOAL, ISSUE, RUN, SEARCHED, SOURCE, SUBJECT, option
from integrations.http import IntegrationError

Choice = tuple[str, str]  # the value and its text
KINDS: Mapping[str, Mapping[str, Callable[[Services, str], Sequence[Choice]]]] = {
    EXPERIMENT: {"Experiments": find_experiments},
    GOAL: {"Goals": find_goals},
    ISSUE: {"Jira issues": find_issues, "Runs": find_runs},
    RUN: {"Runs": find_runs},
    SOURCE: {"Sources": find_sources},
    SUBJECT: {"Goals": find_goals, "Experiments": find_experiments},
}


def register(app: App, desk: Desk) -> None:
    """Listen to selects that are typed into."""

    @app.options(re.compile(rf"^({'|'.join(SEARCHED)})(:|$)"))
    def on_search(ack: Ack, body: Payload) -> None:
        ack(**suggest(desk, body))


def suggest(desk: Desk, body: Payload) -> Block:
    """What there is to choose from; nothing for somebody of another workspace."""
    kind, words = told(body, "action_id").partition(":")[0], told(body, "value")
    try:
        desk.caller(body, "suggestion", "")
    except (BacklogError, IntegrationError):
        return {"options": []}
    found = {name: find(desk.services, words) for name, find in KINDS.get(kind, {}).items()}
    groups = [_group(name, choices) for name, choices in found.items() if choices]
    return {"option_groups": groups} if groups else {"options": []}


def _group(name: str, found: Sequence[Choice]) -> Block:
    return {"label": plain(name, 75), "options": [option(value, text) for value, text in found]}
