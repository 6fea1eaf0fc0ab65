"""Risks and health, from the line that is typed to what the report says."""

import json

from bot.flows.write_report import preview_report
from tests.conftest import World


def a_goal(world: World) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type('new "Char tokens" --goal churn')


def told(world: World) -> list[tuple[str, str, str]]:
    snapshot = preview_report(world.services, world.services.reports[0])
    return [(risk.rule, risk.cause, risk.answer) for risk in snapshot.risks]


def test_a_risk_that_a_person_names_is_told_until_it_is_closed(world: World) -> None:
    a_goal(world)
    said = world.type('risk add churn "vendor data ends in May" --impact high --review 14d')
    assert "Risk 1 of churn is on the register." in said
    assert ("manual", "vendor data ends in May", "") in told(world)
    assert "vendor data ends in May" in world.type("risk list churn")
    assert "is closed" in world.type("risk close 1")
    assert told(world) == []


def test_a_rule_opens_a_risk_and_it_resolves_when_its_cause_is_gone(world: World) -> None:
    a_goal(world)
    world.type('goal ready churn --labels "no, from May"')
    world.clock.forward(hours=2)
    world.settle()
    assert [rule for rule, _, _ in told(world)] == ["no_usable_data"]
    assert "labels no (from May)" in world.type("risk list")
    world.type("goal ready churn --labels yes")
    world.clock.forward(hours=2)
    world.settle()
    assert "No open risk." in world.type("risk list")
    assert "It resolved on" in world.type('risk ack 1 "too late"')


def test_a_muted_risk_is_left_out_of_reports_until_its_review_date(world: World) -> None:
    a_goal(world)
    world.type('goal ready churn --labels "no"')
    world.type("risk list")
    assert "Say why" in world.type("risk mute 1")
    assert "is muted until" in world.type('risk mute 1 "the vendor moves in May" --review 7d')
    assert told(world) == []
    world.clock.forward(days=8)
    assert [rule for rule, _, _ in told(world)] == ["no_usable_data"]
    world.type('risk ack 1 "asked again" --review 7d')
    assert [answer for _, _, answer in told(world)] == ["acknowledged"]


def test_a_rules_risk_is_not_closed_by_hand(world: World) -> None:
    a_goal(world)
    world.type("goal ready churn --access no")
    world.type("risk list")
    assert "goes when its cause goes" in world.type("risk close 1")


def test_a_persons_call_stands_beside_the_derived_health(world: World) -> None:
    a_goal(world)
    assert "Say why" in world.type("health churn at-risk")
    assert "churn: at risk, you say: labels late" in world.type('health churn at-risk "labels late"')
    goal = preview_report(world.services, world.services.reports[0]).goals[0]
    assert goal.call is not None
    assert (goal.call.health, goal.call.why, goal.call.who) == ("at risk", "labels late", "ana")


def test_a_risk_of_what_nobody_knows_is_refused(world: World) -> None:
    assert 'There is no goal "chrun"' in world.type('risk add chrun "x"')
    assert "There is no open risk 7." in world.type('risk mute 7 "why"')
    assert "EXP-99" in world.type('risk add EXP-99 "x"')


def test_the_register_answers_scripts(world: World) -> None:
    from bot.flows.services import Caller
    from bot.verbs import Request, answer, split_line

    a_goal(world)
    world.type('risk add EXP-1 "the GPU is booked" --impact low')
    said = answer(split_line("risk list"), Request(world.services, Caller("ana", "ana")))
    found = json.loads(json.dumps(said.data))
    assert [(risk["number"], risk["subject"], risk["rule"], risk["owner"]) for risk in found] == [
        (1, "EXP-1", "manual", "U0ANA")
    ]
