"""What experiments taught, searchable: titles, hypotheses, learnings, reasons and notes, bad outcomes included.

A full-text index of SQLite (FTS5), one row an experiment; it holds nothing that the timeline does not.
"""

from sqlalchemy import Connection, select, text

from backlog.experiment import Experiment
from store.tables import timeline

# Acts whose text a person wrote; "framed" and "moved" only name fields and stages.
SAID = ("created", "noted", "checkpoint", "outcome", "decided", "blocked", "parked", "extended")


def remember(connection: Connection, experiment: Experiment) -> None:
    """Bring the experiment's row up to its timeline."""
    said = select(timeline.c.text).where(timeline.c.subject == experiment.key, timeline.c.act.in_(SAID))
    words = [experiment.title, experiment.hypothesis, experiment.learning, *connection.scalars(said)]
    row = {"number": experiment.number, "words": "\n".join(words)}
    connection.execute(text("DELETE FROM memory WHERE rowid = :number"), row)
    connection.execute(text("INSERT INTO memory (rowid, words) VALUES (:number, :words)"), row)


def search(connection: Connection, query: str, *, every_word: bool, limit: int = 20) -> list[int]:
    """The numbers of the experiments that speak of those words, the nearest first.

    With `every_word` all of them must occur, each at least as a beginning; else any whole word will do. Text of
    a person, never a query language: quotes and operators are only letters here. Empty for no words.
    """
    words = ["".join(char for char in word if char.isalnum()) for word in query.split()]
    terms = [f'"{word}"{"*" if every_word else ""}' for word in words if word]
    if not terms:
        return []
    wanted = {"query": (" AND " if every_word else " OR ").join(terms), "limit": limit}
    found = text("SELECT rowid FROM memory WHERE memory MATCH :query ORDER BY rank LIMIT :limit")
    return list(connection.scalars(found, wanted))
