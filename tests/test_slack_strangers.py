"""Somebody of another workspace, in a channel shared with theirs: whatever they do is refused before anything is
written, and nothing is told to them but that."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from store import tables
from tests.conftest import World
from tests.test_slack_cards import card, ready

OTHER = "T0OTHER"
CHI: dict[str, Any] = {"user": "U0CHI", "user_team": OTHER}
REFUSAL = "belongs to another workspace"
NOTED = {"delivery", "outbox"}  # where a refusal itself leaves its mark


def kept(world: World) -> dict[str, list[Any]]:
    """Every row of every table; of what goes out all but answers to one person."""
    with world.services.database.read() as connection:
        rows: dict[str, list[Any]] = {
            table.name: list(connection.execute(select(table)))
            for table in tables.metadata.sorted_tables
            if table.name not in NOTED
        }
        sent = select(tables.outbox.c.id).where(tables.outbox.c.kind != "slack.respond")
        return rows | {"outbox": list(connection.execute(sent))}


def happens(world: World, kind: str, **more: Any) -> None:
    """An event of the stranger's in the shared channel."""
    event = {"type": kind, "user": "U0CHI", "channel": "C0ML", "ts": card(world)["ts"], **more}
    world.edge.event({**event, "user_team": OTHER, "team": OTHER}, shared=True)


def report(world: World) -> dict[str, Any]:
    return next(m for m in world.slack.messages("ml") if "report_feedback" in str(m["blocks"]))


def opened(world: World, line: str) -> None:
    """A modal that the stranger has open by whatever way; it is theirs to send."""
    world.edge.command(line, user="U0CHI")


ACTS: dict[str, Callable[[World], Any]] = {
    "a command that reads": lambda w: w.edge.command("list", **CHI),
    "a command that writes": lambda w: w.edge.command("note EXP-1 seen", **CHI),
    "a command that opens a modal": lambda w: w.edge.command("new", **CHI),
    "a slow command": lambda w: w.edge.command("sync", **CHI),
    "a click that acts": lambda w: w.edge.click("Start", card(w), **CHI),
    "a click that opens a modal": lambda w: w.edge.click("Frame", card(w), **CHI),
    "a click on a report": lambda w: w.edge.click("Useful", report(w), **CHI),
    "a click in the Home": lambda w: w.edge.click_view("New goal", w.slack.views.homes["U0BEN"], user_team=OTHER),
    "a modal that is sent": lambda w: w.edge.submit(**CHI, title="Mine"),
    "a choice in a modal": lambda w: w.edge.suggest("new.goal", "", **CHI),
    "the global shortcut": lambda w: w.edge.shortcut("new_experiment", **CHI),
    "the message shortcut": lambda w: w.edge.message_shortcut("make_experiment", card(w), **CHI),
    "a mention": lambda w: happens(w, "app_mention", text="<@U0BOT> show EXP-1"),
    "a direct message": lambda w: happens(w, "message", channel_type="im", text="show EXP-1"),
    "an opened Home": lambda w: happens(w, "app_home_opened", tab="home"),
    "a shared link": lambda w: happens(
        w, "link_shared", message_ts="1.1", links=[{"url": f"{w.services.public_url}/experiments/EXP-1"}]
    ),
}
# A Home and a global shortcut are no place in a channel, where a refusal could be shown; and no message of their own.
NOT_TOLD = {"a click in the Home"}
TOLD = {act for act in ACTS if act.startswith(("a command", "a slow", "a click", "the message"))} - NOT_TOLD


@pytest.fixture
def shared(world: World) -> World:
    """A world with something to lose, and things for a stranger to click on."""
    ready(world)
    world.type("report post weekly")
    world.edge.event({"type": "app_home_opened", "user": "U0BEN", "channel": "D1", "tab": "home"})
    world.settle()
    return world


@pytest.mark.parametrize("act", ACTS)
def test_whatever_a_stranger_does_is_refused_before_anything_is_written(shared: World, act: str) -> None:
    if act in ("a modal that is sent", "a choice in a modal"):
        opened(shared, "new")
        shared.settle()
    before, told, open_views = kept(shared), len(shared.slack.ephemerals), len(shared.slack.views.shown)
    done = ACTS[act](shared)
    shared.settle()
    assert kept(shared) == before
    assert len(shared.slack.views.shown) == open_views
    refused = str([e.message for e in shared.slack.ephemerals[told:]])
    assert (REFUSAL in refused) == (act in TOLD)
    assert "EXP-1" not in refused
    assert not [
        call for call in shared.slack.calls if "U0CHI" in (call["args"].get("channel"), call["args"].get("users"))
    ]
    if act == "a modal that is sent":
        assert REFUSAL in str(done.body["errors"])
    if act == "a choice in a modal":
        assert done == []
