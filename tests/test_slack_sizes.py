"""However much there is to say: every message stays within Slack's limits, and tells where the rest is read."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack.blocks import to_message
from bot.verbs import Answer, Table, find_verb
from store import outbox
from tests.blockkit import problems
from tests.conftest import CONFIG, World
from tests.test_slack_driver import verbs

MESSAGE_MAX, ELEMENT_MAX = 40_000, 3_000  # characters; `wire-slack.md` has their source
REST = "On the command line all of it: scrumbut exp "


def texts(part: Any) -> Iterator[str]:
    """Every text in a message, however deep."""
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        for inner in part.values():
            yield from texts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from texts(inner)


def too_large(message: dict[str, Any]) -> list[str]:
    """What Slack would refuse or cut."""
    found = problems(message["blocks"])
    sizes = [len(text) for text in texts(message["blocks"])]
    found += [f"{size} characters in one element" for size in sizes if size > ELEMENT_MAX]
    found += [f"{sum(sizes)} characters in all"] if sum(sizes) > MESSAGE_MAX else []
    return found + ([f"{len(message['text'])} characters of text"] if len(message["text"]) > ELEMENT_MAX else [])


LENGTHS = st.sampled_from([0, 1, 20, 90, 300, 2_899, 2_901, 60_000])
WORDS = LENGTHS.map(lambda length: "x" * length)
COUNTS = st.sampled_from([0, 1, 9, 30, 31, 700])
COLUMNS = 4


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    cell, fact, line = draw(WORDS), draw(WORDS), draw(WORDS)
    rows = ((cell,) * COLUMNS,) * draw(COUNTS)
    return Answer(
        draw(WORDS),
        facts=(("fact", fact),) * draw(COUNTS),
        table=Table(("heading",) * COLUMNS, rows) if rows else None,
        more=(line,) * draw(COUNTS),
        offers=(("Do it", "note EXP-1 x"),) * draw(st.sampled_from([0, 5, 40])),
        problem=draw(st.sampled_from(["", "refused"])),
    )


@given(answers())
@settings(max_examples=150)
def test_an_answer_of_any_size_fits(answer: Answer) -> None:
    message = to_message(answer, "list --page 2")
    assert too_large(message) == []
    said = sum(map(len, (answer.text, *answer.more, *(value for _, value in answer.facts))))
    if said > 20_000 or (answer.table and len(answer.table.rows) > 30):
        assert f"{REST}list --page 2" in str(message)


def test_an_answer_that_fits_says_nothing_of_a_rest() -> None:
    answer = Answer("Thirty", table=Table(("key", "title"), (("EXP-1", "t" * 80),) * 30), more=("x" * 2_500,))
    message = to_message(answer, "list")
    assert too_large(message) == []
    assert REST not in str(message)
    assert str(message).count("EXP-1") == 30, "a table as wide as a chat is shown whole"


def test_a_report_of_too_many_blocks_says_that_there_is_more() -> None:
    part = {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "."}]}],
    }
    message = to_message(
        Answer("Weekly", message={"blocks": [part] * 40, "thread": [{"blocks": [part] * 40}]}), "report preview"
    )
    assert too_large(message) == []
    assert f"{REST}report preview" in str(message["blocks"][-2])


def test_every_row_of_a_long_list_is_on_one_of_its_pages(world: World) -> None:
    for number in range(35):
        world.edge.command(f'new "{"long " * 30}{number}"')
    first, second = world.edge.command("list").body, world.edge.command("list --limit 500 --page 2").body
    assert too_large(first) == too_large(second) == []
    assert "30 shown: --page 2 for more" in first["text"]
    shown = str(first) + str(second)
    assert [number for number in range(1, 36) if f"EXP-{number} " not in shown] == []
    assert REST not in shown


LARGE = CONFIG + "".join(
    f'[[policy]]\nbut = "rule {n} {"b" * 150}"\nbecause = "{"c" * 150}"\ninstead = "{"i" * 150}"\n' for n in range(40)
)


@pytest.fixture
def much(make_world: Any) -> World:
    """A world in which there is a lot of everything, told at length."""
    world: World = make_world(config=LARGE)
    world.type(f'goal add churn "{"s" * 900}"')
    world.jira.add_issue("ML", "Recall")
    for number in range(25):
        world.edge.command(f'new "focal {"t" * 190}{number}" --goal churn')
        world.edge.command(f"note EXP-1 {'leak ' * 300}")
        world.edge.command(f'risk add churn "{"r" * 900}{number}"')
        world.edge.command(f"metric add m{number} --goal churn --source files --key {'k' * 90} --env dev --better up")
    world.type("link EXP-1 ML-1")
    world.type("report post weekly")
    world.edge.command(f'frame EXP-1 --hypothesis "{"h" * 2_500}" --decision "{"d" * 2_000}"')
    world.settle()
    for number in range(60):
        world.jira.add_issue("ML", "s" * 200, status=f"Status {number} {'x' * 60}")
    world.type("sync")
    with world.services.database.write() as connection:
        for number in range(200):
            outbox.put(connection, f"t{number}", "slack.post", {"text": "p" * 9_000}, world.clock())
            claimed = outbox.claim(connection, world.clock(), world.services.timeout, world.services.quiet)
            assert claimed is not None
            outbox.settle(connection, claimed, outbox.DEAD, error="e" * 900)
    return world


CUT = ("outbox list --all", "outbox show 90", "sync mapping", "show EXP-1", "policy", "risk list")
LINES = {
    "help": "help",
    "doctor": "doctor",
    "outbox list": "outbox list --all",
    "outbox show": "outbox show 90",
    "compare": "compare EXP-1 --dev",
    "goal show": "goal show churn",
    "metric test": "metric test m1 --goal churn",
    "list": "list --by priority",
    "find": "find focal",
    "mine": "mine",
    "show": "show EXP-1",
    "policy": "policy",
    "report preview": "report preview weekly",
    "report show": "report show 2026-W47",
    "report archive": "report archive",
    "report stats": "report stats",
    "report rerun": "report rerun 2026-W47",
    "risk list": "risk list",
    "schedule next": "schedule next",
    "schedule list": "schedule list",
    "sync status": "sync status",
    "sync diff": "sync diff EXP-1",
    "sync mapping": "sync mapping",
}


def test_the_largest_answer_of_every_verb_that_reads_fits(much: World) -> None:
    assert {name for name in verbs() if (found := find_verb(name.split())) and found[1].reads} == set(LINES)
    wrong = {}
    for line in LINES.values():
        before = len(much.slack.ephemerals)
        assert much.type(line), line
        told = much.slack.ephemerals[before:]
        wrong[line] = [found for one in told for found in too_large(one.message)]
        if line in CUT:
            assert f"{REST}{line}" in str(told[-1].message)
    assert not any(wrong.values()), wrong
