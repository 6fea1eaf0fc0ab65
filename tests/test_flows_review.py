"""A reviewer sees the report some hours before it goes out."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from bot.flows.report_plans import find_plan
from bot.flows.write_report import write_report
from sandbox.slack_edge import sign
from tests import blockkit
from tests.conftest import CONFIG, World
from tests.test_flows import reports

REVIEWED = CONFIG.replace(
    'schedule = "mon 09:00 UTC"', 'schedule = "mon 09:00 UTC"\nreviewer = "U0BEN"\npreview = "3h"'
)
LEADS = '[roles]\nadmin = ["U0ANA"]\n'


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Ben reviews the weekly report; Ana is the admin, so that Chi and Ben are members."""
    world = make_world(config=REVIEWED + LEADS)
    world.type("list", user="U0BEN")
    at(world, 5, 59)
    return world


def at(world: World, hour: int, minute: int) -> None:
    world.clock.at = datetime(2026, 11, 30, hour, minute, tzinfo=UTC)
    world.settle()


def previews(world: World) -> list[dict[str, Any]]:
    return [m for c in world.slack.channels.values() if c.name == "@ben" for m in c.messages]


def press(world: World, action: str, line: str = "", user: str = "U0BEN") -> str:
    """Press a button under the preview; what the field above it holds goes along, as Slack does it."""
    message = previews(world)[-1]
    buttons = next(block for block in message["blocks"] if block["type"] == "actions")
    button = next(element for element in buttons["elements"] if element["action_id"] == action)
    payload = {
        "type": "block_actions", "user": {"id": user, "username": world.slack.users[user]}, "team": {"id": "T0SANDBOX"},
        "trigger_id": f"{time.time_ns()}", "api_app_id": "A0", "container": {"type": "message"},
        "channel": {"id": "C0ML"}, "response_url": world.edge._sandbox_url + world.slack.response_path(user, "C0ML"),
        "state": {"values": {"report_line": {"report_line": {"type": "plain_text_input", "value": line or None}}}},
        "actions": [{**button, "block_id": "report_review", "action_ts": "1"}],
    }  # fmt: skip
    body = urlencode({"payload": json.dumps(payload)}).encode()
    before = len(world.slack.ephemerals)
    sent = sign(world.slack.signing_secret, body, time.time())
    assert httpx2.post(f"{world.web_url}/slack/events", content=body, headers=sent).status_code == 200
    world.settle()
    return "\n".join(str(e.message["text"]) for e in world.slack.ephemerals[before:])


def test_the_reviewer_gets_the_report_once_some_hours_before_and_it_goes_out_without_an_answer(world: World) -> None:
    assert not previews(world)
    at(world, 6, 1)
    (preview,) = previews(world)
    assert "It goes out Mon 30 Nov 09:00 UTC to #ml; without an answer, as it is." in preview["text"]
    assert blockkit.problems(preview["blocks"]) == []
    at(world, 8, 59)
    assert (len(previews(world)), len(reports(world))) == (1, 0)
    at(world, 9, 1)
    assert "(auto)" in reports(world)[0]


def test_a_persons_bottom_line_takes_the_place_of_the_rules_and_names_them(world: World) -> None:
    at(world, 6, 1)
    assert "will say: Two answers, one decision <!channel>." in press(
        world, "report_edit", "Two answers,\none decision <!channel>."
    )
    at(world, 9, 1)
    assert "Two answers, one decision <!channel>. (ben)" in reports(world)[0]
    assert "(auto)" not in reports(world)[0]
    assert "<!channel>" not in next(m for m in world.slack.messages("ml") if m["blocks"][0]["type"] == "header")["text"]
    assert "does not wait to go out" in press(world, "report_skip"), "what is written does not change"


def test_an_emptied_line_brings_the_rules_back_and_a_long_one_is_refused(world: World) -> None:
    at(world, 6, 1)
    press(world, "report_edit", "Mine.")
    assert "will say what the rule says" in press(world, "report_edit")
    assert "That bottom line has 281 characters; 280 fit." in world.type("report line " + "x" * 281)
    at(world, 9, 1)
    assert "(auto)" in reports(world)[0]


def test_a_skipped_report_is_written_and_not_sent_and_an_approval_takes_it_back(world: World) -> None:
    at(world, 6, 1)
    assert "will be written, and not sent" in press(world, "report_skip")
    assert "goes out Mon 30 Nov 09:00 UTC" in press(world, "report_approve")
    assert "will be written, and not sent" in press(world, "report_skip")
    at(world, 9, 1)
    assert not reports(world)
    assert "goes to #ml" in world.type("report post")


def test_only_the_reviewer_or_a_decider_may_speak_for_a_report(world: World) -> None:
    at(world, 6, 1)
    assert "To review a report one must be a decider" in press(world, "report_skip", user="U0CHI")
    assert "will say: Ana's line" in world.type('report line "Ana\'s line"')
    assert "does not wait to go out" in world.type("report approve --id weekly-manager-2026-W40")
    at(world, 9, 1)
    assert "Ana's line (ana)" in reports(world)[0]


def test_a_reviewer_who_would_be_asked_too_late_is_not_asked(world: World) -> None:
    at(world, 9, 1)
    assert (previews(world), len(reports(world))) == ([], 1)


def test_a_line_written_while_the_report_is_being_written_is_in_it(world: World) -> None:
    typed: list[str] = []

    def now() -> datetime:
        if not typed:  # the report has begun to look at the backlog
            typed.append(world.type('report line "Just in time."'))
        return world.clock()

    at(world, 8, 59)
    plan = find_plan(world.services, "weekly")
    due_at = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    done = write_report(replace(world.services, now=now), plan, due_at)
    assert "will say: Just in time." in typed[0]
    assert done.report.snapshot.bottom_line == "Just in time."
