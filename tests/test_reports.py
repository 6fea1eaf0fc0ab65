"""The weekly report on its three surfaces, in all shapes of a week."""

import json
import textwrap
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from backlog.aging import History
from backlog.experiment import Decision, Kind, Outcome, Stage
from backlog.metric import Better
from backlog.policy import PolicyItem
from backlog.snapshot import (
    Change,
    Comparison,
    DecisionNeeded,
    ExperimentLine,
    Flow,
    GoalLine,
    Health,
    Learned,
    Period,
    Risk,
    RunDot,
    Snapshot,
    SourceLine,
    Track,
)  # fmt: skip
from reports.card import Card
from reports.contents.weekly import weekly
from reports.filters import change, cut, mrkdwn, number, period
from reports.ladder import Ladder
from reports.mail import render_email
from reports.rendering import SURFACES, Format, render_card, render_report
from sandbox.transcript import block_text
from tests import blockkit

START = datetime(2026, 11, 16, tzinfo=UTC)
END = START + timedelta(days=7)
HOSTILE = '<!channel> <script>alert(1)</script> *b* `c` </title> {{ 7*7 }} \u202e\x00 "q" ' + "long " * 700
DOTS = tuple(
    RunDot(START - timedelta(days=40 - day), None if day == 9 else 0.7 + day / 500, day == 9, day > 40)
    for day in range(0, 46, 3)
)
TRACK = Track(
    "dev", "mlflow", 0.79, START + timedelta(days=2), 0.77, 16, 1, 3, 0, 2, 1,
    (None, 0.72, 0.73, 0.74, 0.75, 0.75, 0.76, 0.77, 0.77, 0.79), DOTS, END,
)  # fmt: skip
PROD = replace(TRACK, environment="prod", best=0.78, dots=DOTS[:2], runs=2)


def experiment(number: int, title: str = "Char tokens") -> ExperimentLine:
    return ExperimentLine(
        f"EXP-{number}", title, "churn", Kind.IMPROVEMENT, Stage.RUNNING, "U1", f"ML-{number}",
        f"https://jira.example/browse/ML-{number}", "We believe chars help", "recall", "share", Better.UP, 0.8, 0.01,
        "M", 10, 5, "", None, "", None, "", "", 0, Health.ON_TRACK, False, True, (TRACK, PROD),
    )  # fmt: skip


def goal(text: str = "keep active clients") -> GoalLine:
    return GoalLine(
        "churn", text, ("total income",), "recall", "share", Better.UP, 0.71, 0.8, False, Health.AT_RISK,
        Health.ON_TRACK, "EXP-1: blocked", (TRACK, PROD), Comparison(0.01, 0.02, True, ""),
    )  # fmt: skip


def snapshot(text: str = "Char tokens", count: int = 3) -> Snapshot:
    return Snapshot(
        "weekly", "manager", "weekly-manager-2026-W47", Period("2026-W47", START, END, "UTC"),
        END + timedelta(hours=9), False, "mon 09:00 UTC", "https://scrumbut.example", (goal(text),),
        tuple(experiment(n, text) for n in range(1, count + 1)),
        (DecisionNeeded("EXP-1", text, f"Decide about {text}.", ("adopt", "stop"), "U1", "it stays open",
                        Health.AT_RISK),),
        (Learned("EXP-9", text, "churn", Outcome.BAD, text, Decision.STOP, "a cost avoided", 4),),
        (Change(START, "EXP-1", text, "started", "U1"),),
        (Risk("blocked", "EXP-1", f"blocked: {text}", "its question stays open", "for 3 days", "U1", "clear it",
              date(2026, 11, 30), 0.5, "new"),),
        Flow(3, 5, (("EXP-1", 5),), 1, 4, 2, 10, None, 2, 1),
        (SourceLine("mlflow", "mlflow", END, ""), SourceLine("files", "csv", None, text)),
        (PolicyItem("sprints", "nobody can know", "WIP 2"),), {"U1": "Ana"},
    )  # fmt: skip


EMPTY = replace(
    snapshot(), goals=(), experiments=(), decisions=(), learned=(), changes=(), risks=(), sources=(), policy=(),
    flow=Flow(0, 5, (), 0, 0, 0, 10, None, 0, 0), public_url="", people={},
)  # fmt: skip
SHAPES = {"plain": snapshot(), "empty": EMPTY, "thirty": snapshot(count=30), "hostile": snapshot(HOSTILE)}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_week_is_a_message_that_slack_takes(shape: str) -> None:
    message = json.loads(render_report(SHAPES[shape], "slack").body)
    assert len(message["blocks"]) <= 10
    for part in [message, *message["thread"]]:
        assert blockkit.problems(part["blocks"]) == []
        assert "<!" not in part["text"]
    ladder = Ladder(message, lambda: "F1")
    while ladder.step_down("no pointer"):
        assert blockkit.problems(ladder.form["blocks"]) == []


def crowded(text: str, goals: int, learned: int, decisions: int) -> Snapshot:
    """A week in which everything happened, and a person wrote as much as a bottom line holds."""
    base = snapshot(text, 30)
    return replace(
        base, bottom_line=f"{text} " * 280, bottom_line_by="U1", people={"U1": text}, late=True,
        goals=tuple(replace(goal(text), key=f"goal-{n}") for n in range(goals)),
        learned=base.learned * learned, decisions=base.decisions * decisions, sources=base.sources * 9,
    )  # fmt: skip


TEXTS = {"plain": "Char tokens", "hostile": HOSTILE, "unbroken": "x" * 4_000, "wide": "漢字🎉" * 900}
CROWDS = {
    f"{name}-{goals}-{learned}-{decisions}": crowded(text, goals, learned, decisions)
    for name, text in (
        ("plain", "Char tokens"),
        ("hostile", HOSTILE),
        ("unbroken", "x" * 4_000),
        ("wide", "漢字🎉" * 900),
    )
    for goals, learned, decisions in ((0, 0, 0), (1, 0, 3), (2, 9, 0), (9, 9, 9))
}


@pytest.mark.parametrize("shape", SHAPES | CROWDS)
def test_the_channel_shows_at_most_twelve_lines_and_1500_characters(shape: str) -> None:
    message = json.loads(render_report((SHAPES | CROWDS)[shape], "slack").body)
    assert blockkit.problems(message["blocks"]) == []
    assert len(message["blocks"]) <= 9, "and the row of buttons"
    assert sum(map(len, _texts(message["blocks"]))) <= 1_500
    words = [b for b in message["blocks"] if b["type"] not in ("data_table", "data_visualization", "actions")]
    lines = [line for block in words for line in block_text(block)]
    assert sum(len(textwrap.wrap(line, 94)) for line in lines) <= 12, lines


def test_a_crowded_channel_keeps_every_decision_a_goal_and_what_was_learned() -> None:
    message = json.loads(render_report(crowded("Char tokens", 4, 4, 3), "slack").body)
    lines = [line for block in message["blocks"] for line in block_text(block)]
    assert sum(line.startswith("• Decide about Char tokens.") for line in lines) == 3
    assert any(line.startswith("▲ Char tokens: at risk") for line in lines)
    assert "30 of 30 experiments improved, 0 failed. 7 more in the thread." in " ".join(lines)
    short = json.loads(render_report(replace(crowded("Char tokens", 4, 4, 3), bottom_line="Fine."), "slack").body)
    assert any(line.startswith("Bad: Char tokens.") for block in short["blocks"] for line in block_text(block))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_decision_in_the_channel_has_its_button(shape: str) -> None:
    message = json.loads(render_report(SHAPES[shape], "slack").body)
    buttons = [e["value"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert buttons == [f"show {needed.subject}" for needed in SHAPES[shape].decisions]


def test_only_the_block_that_slack_names_becomes_plainer_one_rung_at_a_time() -> None:
    message = json.loads(render_report(snapshot(), "slack").body)
    table = next(i for i, b in enumerate(message["blocks"]) if b["type"] == "data_table")
    ladder = Ladder(message, lambda: "F1")
    for rung, kind in (("table", "table"), ("text", "rich_text")):
        assert ladder.step_down(f"must be one of [json-pointer:/blocks/{table}/type]")
        assert ladder.rungs == {"chart": "native", "table": rung}
        assert ladder.form["blocks"][table]["type"] == kind
    assert "EXP-1 Char tokens" in json.dumps(ladder.form["blocks"][table])
    assert [ladder.step_down("") for _ in range(4)] == [True, True, True, False]
    assert ladder.form["blocks"] == []


def test_a_chart_that_cannot_be_uploaded_becomes_a_sentence() -> None:
    ladder = Ladder(json.loads(render_report(snapshot(), "slack").body), lambda: "")
    assert ladder.step_down("")
    assert ladder.rungs["chart"] == "sentence"
    assert "recall, best so far. dev: from 0.72 to 0.79" in json.dumps(ladder.form["blocks"])


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [v for k, v in value.items() if k == "text" and isinstance(v, str)] + _texts(list(value.values()))
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("surface", SURFACES)
def test_all_surfaces_say_the_same_numbers(surface: Format) -> None:
    body = render_report(snapshot(), surface).body
    context = weekly(snapshot())
    for said in ("0.79", "0.78", "0.71", "0.8", context["verdict"], "2 good of 4", "4 of 10", "gap 0.01"):
        assert said in body or (surface == "slack" and said == "gap 0.01"), said


@pytest.mark.parametrize("shape", SHAPES)
def test_the_page_is_one_file_without_script_or_request(shape: str) -> None:
    page = render_report(SHAPES[shape], "html").body
    assert "<script" not in page
    assert "src=" not in page.replace("default-src", "").replace("style-src", "")
    assert page.count("<title>") - page.count('role="img"') == 1


@pytest.mark.parametrize("shape", SHAPES | CROWDS)
def test_page_and_letter_stay_small_whatever_a_week_holds(shape: str) -> None:
    taken = (SHAPES | CROWDS)[shape]
    usual = shape in SHAPES or shape.startswith("plain")
    assert len(render_report(taken, "html").body.encode()) < (60_000 if usual else 150_000)
    assert len(render_email(taken).html.encode()) < 100_000


def test_a_megabyte_of_text_is_told_in_part_and_never_in_whole() -> None:
    long = "leakage in fold 3 <b> " * 50_000
    taken = snapshot()
    found = replace(taken.learned[0], learning=long, so_what=long)
    asked = replace(taken.decisions[0], question=long)
    big = replace(taken, learned=(found,), decisions=(asked,), changes=(replace(taken.changes[0], what=long),))
    mail = render_email(big)
    sizes = [len(render_report(big, surface).body) for surface in (*SURFACES, "md")]
    assert max(*sizes, len(mail.html), len(mail.text)) < 60_000


def test_every_chart_says_its_numbers_to_those_who_do_not_see_it() -> None:
    page = render_report(snapshot(), "html").body
    assert page.count('role="img"') + page.count('aria-hidden="true"><') == page.count("<svg")
    assert "recall of churn, best so far by week: dev 0.79, prod 0.78; from 0.71, goal 0.8." in page
    assert "EXP-1, recall, dev: 16 runs, 1 failed, best 0.79, goal 0.8." in page
    assert "Best so far, ten weeks: 0.72 to 0.79, goal 0.8." in page


def test_an_old_snapshot_renders_to_the_same_bytes_again() -> None:
    for surface in SURFACES:
        assert render_report(snapshot(), surface) == render_report(snapshot(), surface)


def test_a_quiet_week_says_so() -> None:
    assert "No goal is stated yet" in render_report(EMPTY, "text").body
    assert "No run was made and nothing changed" in render_report(EMPTY, "html").body


def test_a_bad_outcome_is_told_as_a_cost_avoided() -> None:
    assert "bad after 4 runs. Char tokens. So what: A cost avoided." in render_report(snapshot(), "text").body


def test_ages_are_told_against_the_teams_own_history_once_there_is_one() -> None:
    flow = replace(snapshot().flow, finished_ever=12, history=History(12, 4, 9, 20))
    told = " ".join(weekly(replace(snapshot(), flow=flow))["flow_lines"])
    assert "Oldest: EXP-1 5 d. EXP-1 is older than 50 % of those finished." in told
    assert "About 8 of 10 experiments get an answer within 9 days (from 12 finished)." in told
    assert "not enough history" not in told


def test_only_the_words_of_the_week_are_explained() -> None:
    words = [line.partition(":")[0] for line in weekly(snapshot())["words"]]
    assert "recall" in words
    assert "rmse" not in words


def test_the_text_fits_a_terminal() -> None:
    assert max(map(len, render_report(snapshot(), "text").body.splitlines())) <= 100


@pytest.mark.parametrize(
    "template",
    ["{{ nothing }}", "{% if %}", "{{ ''.__class__.__mro__ }}", '{"text": ', "{{ id.pop() }}", "{{ range(10**9) }}"],
)
def test_a_template_that_fails_is_named_and_replaced(tmp_path: Path, template: str) -> None:
    (tmp_path / "weekly.slack.j2").write_text(template)
    rendered = render_report(snapshot(), "slack", tmp_path)
    assert json.loads(rendered.body)["blocks"]
    assert "weekly.slack.j2" in rendered.note
    assert "The built-in template was used" in rendered.note


def test_a_template_of_ones_own_is_used(tmp_path: Path) -> None:
    (tmp_path / "weekly.text.j2").write_text("Hello, {{ verdict }}")
    assert render_report(snapshot(), "text", tmp_path).body.startswith("Hello, The goal is at risk")


def test_a_card_keeps_its_height_and_its_text_is_only_text() -> None:
    empty = Card("EXP-1", "t", "idea", "", "", "", "", "", "", "", "", "")
    full = Card(
        "EXP-1",
        HOSTILE,
        "running",
        "churn",
        "ana",
        "ML-1",
        "https://x/ML-1",
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
    )
    heights = set()
    for card in (empty, full):
        message = render_card(card)
        assert blockkit.problems(message["blocks"]) == []
        heights.add(sum(text.count("\n") for text in _texts(message["blocks"])))
    assert len(heights) == 1


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [(None, None, ""), (None, 1.0, "new"), (0.5, 0.5, "no change"), (0.15, 0.08, "\u221247 %"), (0.8, 0.804, "+0.5 %")],
)
def test_changes_are_told_as_people_say_them(before: float | None, now: float | None, said: str) -> None:
    assert change(before, now) == said


def test_numbers_weeks_and_cuts() -> None:
    assert [number(v) for v in (None, 0.78912, 12.3456, 1234567.0)] == ["?", "0.789", "12.3", "1,234,567"]
    assert number(12.3, "ms") == "12.3 ms"
    assert period(Period("2026-W49", datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 7, tzinfo=UTC), "UTC")) == (
        "Week 49, 30 November to 6 December 2026"
    )
    assert cut("abcdef", 4) == "abc…"
    assert mrkdwn("<!channel> & co") == "&lt;!channel&gt; &amp; co"


def test_a_goal_that_is_met_is_green_only_while_nothing_is_open() -> None:
    met = replace(goal(), met=True, tracks=(TRACK, replace(PROD, best=0.81)))
    said = weekly(replace(snapshot(), goals=(met,)))["goals"][0]
    assert (said["tone"], said["word"]) == ("risk", "at risk, goal met")
    assert "at risk ↓ from on track although the target is reached in production" in said["sentence"]
    fine = weekly(replace(snapshot(), goals=(replace(met, health=Health.ON_TRACK),)))
    assert (fine["goals"][0]["tone"], fine["goals"][0]["shape"]) == ("met", "✓")
    assert fine["verdict"].startswith("The goal is met")


@pytest.mark.parametrize(
    ("healths", "said"),
    [
        ([Health.UNKNOWN], "We do not know where the goal stands; one idea did not work and one decision waits."),
        ([Health.UNKNOWN] * 2, "We do not know where any of two goals stands; one idea"),
        ([Health.OFF_TRACK, Health.UNKNOWN], "One of two goals is off track; we do not know about one: one idea"),
        (
            [Health.AT_RISK, Health.AT_RISK, Health.ON_TRACK],
            "Two of three goals are at risk and one is on track: one idea",
        ),
    ],
)
def test_the_headline_says_what_we_do_not_know(healths: list[Health], said: str) -> None:
    goals = tuple(replace(goal(), key=f"goal-{n}", health=health) for n, health in enumerate(healths))
    assert weekly(replace(snapshot(), goals=goals))["verdict"].startswith(said)


def test_of_an_experiments_way_only_where_it_arrived_is_told() -> None:
    way = ("started", "moved to observing", "moved to deciding", "concluded, stop: no gain")
    changes = tuple(Change(START, "EXP-1", "Char tokens", what, "U1") for what in way)
    assert weekly(replace(snapshot(), changes=changes))["changes"][0]["what"] == ["started", "concluded, stop: no gain"]


def test_a_bet_tells_what_is_left_since_its_last_extension_and_when_to_look_next() -> None:
    bets = (replace(experiment(1), age_days=19, bet_days=2), replace(experiment(2), age_days=19, bet_days=10))
    said = weekly(replace(snapshot(), experiments=bets))["bets"]
    assert [(bet["key"], bet["note"]) for bet in said] == [
        ("EXP-1", "8 of 10 days of appetite left, next look 26 November, Ana")
    ]


def test_what_may_come_of_a_goal_has_its_own_section_with_or_without_history() -> None:
    for line in ("the 4 that are ready are decided in 3 to 9 weeks", "not enough history (4 of 5)"):
        told = replace(snapshot(), goals=(replace(goal(), outlook=(line,)),))
        assert "What may come</h2>" in render_report(told, "html").body
        for surface in (*SURFACES, "md"):
            assert line[1:] in render_report(told, surface).body.replace("\\", "")
