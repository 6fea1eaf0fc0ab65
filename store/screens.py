"""The screens of Jira that wait for an answer: kept beside what is agreed of their issue."""

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Connection

from backlog.merge import Agreed
from backlog.screen import Asked, Screen
from store.issues import load_agreed, save_agreed
from store.tables import agreed

SCREEN = "screen"


def save_screen(connection: Connection, issue_id: str, screen: Screen, answers: Mapping[str, str]) -> None:
    """Remember what the way to a status asks for, and what was answered."""
    save_agreed(connection, issue_id, {SCREEN: Agreed(dict(answers), asdict(screen))})


def load_screen(connection: Connection, issue_id: str) -> tuple[Screen, dict[str, str]] | None:
    """The screen that stands in an issue's way, and the answers to it; None where none does."""
    known = load_agreed(connection, issue_id).get(SCREEN)
    if known is None:
        return None
    asked = {id_: Asked(**told) for id_, told in known.theirs["asked"].items()}
    return Screen(known.theirs["status"], asked), dict(known.ours)


def forget_screen(connection: Connection, issue_id: str) -> None:
    """The way was taken."""
    connection.execute(agreed.delete().where(agreed.c.issue_id == issue_id, agreed.c.field == SCREEN))
