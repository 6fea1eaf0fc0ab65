"""A card's thread is about its experiment: what is said or clicked there need not name it.

Slack tells the thread of a mention and of a click, not of a slash command, which it does not take in threads at all.
"""

import click

from backlog.errors import BacklogError
from bot.flows.renew_cards import NAME as CARD
from bot.flows.services import Services
from bot.slack.modals.fields import EXPERIMENT, SUBJECT, kind_of
from bot.verbs import find_verb, split_line, typed_so_far
from bot.verbs.grammar import Verb, join_words
from store import outbox
from store.experiments import find_experiment
from store.goals import find_goal

NEW, FOLLOWS = "new", "--follows="


def card_above(services: Services, channel: str, thread_ts: str) -> str:
    """The key of the experiment whose card begins that thread; empty for any other thread and for none."""
    if not thread_ts:
        return ""
    with services.database.read() as connection:
        name = outbox.name_of_message(connection, channel, thread_ts)
    return name.removeprefix(CARD) if name.startswith(CARD) else ""


def meant_in(services: Services, line: str, channel: str, thread_ts: str) -> str:
    """The line as it is meant in that thread: in a card's it is about the card's experiment where it names none, and
    a new one follows from it."""
    words = split_line(line)
    found = find_verb(words)
    key = card_above(services, channel, thread_ts) if found else ""
    if not found or not key:
        return line
    name, verb, rest = found
    start = len(words) - len(rest)
    return join_words([*words[:start], *_own_word(services, name, verb, words, key), *rest])


def _own_word(services: Services, name: str, verb: Verb, words: list[str], key: str) -> list[str]:
    """What the line lacks to be about that experiment; nothing where it says itself what it is about."""
    typed = typed_so_far(words)
    if name == NEW:
        return [] if typed.get("parent") else [FOLLOWS + key]
    for param in verb.params:
        kind = kind_of(name, param) if isinstance(param, click.Argument) else ""
        if kind in (EXPERIMENT, SUBJECT):
            return [] if _is_known(services, kind, str(typed.get(param.name or "", ""))) else [key]
    return []


def _is_known(services: Services, kind: str, text: str) -> bool:
    with services.database.read() as connection:
        for find in (find_experiment, *((find_goal,) if kind == SUBJECT else ())):
            try:
                find(connection, text)
                return True
            except BacklogError:
                continue
    return False
