"""Each risk by its rule's name: it opens, continues, is acknowledged, is muted until its review date, and resolves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backlog.experiment import Kind, Stage
from backlog.goal import Answer3, Mark
from backlog.issue import Issue
from backlog.metric import Better
from backlog.policy import Rules
from backlog.register import Answer, Registered, hold_against, with_answers
from backlog.risk import RULES, Situation, find_risks
from backlog.snapshot import Risk, SourceLine
from tests.test_backlog_risk import DAY, DEV, GOAL, NOW, PROD, RUNNING, concluded, run

SOUND: dict[str, Any] = {"experiments": [RUNNING], "goals": [GOAL], "metrics": [DEV], "runs": {1: [run(3, 0.75)]}}
ISSUE = Issue("7", "ML-7", "", "Char tokens", "To Do", "new", "", "", NOW)
LINKED = replace(RUNNING, issue_id="7")
IDEA = replace(RUNNING, stage=Stage.IDEA, running_since=None)
REPEATS = [run(n, value, "EXP-1") for n, value in enumerate([0.70, 0.72, 0.71, 0.69, 0.715])]
STEADY = [(NOW - (40 - n) * timedelta(hours=1), 0.78 + 0.001 * (n % 5)) for n in range(40)]
SLOW = [replace(concluded(n), owner="ben", running_since=NOW - 60 * DAY) for n in range(20, 30)]


def with_mark(name: str) -> list[Any]:
    return [replace(GOAL, readiness={name: Mark(Answer3.NO)})]


# What brings each risk about, in a backlog that is sound otherwise.
CAUSES: dict[str, dict[str, Any]] = {
    "no_usable_data": {"goals": with_mark("labels")},
    "no_metric": {"metrics": [], "runs": {}},
    "no_baseline": {"goals": [replace(GOAL, baseline=None)]},
    "infrastructure_not_ready": {"goals": with_mark("pipeline")},
    "untested": {"experiments": [replace(RUNNING, stage=Stage.OBSERVING)]},
    "stalled": {"runs": {1: [run(n, value) for n, value in enumerate([0.5, 0.6, 0.7, *[0.69] * 60])]}},
    "over_age": {"experiments": [replace(RUNNING, running_since=NOW - 11 * DAY)]},
    "older_than_own": {"experiments": [RUNNING, *(concluded(n) for n in range(1, 11))]},
    "wip_over_limit": {"experiments": [replace(RUNNING, number=n, owner=f"u{n}") for n in range(6)]},
    "blocked_too_long": {
        "experiments": [replace(RUNNING, blocked_reason="labels late", blocked_since=NOW - 4 * DAY)],
    },
    "single_owner": {"experiments": [RUNNING, replace(IDEA, number=1), replace(IDEA, number=2)]},
    "parity_gap": {"metrics": [DEV, replace(PROD, tolerance=0.02)], "runs": {1: [run(3, 0.79)], 2: [run(1, 0.70)]}},
    "production_regression": {
        "metrics": [DEV, PROD],
        "runs": {1: [run(3, 0.75)], 2: [run(1, 0.74)]},
        "watched": {2: [*STEADY, (NOW, 0.6), (NOW, 0.6)]},
    },
    "stale_metric": {"runs": {}},
    "unconfirmed_best": {
        "experiments": [RUNNING, replace(concluded(1), kind=Kind.BASELINE)],
        "runs": {1: [*REPEATS, run(9, 0.725)]},
    },
    "source_down": {"sources": [SourceLine("mlflow", "mlflow", NOW - DAY, "no answer")]},
    "timeboxed": {"experiments": [LINKED], "issues": {"7": replace(ISSUE, sprint="Sprint 4")}},
    "appetite_extended_again": {"experiments": [replace(RUNNING, extensions=2)]},
    "decision_waiting": {"experiments": [LINKED], "issues": {"7": replace(ISSUE, status="Done", category="done")}},
    "unreachable": {"experiments": [LINKED], "issues": {"7": replace(ISSUE, unreachable_since=NOW - DAY)}},
    "target_out_of_reach": {
        "experiments": [RUNNING, *SLOW],
        "runs": {1: [run(n, 0.70 + 0.0001 * n, f"EXP-{n}") for n in range(20, 30)]},
    },
    "guardrail_breached": {
        "goals": [replace(GOAL, guardrails=("latency <= 200 ms",))],
        "metrics": [DEV, replace(DEV, name="latency", environment="prod", better=Better.DOWN, id=3)],
        "watched": {3: [(NOW, 250.0)]},
    },
}  # fmt: skip


def found(**changes: Any) -> list[Risk]:
    known = Situation(NOW, issues={}, rules=Rules(), **SOUND)
    return find_risks(replace(known, **changes))


def test_every_rule_has_its_cause_here() -> None:
    assert set(CAUSES) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", CAUSES)
def test_a_risk_opens_continues_is_answered_and_resolves(rule: str) -> None:
    assert found() == []
    named = found(**CAUSES[rule])
    assert [risk.rule for risk in named] == [rule]
    (risk,) = hold_against([], named).opened
    assert all((risk.cause, risk.effect, risk.evidence, risk.owner, risk.action)), "evidence, owner and action"
    assert 0 < risk.exposure < 1
    assert risk.review_on > NOW.date()

    standing = Registered(1, risk, NOW, NOW)
    turn = hold_against([standing], named)
    assert (turn.opened, [entry.number for entry in turn.continued], turn.resolved) == ((), [1], ())

    review = NOW.date() + timedelta(days=14)
    for said in (Answer.ACKNOWLEDGED, Answer.MUTED):
        answered = replace(standing, answer=said, why="the vendor was asked", answer_until=review)
        (marked,) = with_answers(named, [answered], NOW)
        assert (marked.answer, marked.answered, marked.review_on) == (said, "the vendor was asked", review)
        (again,) = with_answers(named, [answered], NOW + timedelta(days=14))
        assert again.answer == Answer.NONE, "on its review date it speaks up again"

    assert [entry.number for entry in hold_against([standing], found()).resolved] == [1]
