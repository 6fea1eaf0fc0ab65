"""Each risk by its rule and by no other, and what the register makes of them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backlog.errors import BacklogError
from backlog.experiment import Experiment, Kind, Stage
from backlog.goal import TEST_MARKS, Answer3, Goal, Mark
from backlog.guardrail import read_guardrail
from backlog.metric import Better, Metric, RunValue
from backlog.policy import Rules
from backlog.register import MANUAL, Answer, Registered, exposure_of, hold_against, with_answers
from backlog.risk import RULES, Situation, find_risks
from backlog.snapshot import Risk, SourceLine

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
GOAL = Goal("churn", "keep active clients", NOW - 60 * DAY, "ana", (), "recall", 0.71, 0.80)
DEV = Metric("churn", "recall", "dev", "mlflow", "val_recall", Better.UP, id=1)
PROD = replace(DEV, environment="prod", id=2)
RUNNING = Experiment(
    12, "Char tokens", NOW - 20 * DAY, "ana", stage=Stage.RUNNING, goal="churn", owner="ana", metric="recall",
    appetite="M", running_since=NOW - 5 * DAY, stage_since=NOW - 5 * DAY, updated_at=NOW - DAY,
)  # fmt: skip


def run(number: int, value: float, experiment: str = "EXP-12", name: str = "") -> RunValue:
    return RunValue(name or f"r{number:03}", NOW - DAY + number * timedelta(minutes=1), value, experiment)


def marked(**answers: str) -> Goal:
    return replace(GOAL, readiness={name.replace("_", "-"): Mark(Answer3(a)) for name, a in answers.items()})


def concluded(number: int) -> Experiment:
    decided = NOW - (50 - number) * DAY
    return replace(RUNNING, number=number, stage=Stage.CONCLUDED, running_since=decided - 3 * DAY, decided_at=decided)


def found(**changes: Any) -> list[str]:
    known = Situation(NOW, [GOAL], [RUNNING], [DEV], {1: [run(3, 0.75)]}, {}, Rules())
    return [risk.rule for risk in find_risks(replace(known, **changes))]


def test_a_sound_backlog_has_no_risk() -> None:
    assert found() == []


def test_what_a_goal_lacks_is_found() -> None:
    assert found(goals=[marked(labels="no")]) == ["no_usable_data"]
    assert found(goals=[replace(GOAL, readiness={"access": Mark(Answer3.UNKNOWN, "from 1 May")})]) == ["no_usable_data"]
    assert found(metrics=[], runs={}) == ["no_metric"]
    assert found(goals=[marked(pipeline="no")]) == ["infrastructure_not_ready"]
    observing = replace(RUNNING, stage=Stage.OBSERVING)
    assert found(experiments=[observing]) == ["untested"]
    tested = marked(**{name.replace("-", "_"): "yes" for name in TEST_MARKS})
    assert found(goals=[tested], experiments=[observing]) == []


def test_all_work_on_one_pair_of_hands_is_found() -> None:
    ideas = [replace(RUNNING, number=n, stage=Stage.IDEA, running_since=None) for n in (1, 2)]
    assert found(experiments=[RUNNING, *ideas]) == ["single_owner"]
    assert found(experiments=[RUNNING, ideas[0], replace(ideas[1], owner="ben")]) == []


def test_too_much_at_once_and_a_bet_made_again_and_again_are_found() -> None:
    many = [replace(RUNNING, number=n, owner=f"u{n}") for n in range(6)]
    assert found(experiments=many) == ["wip_over_limit"]
    assert "wip_over_limit" in found(experiments=[replace(RUNNING, number=n) for n in (1, 2, 3)])
    assert found(experiments=[replace(RUNNING, extensions=2)]) == ["appetite_extended_again"]


def test_a_block_is_a_risk_once_it_lasts_too_long_or_past_its_day() -> None:
    def blocked(days: int, until: str = "", limit: int = 3) -> list[str]:
        waiting = replace(RUNNING, blocked_reason="labels", blocked_since=NOW - days * DAY, blocked_until=until)
        return found(experiments=[waiting], rules=Rules(blocked_days=limit))

    assert blocked(3) == []
    assert blocked(4) == ["blocked_too_long"]
    assert blocked(4, limit=7) == []
    assert blocked(1, limit=0) == ["blocked_too_long"]
    assert blocked(20, until="2026-11-24") == []
    assert blocked(1, until="2026-11-23") == ["blocked_too_long"]


def test_an_experiment_older_than_what_the_team_is_used_to_is_found() -> None:
    history = [concluded(n) for n in range(1, 11)]
    assert found(experiments=[RUNNING, *history]) == ["older_than_own"]
    assert found(experiments=[replace(RUNNING, running_since=NOW - 2 * DAY), *history]) == []


def test_a_long_flat_stretch_is_stalled() -> None:
    flat = [run(n, value) for n, value in enumerate([0.5, 0.6, 0.7, *[0.69] * 60])]
    assert found(runs={1: flat}) == ["stalled"]


def test_a_target_far_beyond_what_ten_experiments_brought_is_out_of_reach() -> None:
    experiments = [RUNNING, *(replace(concluded(n), owner="ben", running_since=NOW - 60 * DAY) for n in range(20, 30))]
    runs = {1: [run(n, 0.70 + 0.0001 * n, f"EXP-{n}") for n in range(20, 30)]}
    assert found(experiments=experiments, runs=runs) == ["target_out_of_reach"]
    assert found(experiments=experiments, runs=runs, goals=[replace(GOAL, target=0.7032)]) == []


def test_a_guardrail_with_a_metric_and_a_bound_is_judged_and_a_sentence_is_left_to_people() -> None:
    latency = replace(DEV, name="latency", environment="prod", better=Better.DOWN, id=3)
    guarded = replace(GOAL, guardrails=("latency <= 200 ms", "nobody is called twice"))
    readings = {"metrics": [DEV, latency], "watched": {3: [(NOW, 250.0)]}}
    assert found(goals=[guarded], **readings) == ["guardrail_breached"]
    assert found(goals=[guarded], metrics=[DEV, latency], watched={3: [(NOW, 200.0)]}) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [("latency below 200 ms", "latency < 200"), ("precision >= 0.9", "precision >= 0.9"),
     ("p95 at most 1e3", "p95 <= 1000"), ("customers are not annoyed", None)],
)  # fmt: skip
def test_guardrails_are_read_as_people_write_them(text: str, told: str | None) -> None:
    read = read_guardrail(text)
    assert (str(read) if read else None) == told


def test_production_that_leaves_its_range_is_a_regression_until_a_deployment_starts_afresh() -> None:
    steady = [(NOW - (40 - n) * timedelta(hours=1), 0.78 + 0.001 * (n % 5)) for n in range(40)]
    broken = [*steady, (NOW, 0.6), (NOW, 0.6)]
    both = {"metrics": [DEV, PROD], "runs": {1: [run(3, 0.75)], 2: [run(1, 0.74)]}}
    assert found(**both, watched={2: steady}) == []
    assert found(**both, watched={2: broken}) == ["production_regression"]
    assert found(**both, watched={2: broken[-2:]}) == []


def test_production_below_development_by_more_than_the_tolerance_is_a_parity_gap() -> None:
    both = {"metrics": [DEV, replace(PROD, tolerance=0.02)], "runs": {1: [run(3, 0.79)], 2: [run(1, 0.70)]}}
    assert found(**both) == ["parity_gap"]


def test_a_best_within_the_noise_of_repeated_runs_is_unconfirmed() -> None:
    baseline = replace(concluded(1), kind=Kind.BASELINE)
    repeats = [run(n, value, "EXP-1") for n, value in enumerate([0.70, 0.72, 0.71, 0.69, 0.715])]
    assert found(experiments=[RUNNING, baseline], runs={1: [*repeats, run(9, 0.725)]}) == ["unconfirmed_best"]
    assert found(experiments=[RUNNING, baseline], runs={1: [*repeats, run(9, 0.79)]}) == []


def test_a_source_that_fails_is_a_risk_of_the_goals_that_rest_on_it() -> None:
    assert found(sources=[SourceLine("mlflow", "mlflow", NOW - DAY, "no answer")]) == ["source_down"]
    assert found(sources=[SourceLine("other", "csv", None, "no answer")]) == []


def test_every_risk_says_what_to_do_about_it() -> None:
    assert len(RULES) == len({rule.__name__ for rule in RULES}) == 22
    known = Situation(NOW, [replace(marked(labels="no"), baseline=None)], [RUNNING], [], {}, {}, Rules())
    for risk in find_risks(known):
        assert all((risk.cause, risk.effect, risk.evidence, risk.action, risk.owner))
        assert 0 < risk.exposure < 1


def risk(rule: str, subject: str = "churn") -> Risk:
    return Risk(rule, subject, "c", "e", "ev", "ana", "do", date(2026, 11, 30), 0.5, "new")


def entry(number: int, rule: str, **changes: Any) -> Registered:
    return replace(Registered(number, risk(rule), NOW - 9 * DAY, NOW - DAY), **changes)


def test_a_risk_opens_continues_and_resolves_and_a_manual_one_waits_for_people() -> None:
    register = [entry(1, "stalled"), entry(2, "blocked"), entry(3, MANUAL)]
    turn = hold_against(register, [risk("stalled"), risk("no_metric")])
    assert [r.rule for r in turn.opened] == ["no_metric"]
    assert [e.number for e in turn.continued] == [1]
    assert [e.number for e in turn.resolved] == [2]


def test_a_muted_risk_comes_back_on_its_review_date_and_an_acknowledged_one_stays_marked() -> None:
    muted = entry(1, "stalled", answer=Answer.MUTED, why="known", answer_until=date(2026, 11, 24))
    seen = entry(2, "blocked", answer=Answer.ACKNOWLEDGED, why="asked", answer_until=date(2026, 12, 24))
    today = with_answers([risk("stalled"), risk("blocked")], [muted, seen], NOW)
    assert [(r.number, r.answer, r.answered) for r in today] == [(1, "muted", "known"), (2, "acknowledged", "asked")]
    tomorrow = with_answers([risk("stalled")], [muted], NOW + DAY)
    assert [(r.answer, r.answered) for r in tomorrow] == [("", "")]


def test_an_impact_in_words_is_an_exposure_and_another_word_is_refused() -> None:
    assert exposure_of("High") > exposure_of("low")
    with pytest.raises(BacklogError, match="low, medium, high"):
        exposure_of("huge")
