"""What is kept for a while goes when its time has come; experiments and decisions never do."""

from collections.abc import Callable

from sqlalchemy import func, select

from bot.flows.drop_old import drop_all_old
from store import outbox, tables
from tests.conftest import CONFIG, World, _text


def counts(world: World) -> dict[str, int]:
    """How many rows each table has."""
    with world.services.database.read() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.metadata.tables.items()
        }


def test_each_kind_goes_after_its_time_and_the_backlog_stays(make_world: Callable[..., World]) -> None:
    world = make_world(config=CONFIG + '[retention]\noutbox = "30d"\nreports = "60d"\nledger = ""\n')
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type('new "Char-level tokens" --goal churn')
    world.type("note EXP-1 leakage in fold 3")
    world.type("report post weekly")
    before = counts(world)
    assert drop_all_old(world.services) == {}
    world.clock.forward(days=31)
    assert set(drop_all_old(world.services)) == {"outbox"}
    assert counts(world)["report"] == before["report"] == 1
    world.clock.forward(days=31)
    assert drop_all_old(world.services) == {"reports": 1}
    after = counts(world)
    assert (after["outbox"], after["report"], after["report_sent"]) == (0, 0, 0)
    for table in ("experiment", "timeline", "goal", "person", "message", "occurrence"):
        assert after[table] == before[table], table


def test_what_waits_for_a_person_stays_however_old(world: World) -> None:
    world.slack.channels["C0ML"].member = False
    world.type('new "Char-level tokens"')
    world.clock.forward(days=1000)
    drop_all_old(world.services)
    with world.services.database.read() as connection:
        assert outbox.count_by_state(connection).get("dead") == 1


def test_a_card_is_still_edited_in_place_after_its_messages_row_went(world: World) -> None:
    world.type('new "Char-level tokens"')
    world.clock.forward(days=100)
    assert drop_all_old(world.services)["outbox"] >= 1
    (card,) = [m for m in world.slack.messages("ml") if "thread_ts" not in m]
    world.type("edit EXP-1 --title Shorter")
    assert "Shorter" in _text(card)


def test_it_is_done_each_day_by_the_clock(world: World) -> None:
    world.type('new "Char-level tokens"')
    world.settle()
    world.clock.forward(days=92)
    world.settle()
    with world.services.database.read() as connection:
        old = tables.outbox.c.created_at < world.clock() - (world.clock() - world.clock().replace(day=1))
        assert connection.scalar(select(func.count()).where(old)) == 0
