"""Takes a person out of everything that is remembered: another id and name in their place, in every table there is.

Whatever table is added later is searched as well, for it is in the metadata. Numbers, times and sealed secrets hold no
person. The rows stay; only what was for the person alone goes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, String, Table, Text, and_, delete, literal, or_, select, type_coerce, update

from store import queue, tables
from store.experiments import load_experiments
from store.memory import forget_old_words, remember
from store.outbox import DROPPED, UNSETTLED
from store.tables import Json, metadata

SEALED = (tables.own_secret,)
GONE = "(dropped for its author)"
NOTES = (
    "noted",
    "checkpoint",
    "blocked",
    "parked",
)  # acts whose words are a person's own; the rest is the experiment's
WHERE = ("channel", "name", "thread", "thread_ts", "issue", "user")  # what of an effect says nothing but where it went

Patterns = Sequence[tuple[str, re.Pattern[str], str]]  # what to look for, the very places of it, what stands there then


def forget_own(connection: Connection, person: str) -> None:
    """Drop what was for that person alone: what they set, follow, are reminded of, and what is on its way to them."""
    own = [
        (tables.preference, tables.preference.c.subject == person),
        (tables.reminder, tables.reminder.c.person == person),
        (tables.group_member, tables.group_member.c.person == person),
        (tables.subscription, and_(tables.subscription.c.person == person, tables.subscription.c.channel == "")),
        (tables.report_schedule, tables.report_schedule.c.channel == person),
    ]
    for table, theirs in own:
        connection.execute(delete(table).where(theirs))
    reviewer = tables.report_schedule.c.reviewer
    connection.execute(update(tables.report_schedule).where(reviewer == person).values(reviewer=""))
    outbox = tables.outbox
    waiting = (outbox.c.state.in_(UNSETTLED), outbox.c.target.in_([f"slack:notice:{person}", f"slack:home:{person}"]))
    connection.execute(update(outbox).where(*waiting).values(state=DROPPED))
    queue.forget_failed(connection, person)


def drop_texts(connection: Connection, person: str, name: str) -> list[str]:
    """Drop the words of a person's notes, comments, calls and reviews where they were said; returns them, for reports
    and risks may quote them. What an experiment or a decision is made of stays."""
    notes = [*_notes(connection, person)]
    for id_, subject, text, changes in notes:
        held = {field: GONE for field, value in changes.items() if value == text}
        dropped = {"text": GONE, "changes": {**changes, **held}}
        connection.execute(update(tables.timeline).where(tables.timeline.c.id == id_).values(**dropped))
        for field in held:
            number, column = tables.experiment.c.number, tables.experiment.c[field]
            here = (number == int(subject.removeprefix("EXP-")), column == text)
            connection.execute(update(tables.experiment).where(*here).values({field: GONE}))
    return [text for _, _, text, _ in notes] + _drop_elsewhere(connection, person, name)


def _notes(connection: Connection, person: str) -> Iterator[tuple[int, str, str, Mapping[str, Any]]]:
    line = tables.timeline
    about_goal = and_(line.c.subject.startswith("goal:"), line.c.act != "created")
    theirs = (line.c.who == person, line.c.text.not_in(("", GONE)), or_(line.c.act.in_(NOTES), about_goal))
    for row in connection.execute(select(line).where(*theirs).order_by(line.c.id)):
        yield row.id, row.subject, row.text, row.changes


def _drop_elsewhere(connection: Connection, person: str, name: str) -> list[str]:
    comment, review, risk, outbox = tables.issue_comment, tables.report_review, tables.risk, tables.outbox
    said = [(comment.c.text, comment.c.author == name), (review.c.line, review.c.line_by == person),
            (risk.c.why, risk.c.answered_by == person)]  # fmt: skip
    dropped: list[str] = []
    for words, theirs in said:
        there = (theirs, words.not_in(("", GONE)))
        dropped += connection.scalars(select(words).where(*there))
        connection.execute(update(words.table).where(*there).values({words.name: GONE}))
    named = or_(*(type_coerce(outbox.c.payload, Text).contains(word, autoescape=True) for word in (person, name)))
    for row in connection.execute(select(outbox.c.id, outbox.c.payload).where(outbox.c.state.not_in(UNSETTLED), named)):
        payload = {field: value if field in WHERE else GONE for field, value in row.payload.items()}
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(payload=payload))
    return dropped


def rename_everywhere(connection: Connection, patterns: Patterns) -> dict[str, int]:
    """Put the new words in place of the old in every text of every table; returns how many rows of each changed."""
    found = {
        table.name: _rename(connection, table, patterns) for table in metadata.sorted_tables if table not in SEALED
    }
    for experiment in load_experiments(connection):
        remember(connection, experiment)  # the index of words
    forget_old_words(connection)
    return {name: rows for name, rows in found.items() if rows}


def count_everywhere(connection: Connection, patterns: Patterns) -> dict[str, int]:
    """How many rows that would be, without changing any."""
    found = {
        table.name: len(_hits(connection, table, patterns)) for table in metadata.sorted_tables if table not in SEALED
    }
    return {name: rows for name, rows in found.items() if rows}


def _rename(connection: Connection, table: Table, patterns: Patterns) -> int:
    hits = _hits(connection, table, patterns)
    for key, changed in hits:
        values = {name: literal(text, Text) for name, text in changed.items()}
        connection.execute(update(table).where(*(column == value for column, value in key)).values(values))
    return len(hits)


def _hits(
    connection: Connection, table: Table, patterns: Patterns
) -> list[tuple[list[tuple[Column[Any], Any]], dict[str, str]]]:
    """The rows where a pattern occurs: the primary key, and the new text of each column that has it."""
    texts = [column for column in table.columns if isinstance(column.type, String | Text | Json)]
    if not texts:
        return []
    raw = [type_coerce(column, Text).label(f"text_of_{column.name}") for column in texts]
    anywhere = or_(
        *(type_coerce(column, Text).contains(word, autoescape=True) for column in texts for word, _, _ in patterns)
    )
    keys = list(table.primary_key.columns)
    hits = []
    for row in connection.execute(select(*keys, *raw).where(anywhere)):
        values = row[len(keys) :]
        new = {column.name: _replaced(text, patterns) for column, text in zip(texts, values, strict=True) if text}
        old = {column.name: text for column, text in zip(texts, values, strict=True)}
        changed = {name: text for name, text in new.items() if text != old[name]}
        if changed:
            hits.append(([*zip(keys, row[: len(keys)], strict=True)], changed))
    return hits


def _replaced(text: str, patterns: Patterns) -> str:
    """The text with every place replaced; in a JSON document within its words, for an escape's letter is no word's."""
    if text[:1] in "{[":
        try:
            document = json.loads(text)
        except ValueError:
            pass
        else:
            new = _within(document, patterns)
            return text if new == document else json.dumps(new, ensure_ascii=False)
    for _, places, instead in patterns:
        text = places.sub(instead, text)
    return text


def _within(value: Any, patterns: Patterns) -> Any:
    if isinstance(value, dict):
        return {_within(name, patterns): _within(inner, patterns) for name, inner in value.items()}
    if isinstance(value, list):
        return [_within(inner, patterns) for inner in value]
    return _replaced(value, patterns) if isinstance(value, str) else value
