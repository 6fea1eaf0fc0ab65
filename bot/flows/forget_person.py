"""Forgets a person: a pseudonym stands wherever their id and name stood, and their own words go if that is wished.

Experiments, decisions and reports stay, of somebody nobody knows. What Slack, Jira and a tracker keep is theirs, but
for our own cards, which then show what stands here.
"""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from sqlalchemy import Connection

from backlog.errors import NotFound
from bot.flows.renew_cards import order_cards
from bot.flows.services import Caller, Services, require
from bot.roles import Role
from store.experiments import load_experiments
from store.forgetting import GONE, Patterns, count_everywhere, drop_texts, forget_own, rename_everywhere
from store.people import load_people, person_named

TOGETHER = 50  # texts looked for in one pass over the tables


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Who was meant, what stands there now, in how many rows of which tables, and how many texts were dropped.
    `same_name` tells that somebody else has the name, which was therefore left where people wrote."""

    person: str
    pseudonym: str
    rows: Mapping[str, int]
    texts: int = 0
    same_name: bool = False


def forget_person(
    services: Services,
    caller: Caller,
    who: str,
    *,
    with_text: bool = False,
    name_is_a_word: bool = False,
    dry_run: bool = False,
) -> Forgotten:
    """Forget whoever has that id or name; again finds nobody. With `name_is_a_word` the name is replaced only where it
    stands alone or after an @. Raises NotFound where nobody is meant."""
    pseudonym = f"former-{secrets.token_hex(4)}"
    with services.database.write() as connection:
        require(connection, services, caller, "forget a person", Role.ADMIN)
        person, name, shared = _meant(connection, who)
        patterns = _patterns(person, name, pseudonym, whole=name_is_a_word or shared)
        rows = count_everywhere(connection, patterns)
        if not rows:
            raise NotFound(f'Nothing here is of "{who[:60]}".', "Name a Slack id (U…), or a name as /exp shows it.")
        if dry_run:
            return Forgotten(person, pseudonym, rows, same_name=shared)
        texts = drop_texts(connection, person, name) if with_text else []
        forget_own(connection, person)
        for quoted in _slices(sorted(set(texts), key=len, reverse=True)):
            rename_everywhere(connection, quoted)
        rename_everywhere(connection, patterns)
        order_cards(connection, services, _telling_of(connection, pseudonym[-8:]))
    services.database.compact()
    return Forgotten(person, pseudonym, rows, len(texts), shared)


def _telling_of(connection: Connection, mark: str) -> list[str]:
    """The keys of the experiments that now speak of somebody forgotten, or without their words."""
    return [e.key for e in load_experiments(connection) if mark in repr(e) or GONE in repr(e)]


def _meant(connection: Connection, who: str) -> tuple[str, str, bool]:
    """The id, the name, and whether somebody else has the same name."""
    people = load_people(connection)
    person = who if who in people else person_named(connection, who) or who.lstrip("@")
    name = people.get(person, "")
    shared = sum(known.casefold() == name.casefold() for known in people.values()) > 1
    return person, name, shared


def _patterns(person: str, name: str, pseudonym: str, whole: bool) -> Patterns:
    """Where the id and the name stand."""
    found = [(person, re.compile(rf"(?<!\w){re.escape(person)}(?!\w)"), pseudonym)]
    for form in _forms(name):
        if form and form != person:
            around = r'(?:(?<=@)|(?<=\|)|(?<=")|^){}(?=$|["|>])' if whole else r"(?<!\w){}(?!\w)"
            found.append((form, re.compile(around.format(re.escape(form))), f"former member {pseudonym[-8:]}"))
    return found


def _slices(texts: Sequence[str]) -> Iterator[Patterns]:
    """Where those texts are quoted, some at a time; a single word is no quotation."""
    quotable = [form for text in texts if " " in text for form in _forms(text)]
    for start in range(0, len(quotable), TOGETHER):
        yield [(form, re.compile(re.escape(form)), GONE) for form in quotable[start : start + TOGETHER]]


def _forms(text: str) -> Iterable[str]:
    """A text as it is, as JSON, and as HTML and mrkdwn write it."""
    pages = escape(text)
    jinja = pages.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    as_json = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return dict.fromkeys((text, *as_json, escape(text, quote=False), pages, jinja))
