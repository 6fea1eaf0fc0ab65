"""What experiments taught, searchable: titles, hypotheses, learnings, reasons and notes, bad outcomes included.

A full-text index, one row an experiment, that holds nothing the timeline does not: FTS5 in SQLite, a GIN index over
tsvector in PostgreSQL.
"""

import re
import unicodedata

from sqlalchemy import Connection, select, text

from backlog.experiment import Experiment
from store.dialect import is_postgresql
from store.tables import timeline

# Acts whose text a person wrote; "framed" and "moved" only name fields and stages.
SAID = ("created", "noted", "checkpoint", "outcome", "decided", "blocked", "parked", "extended")
WORD = re.compile(r"[^\W_]+")
WORDS_MAX = 200_000  # characters of one experiment; PostgreSQL refuses more than 1 MB of them


def remember(connection: Connection, experiment: Experiment) -> None:
    """Bring the experiment's row up to its timeline."""
    said = select(timeline.c.text).where(timeline.c.subject == experiment.key, timeline.c.act.in_(SAID))
    words = [experiment.title, experiment.hypothesis, experiment.learning, *connection.scalars(said)]
    told = "\n".join(words)[:WORDS_MAX]
    row = {"number": experiment.number, "words": _plain(told) if is_postgresql(connection) else told}
    if is_postgresql(connection):
        upsert = "ON CONFLICT (number) DO UPDATE SET words = excluded.words"
        connection.execute(text(f"INSERT INTO memory (number, words) VALUES (:number, :words) {upsert}"), row)
    else:
        connection.execute(text("DELETE FROM memory WHERE rowid = :number"), row)
        connection.execute(text("INSERT INTO memory (rowid, words) VALUES (:number, :words)"), row)


def forget_old_words(connection: Connection) -> None:
    """Leave nothing in the index of words that are no more in any text; FTS5 keeps them until it merges by itself."""
    if not is_postgresql(connection):
        connection.execute(text("INSERT INTO memory (memory) VALUES ('optimize')"))


def search(connection: Connection, query: str, *, every_word: bool, limit: int = 20) -> list[int]:
    """The numbers of the experiments that speak of those words, the nearest first.

    With `every_word` all of them must occur, each at least as a beginning; else any whole word will do. Text of
    a person, never a query language: quotes and operators are only letters here. Empty for no words.
    """
    words = WORD.findall(query)
    if not words:
        return []
    if is_postgresql(connection):
        terms = [f"'{_plain(word)}'{':*' if every_word else ''}" for word in words]
        wanted = {"query": (" & " if every_word else " | ").join(terms), "limit": limit}
        return list(connection.scalars(IN_POSTGRESQL, wanted))
    terms = [f'"{word}"{"*" if every_word else ""}' for word in words]
    wanted = {"query": (" AND " if every_word else " OR ").join(terms), "limit": limit}
    return list(connection.scalars(IN_SQLITE, wanted))


IN_SQLITE = text("SELECT rowid FROM memory WHERE memory MATCH :query ORDER BY rank LIMIT :limit")
IN_POSTGRESQL = text(
    "SELECT number FROM memory, to_tsquery('simple', :query) AS wanted WHERE to_tsvector('simple', words) @@ wanted "
    "ORDER BY ts_rank(to_tsvector('simple', words), wanted) DESC, number LIMIT :limit"
)


def _plain(words: str) -> str:
    """Bare words without accents, as FTS5 reads a text by itself; PostgreSQL's parser would make addresses, paths and
    numbers of some."""
    decomposed = unicodedata.normalize("NFKD", words)
    return " ".join(WORD.findall("".join(char for char in decomposed if not unicodedata.combining(char))))
