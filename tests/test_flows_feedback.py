"""What readers think of a report, and a report of the past as it was sent."""

import json
from collections.abc import Callable

from backlog.snapshot import Snapshot
from bot.flows.report_plans import find_plan
from bot.flows.services import Caller
from bot.flows.write_report import find_stored, render
from bot.terminal import to_json, to_text
from bot.verbs import Request, answer
from tests.conftest import CONFIG, World
from tests.test_flows import run_whole_experiment
from tests.test_flows_subscriptions import click


def parts(world: World) -> list[dict[str, object]]:
    return [m for m in world.slack.messages("ml") if m["blocks"][-1].get("block_id") == "report_feedback"]


def test_one_click_under_each_part_counts_and_the_latest_of_each_person_stands(world: World) -> None:
    world.type("report post weekly")
    head, learned, *_ = parts(world)
    assert len(parts(world)) == 4
    assert "Counted, thank you: useful." in click(world, head, "Useful", "U0ANA")
    click(world, head, "Unclear", "U0BEN")
    click(world, head, "Not useful", "U0BEN")
    click(world, learned, "Unclear", "U0BEN")
    assert "Nobody has clicked" not in world.type("report stats")
    counts = json.loads(to_json(answer(["report", "stats", "weekly"], Request(world.services, Caller("c", "c")))))
    assert counts["Summary"] == {"useful": 1, "not-useful": 1}
    assert counts[str(learned["text"])] == {"unclear": 1}
    assert "Nobody has clicked under a report yet." in world.type("report stats risk")


def test_under_a_report_stand_its_page_and_a_schedule_of_ones_own(make_world: Callable[..., World]) -> None:
    world = make_world(config=CONFIG + '[web]\npublic_url = "https://scrumbut.example"\n')
    world.type("report post weekly")
    head, learned, *_ = parts(world)
    labels = [element["text"]["text"] for element in head["blocks"][-1]["elements"]]  # type: ignore[index]
    assert labels == ["Open report", "Schedule…", "Useful", "Not useful", "Unclear"]
    page = head["blocks"][-1]["elements"][0]["url"]  # type: ignore[index]
    assert page.startswith("https://scrumbut.example/reports/weekly-manager-2026-W47?")
    assert len(learned["blocks"][-1]["elements"]) == 3  # type: ignore[index]
    click(world, head, "Open report")  # Slack tells of it and wants an answer; the browser does the rest
    click(world, head, "Schedule…")
    opened = world.slack.views.top("U0BEN")
    assert opened is not None
    assert opened.content["title"]["text"] == "Schedule a report"
    assert '"weekly"' in json.dumps(opened.content["blocks"])


def test_a_click_for_a_report_that_is_not_there_is_refused(world: World) -> None:
    world.type("report post weekly")
    head = parts(world)[0]
    row = head["blocks"][-1]  # type: ignore[index]
    row["elements"][-3]["value"] = "weekly-<!channel> Summary"
    assert "There is no report" in click(world, head, "Useful")
    assert "is not one of" in world.type("report rate bad --id weekly-manager-2026-W47")


def test_an_old_report_is_shown_as_it_was_and_renders_to_the_same_bytes_again(world: World) -> None:
    run_whole_experiment(world)
    world.type('goal edit churn --target 0.85 "new contract"')
    world.type("report post weekly")
    stored = find_stored(world.services, "2026-W47", "weekly")
    world.type('goal edit churn --target 0.9 "another"')
    world.clock.forward(days=30)
    request = Request(world.services, Caller("c", "c"))
    assert to_text(answer(["report", "show", "2026-W47"], request)) + "\n" == stored.text
    assert "0.85" in world.type("report show weekly-manager-2026-W47")
    snapshot: Snapshot = find_stored(world.services, "2026-W47", "weekly").snapshot
    plan = find_plan(world.services, "weekly")
    assert [render(snapshot, plan, surface).body for surface in ("slack", "html", "text")] == [
        stored.slack, stored.html, stored.text,
    ]  # fmt: skip
    assert "The latest: weekly-manager-2026-W51, weekly-manager-2026-W50" in world.type("report show 2026-W01")
