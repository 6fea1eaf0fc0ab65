"""Reports on request, and templates of one's own, from the line that is typed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backlog.errors import BacklogError
from bot.flows.services import Caller
from bot.flows.show_report import TEMPLATED, draft, eject, write_out
from bot.terminal import to_text
from bot.verbs import Request, answer
from reports.contents import REPORTS
from sandbox.slack import Channel
from tests.conftest import CONFIG, World


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_can_be_asked_for_without_a_schedule(world: World, name: str) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type('new "Char tokens" --goal churn')
    snapshot, plan = draft(world.services, name, subject="EXP-1" if name == "experiment" else "")
    assert (snapshot.report, plan.audience) == (name, "manager")
    for surface in ("slack", "html", "text", "md", "json"):
        body, note = write_out(snapshot, plan, surface)
        assert (len(body) > 200, note) == (True, "")
    assert world.type(f"report preview {name} --subject EXP-1")


def test_the_risk_report_tells_what_resolved_since_the_week_began(world: World) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type('new "Char tokens" --goal churn')
    for labels in ('"no, from May"', "yes"):
        world.type(f"goal ready churn --labels {labels}")
        world.clock.forward(hours=2)
        world.settle()
    snapshot, plan = draft(world.services, "risk")
    assert [risk.rule for risk in snapshot.resolved] == ["no_usable_data"]
    assert b"\nRESOLVED\n" in write_out(snapshot, plan, "text")[0]


TEAMS = """
[[reports]]
audience = "vision-team"
schedule = "mon 09:00 UTC"
team = "Vision research"
[[teams]]
name = "Vision research"
goals = ["defects"]
channel = "#vision"
"""


def test_a_teams_report_speaks_of_its_own_goals_names_it_and_goes_to_its_channel(
    make_world: Callable[..., World],
) -> None:
    world = make_world(config=CONFIG + TEAMS)
    world.slack.channels["C0VISION"] = Channel("C0VISION", "vision")
    for goal, title in (("churn", "Char tokens"), ("defects", "Photos from two sides")):
        world.type(f'goal add {goal} "{goal} goes down" --metric recall --baseline 0.71 --target 0.80')
        world.type(f'new "{title}" --goal {goal}')
    snapshot, plan = draft(world.services, "weekly", "vision-team")
    assert [goal.key for goal in snapshot.goals] == ["defects"]
    assert [e.title for e in snapshot.experiments] == ["Photos from two sides"]
    page = write_out(snapshot, plan, "html")[0].decode()
    assert "Vision research, weekly report" in page
    assert "churn" not in page
    world.type("report post weekly --audience vision-team")
    assert any("Vision research, weekly report, Week 47" in message for message in world.channel("vision"))
    assert {goal.key for goal in draft(world.services, "weekly", "manager")[0].goals} == {"churn", "defects"}


def test_a_card_needs_an_experiment_and_a_report_a_name(world: World) -> None:
    with pytest.raises(BacklogError, match="about one experiment"):
        draft(world.services, "experiment")
    with pytest.raises(BacklogError, match='There is no report "nope"'):
        draft(world.services, "nope")


def test_templates_are_copied_once_and_then_belong_to_the_user(world: World, tmp_path: Path) -> None:
    assert 'templates = "report-templates"' in world.type("report eject weekly")
    plan = replace(world.services.reports[0], templates=tmp_path / "mine")
    services = replace(world.services, reports=(plan,))
    assert len(eject(services, "weekly")) == len(TEMPLATED)
    mine = tmp_path / "mine/weekly.md.j2"
    mine.write_text("Ours: {{ verdict }}")
    assert eject(services, "weekly") == []
    assert write_out(*draft(services, "weekly"), "md")[0].startswith(b"Ours: No goal is stated yet")
    assert write_out(*draft(services, "weekly"), "html") == write_out(*draft(world.services, "weekly"), "html")


def test_the_context_is_told_from_the_code(world: World) -> None:
    assert "deck list of text" in world.type("report context weekly"), "Slack shows its beginning"
    said = to_text(answer(["report", "context", "weekly"], Request(world.services, Caller("U0ANA", "ana"))))
    assert "decisions[].evidence" in said
    assert "the bottom line, at most 280 characters" in said
