"""Too much work, a process that is told to end, and one that cannot work: each says so."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import structlog

from bot.flows.deliver_outbox import deliver_all
from bot.readiness import Readiness
from bot.work import Workers, work_once
from store import queue
from tests.conftest import CONFIG, World
from tests.test_bot_serve import Place, make_place, place, wait_for

__all__ = ["make_place", "place"]  # fixtures


def test_a_slow_command_is_refused_while_the_queue_is_full_and_nothing_is_changed(
    make_world: Callable[..., World],
) -> None:
    world = make_world(config=CONFIG + "[queue]\nlimit = 3\n")
    with world.services.database.write() as connection:
        for number in range(3):
            queue.defer(connection, f"poll:{number}", "poll_source", {"source": "files"}, world.clock.at)
    refused = world.edge.command("sync")
    assert "Too much waits here just now" in str(refused.body)
    assert "ask again in a minute" in str(refused.body)
    assert "EXP-1 is on the backlog" in world.edge.command('new "What is quick is done"').body["text"]
    world.settle()
    assert "answer follows here" in str(world.edge.command("sync").body)


def test_a_form_that_must_wait_for_the_queue_is_refused_as_a_slow_command_is(make_world: Callable[..., World]) -> None:
    world = make_world(config=CONFIG + "[queue]\nlimit = 1\n")
    world.type('goal add churn "keep active clients"')
    world.type('new "Char-level tokens"')
    fields = {"name": "recall", "goal": "churn", "source": "files", "key": "recall", "environment": "dev"}
    world.edge.command("metric add --form")
    with world.services.database.write() as connection:
        queue.defer(connection, "poll:1", "poll_source", {"source": "files"}, world.clock.at)
    refused = world.edge.submit(**fields, better="up")
    assert "Too much waits here just now" in str(refused.body["errors"])
    shown = len(world.slack.views.shown)
    world.edge.close()
    world.edge.message_shortcut("make_experiment", world.slack.messages("ml")[0])
    deliver_all(world.services)
    assert len(world.slack.views.shown) == shown, "nothing opens that nothing would fill"
    assert "Too much waits here just now" in str(world.slack.ephemerals[-1].message)


def check_unknown_tasks_end_at_once(world: World) -> None:
    """A task of an earlier version, handed over before an upgrade."""
    with world.services.database.write() as connection:
        queue.defer(connection, "remind", "remind_deciders", {}, world.services.now())
    with structlog.testing.capture_logs() as logged:
        while work_once(world.services):
            pass
    (told,) = [line for line in logged if line.get("task") == "remind_deciders"]
    assert (told["log_level"], told["event"], told["attempts"]) == ("error", "task given up", 1)
    assert "this version knows no such task" in told["why"]
    with world.services.database.read() as connection:
        assert queue.count_by_state(connection) == {queue.FAILED: 1}


def test_a_task_of_another_version_is_given_up_at_once_and_told(world: World) -> None:
    check_unknown_tasks_end_at_once(world)


def test_what_the_clock_hands_over_is_never_refused(make_world: Callable[..., World]) -> None:
    world = make_world(config=CONFIG + "[queue]\nlimit = 1\n")
    world.settle()
    world.clock.forward(days=7)
    world.settle()
    assert [text for text in world.channel() if text.startswith("Weekly report")]


def test_a_process_whose_work_hangs_ends_within_ten_seconds(place: Place) -> None:
    place.jira.faults.add("search", "hang_before", times=9, seconds=60)
    with place.serve() as process:
        place.edge().command("sync")
        wait_for(lambda: any(call["operation"] == "search" for call in place.jira.calls))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.monotonic() - began < 10


def test_a_running_process_is_ready(place: Place) -> None:
    with place.serve():
        answer = httpx2.get(f"{place.web}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


def test_a_process_without_its_database_or_workers_is_not_ready(world: World, tmp_path: Path) -> None:
    assert httpx2.get(f"{world.web_url}/readyz").status_code == 200
    with world.services.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE task RENAME TO away")
    answer = httpx2.get(f"{world.web_url}/readyz")
    assert (answer.status_code, answer.json()["why"]) == (503, "the database does not answer")
    with world.services.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO task")
    ready = Readiness(world.services)
    workers = Workers(world.services)
    ready.parts.append(workers.problem)
    assert ready.problems() == ["4 of the workers ended"]
    workers.start()
    assert ready.problems() == []
    workers.stop()
    assert ready.problems() == ["4 of the workers ended"]
