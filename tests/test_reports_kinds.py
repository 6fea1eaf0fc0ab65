"""The reports beside the weekly one, and the same numbers on every surface."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backlog.errors import NotFound
from backlog.experiment import Decision, Outcome
from backlog.snapshot import Move, Snapshot, Step
from reports.contents import REPORTS
from reports.describe import describe
from reports.mail import PICTURE, render_email
from reports.rendering import Format, render_report
from tests import blockkit
from tests.test_reports import EMPTY, END, HOSTILE, SHAPES, START, snapshot

FORMATS: tuple[Format, ...] = ("slack", "html", "text", "md", "json")
MOVES = (Move(START, "target", 0.75, 0.8, "new contract"),)


def of(kind: str, base: Snapshot | None = None) -> Snapshot:
    """A snapshot for that kind of report."""
    taken = base or snapshot()
    return replace(taken, report=kind, subject="EXP-1" if kind == "experiment" else "")


def plain(body: str) -> str:
    """What a reader sees: without tags, escapes of Markdown, and line breaks."""
    return " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", body, flags=re.S).replace("\\", "").split())


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_report_can_be_written_in_every_shape_of_a_week_on_every_surface(kind: str, shape: str) -> None:
    taken = of(kind, SHAPES[shape])
    if kind == "experiment" and not taken.experiments:
        return
    for surface in FORMATS:
        body = render_report(taken, surface).body
        # Slack and JSON carry text as text; in the others it would be markup.
        assert surface in ("slack", "json", "text") or not any(mark in body for mark in ("<script", "<!channel>"))
    message = json.loads(render_report(taken, "slack").body)
    for part in [message, *message["thread"]]:
        assert blockkit.problems(part["blocks"]) == []
        assert "<!" not in part["text"]
    assert len(message["blocks"]) <= 10


@pytest.mark.parametrize("surface", [*FORMATS, "email", "email-text"])
def test_every_surface_says_the_same_numbers(surface: str) -> None:
    mail = render_email(snapshot())
    body = {"email": mail.html, "email-text": mail.text}.get(surface) or render_report(snapshot(), surface).body  # type: ignore[arg-type]
    said = plain(body)
    for figure in ("0.79", "0.78", "0.8", "EXP-1", "2 good of 4", "at risk", "The goal is at risk"):
        assert figure.lower() in said.lower(), figure
    assert "0.71" in said or surface.startswith("email")


def test_the_data_of_a_report_are_numbers_and_the_words_made_of_them() -> None:
    written = json.loads(render_report(snapshot(), "json").body)
    assert written["data"]["goals"][0]["tracks"][0]["best"] == 0.79
    assert written["said"]["goals"][0]["tracks"][0]["best"] == "0.79"


def test_an_email_has_a_verdict_for_its_subject_and_fits_a_mailbox() -> None:
    mail = render_email(snapshot(count=30))
    assert mail.subject.startswith("The goal is at risk")
    assert f'src="cid:{PICTURE}"' in mail.html
    assert mail.alt in mail.html
    assert mail.png.startswith(b"\x89PNG")
    assert len(mail.html.encode()) < 100_000
    assert "https://scrumbut.example/reports/weekly-manager-2026-W47" in mail.text
    preheader = mail.html.partition('class="pre"')[2].partition(">")[2].partition("<")[0]
    assert 0 < len(preheader) <= 90


def test_an_email_without_any_value_has_no_picture() -> None:
    mail = render_email(EMPTY)
    assert (mail.png, "cid:" in mail.html) == (b"", False)


def test_the_risk_report_tells_new_continuing_and_resolved_apart() -> None:
    new, old = snapshot().risks[0], replace(snapshot().risks[0], rule="over_age", trend="continuing", cause="old")
    gone = replace(new, subject="EXP-2", cause="labels late")
    text = render_report(of("risk", replace(snapshot(), risks=(new, old), resolved=(gone,))), "text").body
    assert "Two risks are open, one of them new; one resolved." in text
    parts = [text.index(heading) for heading in ("\nNEW\n", "\nCONTINUING\n", "\nRESOLVED\n")]
    assert parts == sorted(parts)
    assert text.index("labels late") > parts[2]


def test_a_card_tells_one_experiment_to_somebody_who_never_saw_the_backlog() -> None:
    story = (Step(START, "started", "U1"), Step(START + timedelta(days=2), "note: leakage fixed", "U1"))
    told = replace(
        snapshot().experiments[0], outcome=Outcome.BAD, learning="chars add nothing", decision=Decision.STOP,
        decision_reason="gain 0.2 pt", serves="which model?", evidence="16 runs", story=story, decided_by="U1",
        decided_at=END,
    )  # fmt: skip
    text = render_report(of("experiment", replace(snapshot(), experiments=(told,))), "text").body
    for heading in ("QUESTION", "WHAT WE DID", "WHAT WE FOUND", "SO WHAT", "EVIDENCE", "DECISION"):
        assert f"\n{heading}\n" in text
    assert "Char tokens: bad, and we decided to stop." in text
    assert "18 November: note: leakage fixed (Ana)" in text
    with pytest.raises(NotFound):
        render_report(replace(snapshot(), report="experiment", subject="EXP-99"), "text")


def test_a_goal_review_keeps_old_targets_in_sight() -> None:
    goal = replace(snapshot().goals[0], moves=MOVES, finished=14, good=3)
    text = render_report(of("goal-review", replace(snapshot(), goals=(goal,))), "text").body
    assert "16 November: target 0.75 → 0.8, new contract" in text
    assert "In all, 3 good of 14 finished." in text
    assert "1 answer in this period: 1 bad" in text


def test_a_digest_tells_differences_only() -> None:
    assert "Nothing changed." in render_report(of("digest", EMPTY), "text").body
    quiet = replace(
        snapshot(), changes=(), learned=(), risks=(), goals=(replace(snapshot().goals[0], health_before=None),)
    )
    assert "EXP-1" not in render_report(of("digest", quiet), "text").body


def test_the_team_reads_numbers_first_and_no_glossary() -> None:
    team = plain(render_report(replace(snapshot(), audience="team"), "text").body)
    assert "recall: 0.79 in dev, 0.78 in prod; from 0.71, goal 0.8: Char tokens, at risk" in team
    assert "WORDS" not in team
    assert "Char tokens: at risk" in render_report(snapshot(), "text").body


@pytest.mark.parametrize("kind", REPORTS)
def test_what_is_documented_is_what_templates_get(kind: str) -> None:
    told = {name for name, _, _ in describe(kind) if "." not in name}
    assert told == set(REPORTS[kind].contents(of(kind)))


HANGS = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("one\n{{ nothing }}", "line 2: 'nothing' is undefined"),
        ("{{ ''.__class__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ range(10**9) }}", "line 1: OverflowError: Range too big"),
        ("{{ 'a' * 10**9 }}", "line 1: MemoryError"),
        ("{{ deck.append(1) }}", "line 1: SecurityError"),
        ("{% for a in range(9999) %}{{ 'a' * 999 }}{% endfor %}", "it writes more than"),
        (HANGS, "it used more time or memory than is allowed"),
        ("{% include '../../secret' %}", "line 1"),
    ],
)  # fmt: skip
def test_a_hostile_template_is_refused_with_the_reason_and_the_report_goes_out(
    tmp_path: Path, template: str, reason: str
) -> None:
    (tmp_path / "weekly.md.j2").write_text(template)
    rendered = render_report(snapshot(), "md", tmp_path)
    assert rendered.body.startswith("# The goal is at risk")
    assert reason in rendered.note
    assert f"Template {tmp_path / 'weekly.md.j2'}" in rendered.note
    assert "The built-in template was used" in rendered.body.replace("\\", "")


def test_a_template_of_ones_own_may_extend_the_built_in_page(tmp_path: Path) -> None:
    (tmp_path / "weekly.html.j2").write_text('{% extends "page.html.j2" %}{% block body %}<p>Ours</p>{% endblock %}')
    page = render_report(snapshot(), "html", tmp_path).body
    assert "<p>Ours</p>" in page
    assert "<h1>The goal is at risk" in page


def test_a_megabyte_in_a_note_makes_no_giant_report() -> None:
    huge = replace(snapshot(), changes=(replace(snapshot().changes[0], what="note: " + "long " * 200_000),))
    for surface in ("slack", "html", "text", "md"):
        assert len(render_report(huge, surface).body) < 100_000


def test_hostile_text_stays_text_on_the_page_and_in_the_mail() -> None:
    taken = snapshot(HOSTILE)
    for body in (render_report(taken, "html").body, render_email(taken).html):
        assert "<script" not in body
        assert "&lt;script&gt;alert(1)" in body
