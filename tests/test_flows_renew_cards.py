"""Cards show the latest state, also where nobody acted: what was read, what Jira says, who is called how."""

import pytest

from backlog.metric import Metric, Reading
from bot.flows.deliver_outbox import deliver_all
from bot.flows.forget_person import forget_person
from bot.flows.mend_outbox import drop_row, list_stuck
from bot.flows.poll_metrics import Polled, poll_source
from bot.flows.renew_cards import order_cards, order_progress
from bot.flows.services import Caller
from bot.flows.sync_backlog import take_census
from bot.roles import Role
from store.metrics import load_metrics, save_found
from tests.conftest import World

ADMIN = Caller("admin", "admin", role=Role.ADMIN)


def card(world: World, key: str = "EXP-1") -> str:
    """What the experiment's one message says."""
    cards = [m for m in world.slack.messages("ml") if "Question" in str(m["blocks"])]
    (message,) = [m for m in cards if m["text"].startswith(f"{key} ")]
    return str(message["blocks"])


def edits(world: World) -> int:
    return sum(call["method"] == "chat.update" for call in world.slack.calls)


def poll(world: World, *rows: str) -> Polled:
    """Let the source tell these runs from now on, and read it: metric, value, run, experiment."""
    with (world.folder / "readings.csv").open("a") as file:
        for row in rows:
            metric, value, run, experiment = row.split()
            file.write(f"{world.clock():%Y-%m-%dT%H:%M:%SZ},{metric},{value},{run},1,dev,{experiment}\n")
    return poll_source(world.services, world.services.sources["files"])


@pytest.fixture
def tracked(world: World) -> World:
    """EXP-1 and EXP-2 are measured by recall; EXP-3 by nothing."""
    world.jira.add_issue("ML", "Recall")
    world.type('goal add churn "keep active clients" --metric recall')
    world.type("metric add recall --goal churn --source files --key recall --env dev --agg best --better up")
    for title in ("Char-level tokens", "A wider window", "Other labels"):
        world.type(f'new "{title} raise recall" --goal churn')
    for key in ("EXP-1", "EXP-2"):
        world.type(f'frame {key} --hypothesis "we believe" --metric recall --min-effect 0.01 --decision "which?"')
    world.settle()
    return world


def settled(world: World) -> int:
    """How many edits there were once all is delivered."""
    before = edits(world)
    world.settle()
    return edits(world) - before


def test_a_new_best_is_on_the_card_without_anybody_acting_and_tells_nobody(tracked: World) -> None:
    messages = len(tracked.slack.messages("ml"))
    assert poll(tracked, "recall 0.71 r1 EXP-1").readings == 1
    assert settled(tracked) == 1
    assert "best 0.71 in dev, 1 run" in card(tracked)
    assert "no runs yet" in card(tracked, "EXP-2")
    assert len(tracked.slack.messages("ml")) == messages


def test_the_same_poll_again_edits_nothing(tracked: World) -> None:
    poll(tracked, "recall 0.71 r1 EXP-1")
    tracked.settle()
    poll(tracked)
    assert settled(tracked) == 0


def test_many_readings_are_one_edit_of_each_card(tracked: World) -> None:
    poll(tracked, *(f"recall 0.{n} r{n} EXP-{1 + n % 2}" for n in range(10, 40)))
    poll(tracked, "recall 0.5 r50 EXP-1")
    assert settled(tracked) == 2
    assert "best 0.5 in dev, 16 runs" in card(tracked)
    assert "best 0.39 in dev, 15 runs" in card(tracked, "EXP-2")


def test_what_nobody_sees_on_the_card_edits_nothing(tracked: World) -> None:
    poll(tracked, "recall 0.71 r1 EXP-1", "recall 0.5 r2 EXP-1")
    tracked.settle()
    tracked.clock.forward(minutes=1)
    poll(tracked, "recall 0.6 r2 EXP-1", "recall 0.710001 r1 EXP-1", "recall 0.9 r9 -")
    assert settled(tracked) == 0


def test_readings_of_other_metrics_and_of_nobody_order_nothing(tracked: World) -> None:
    tracked.type("metric add latency --goal churn --source files --key latency --env dev --agg last --better down")
    tracked.settle()
    calls = len(tracked.slack.calls)
    poll(tracked, "latency 12 r1 EXP-1", "recall 0.9 r2 EXP-3", "recall 0.9 r3 -")
    tracked.settle()
    assert [call for call in tracked.slack.calls[calls:] if call["method"].startswith("chat")] == []


def test_a_best_that_the_source_takes_back_is_off_the_card(tracked: World) -> None:
    poll(tracked, "recall 0.95 r1 EXP-1", "recall 0.7 r2 EXP-1")
    tracked.settle()
    rows = (tracked.folder / "readings.csv").read_text().replace("0.95", "0.59")
    (tracked.folder / "readings.csv").write_text(rows)
    poll(tracked)
    tracked.settle()
    assert "best 0.7 in dev, 2 runs" in card(tracked)


def test_a_finished_experiment_keeps_its_card_as_it_was_decided(tracked: World) -> None:
    for line in (
        "goal ready churn --labels yes --access yes --expert yes",
        'new "Can the labels be used?" --kind data-understanding --goal churn --appetite S',
        'frame EXP-4 --hypothesis "we believe" --metric recall --decision "which?"',
        "link EXP-4 ML-1",
        "start EXP-4",
        "move EXP-4 deciding",
        'outcome EXP-4 bad "they are wrong"',
        'decide EXP-4 stop "no use"',
    ):
        tracked.type(line)
    assert "stop: no use" in card(tracked, "EXP-4")
    poll(tracked, "recall 0.99 r1 EXP-4")
    assert settled(tracked) == 0
    assert "0.99" not in card(tracked, "EXP-4")


def test_a_baseline_that_was_repeated_tells_of_the_others_what_is_noise(tracked: World) -> None:
    tracked.type("frame EXP-2 --kind baseline")
    poll(tracked, *(f"recall {value} r{value} EXP-1" for value in (0.70, 0.72, 0.74)))
    tracked.settle()
    assert "best 0.74 in dev, 3 runs" in card(tracked)
    poll(tracked, *(f"recall {value} b{value} EXP-2" for value in (0.3, 0.5, 0.7, 0.9)))
    tracked.settle()
    assert "best 0.74 (unconfirmed) in dev, 3 runs" in card(tracked)


def test_a_slack_that_was_down_shows_the_latest_state_and_no_older_one(tracked: World) -> None:
    tracked.slack.faults.add("chat.update", "503", times=3)
    poll(tracked, "recall 0.71 r1 EXP-1")
    shown = []
    for value in ("0.72", "0.73"):
        tracked.clock.forward(seconds=16)
        while deliver_all(tracked.services, most=1):
            shown.append(card(tracked))
        poll(tracked, f"recall {value} r{value} EXP-1")
    tracked.settle()
    assert all("no runs yet" in one for one in shown)
    assert "best 0.73 in dev, 3 runs" in card(tracked)


def test_readings_that_come_while_an_act_is_told_are_told_with_it(tracked: World) -> None:
    poll(tracked, "recall 0.71 r1 EXP-1")
    tracked.edge.command('edit EXP-1 --title "Bytes"')
    deliver_all(tracked.services, most=1)
    assert "Bytes" in card(tracked)
    assert "best 0.71" in card(tracked), "at once, and not when the readings' moment is over"
    assert settled(tracked) == 0


def test_a_killed_poll_leaves_no_card_behind_its_readings(tracked: World) -> None:
    """What is ordered is ordered in the transaction that stores the readings: one without the other never is."""
    (metric,) = _metrics(tracked)
    with tracked.services.database.write() as connection:
        saved = save_found(
            connection, [(metric, [Reading(tracked.clock(), 0.8, "r1", experiment="EXP-1")])], {"EXP-1": 1}
        )
        order_progress(connection, tracked.services, saved.news)
        connection.rollback()
    assert settled(tracked) == 0
    assert "no runs yet" in card(tracked)


def _metrics(world: World) -> list[Metric]:
    with world.services.database.read() as connection:
        return load_metrics(connection)


def test_an_experiment_without_a_card_gets_none_from_its_readings(tracked: World) -> None:
    with tracked.services.database.write() as connection:
        order_cards(connection, tracked.services, ["EXP-9"])
    assert settled(tracked) == 0
    assert not any("EXP-9" in message["text"] for message in tracked.slack.messages("ml"))


def test_nothing_on_a_card_changes_by_time_alone(tracked: World) -> None:
    tracked.type("goal ready churn --labels yes --access yes --expert yes")
    tracked.type('new "Can the labels be used?" --kind data-understanding --goal churn --appetite L')
    tracked.type('frame EXP-4 --hypothesis "we believe" --decision "which?"')
    tracked.type("link EXP-4 ML-1")
    tracked.type("start EXP-4")
    assert "running · begun 23 Nov 2026, appetite L (30 d)" in card(tracked, "EXP-4")
    before = card(tracked, "EXP-4")
    tracked.clock.forward(days=9)
    with tracked.services.database.write() as connection:
        order_cards(connection, tracked.services, ["EXP-4"])
    assert settled(tracked) == 0
    assert card(tracked, "EXP-4") == before


def test_an_issue_that_moved_to_another_project_has_its_new_key_on_the_card(tracked: World) -> None:
    tracked.type("link EXP-1 ML-1")
    key = tracked.jira.move("ML-1", "OPS")
    take_census(tracked.services)
    tracked.settle()
    assert f"'text': '{key}'" in card(tracked)


def test_an_owner_who_changed_their_name_has_the_new_one_on_their_cards(tracked: World) -> None:
    assert "ana · churn" in card(tracked)
    tracked.slack.users["U0ANA"] = "ana.k"
    tracked.type("list")
    assert "ana.k · churn" in card(tracked)


def test_who_was_forgotten_is_named_on_no_card_any_more(tracked: World) -> None:
    forget_person(tracked.services, ADMIN, "U0ANA")
    tracked.settle()
    assert "former member" in card(tracked)
    assert "ana" not in card(tracked)


def test_a_run_given_to_another_experiment_leaves_the_card_of_the_first(tracked: World) -> None:
    poll(tracked, "recall 0.71 r1 EXP-1")
    tracked.settle()
    tracked.type("link EXP-2 files:r1")
    assert "no runs yet" in card(tracked)
    assert "best 0.71" in card(tracked, "EXP-2")
    tracked.type("unlink EXP-2 files:r1")
    assert "best 0.71" in card(tracked)


def test_a_write_to_jira_that_a_person_dropped_is_waited_for_no_longer(tracked: World) -> None:
    tracked.type("link EXP-1 ML-1")
    tracked.jira.faults.add("add_comment", "403")
    tracked.type("note EXP-1 leakage")
    assert "Jira waits since" in card(tracked)
    (stuck,) = list_stuck(tracked.services, ADMIN)
    drop_row(tracked.services, ADMIN, stuck.id)
    tracked.settle()
    assert "Jira waits" not in card(tracked)
