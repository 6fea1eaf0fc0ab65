"""Progress, parity, risks, health and the week a report belongs to."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlog.aging import History, expectation, own_history
from backlog.cadence import read_cadence, read_span
from backlog.drift import stale_after
from backlog.errors import BacklogError
from backlog.experiment import Experiment, Outcome, Stage
from backlog.goal import Answer3, Goal, Mark, read_mark
from backlog.health import goal_health
from backlog.issue import Issue
from backlog.metric import Better, Metric, RunValue
from backlog.parity import Parity, compare
from backlog.policy import Rules
from backlog.progress import best_by_week, standing
from backlog.risk import Situation, find_risks
from backlog.snapshot import Health
from backlog.week import Known, Occasion, period_of, take_snapshot

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
GOAL = Goal("churn", "keep active clients", NOW - 60 * DAY, "ana", (), "recall", 0.71, 0.80)
DEV = Metric("churn", "recall", "dev", "mlflow", "val_recall", Better.UP, id=1)
PROD = replace(DEV, environment="prod", id=2)
RUNNING = Experiment(
    12, "Char tokens", NOW - 20 * DAY, "ana", stage=Stage.RUNNING, goal="churn", owner="ana", metric="recall",
    appetite="M", running_since=NOW - 5 * DAY, stage_since=NOW - 5 * DAY, updated_at=NOW - DAY,
)  # fmt: skip


def run(day: float, value: float, experiment: str = "EXP-12") -> RunValue:
    return RunValue(f"r{day}", NOW - day * DAY, value, experiment)


def situation(**changes: Any) -> Situation:
    known = Situation(NOW, [GOAL], [RUNNING], [DEV], {1: [run(3, 0.75)]}, {}, Rules())
    return replace(known, **changes)


def rules_found(**changes: Any) -> list[str]:
    return [risk.rule for risk in find_risks(situation(**changes))]


def test_the_best_is_kept_and_a_failed_run_counts_only_as_a_run() -> None:
    stands = standing([run(4, 0.72), run(3, math.nan), run(2, 0.78), run(1, 0.75)], Better.UP)
    assert stands is not None
    assert (stands.best, stands.best_run, stands.runs, stands.failed, stands.since_best) == (0.78, "r2", 4, 1, 1)
    assert standing([run(4, 0.72), run(2, 0.70)], Better.DOWN).best == 0.70  # type: ignore[union-attr]
    assert standing([run(1, math.nan)], Better.UP) is None


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30), st.sampled_from(Better))
def test_no_order_of_runs_changes_the_best(values: list[float], better: Better) -> None:
    runs = [RunValue(str(i), NOW + i * DAY, value) for i, value in enumerate(values)]
    forward, backward = standing(runs, better), standing(list(reversed(runs)), better)
    assert forward == backward
    finite = [v for v in values if math.isfinite(v)]
    assert (forward.best if forward else None) == better.best(finite)


def test_best_by_week_holds_what_was_known_at_each_weeks_end() -> None:
    runs = [run(20, 0.70), run(13, 0.75), run(6, 0.74), run(1, math.nan)]
    assert best_by_week(runs, Better.UP, NOW, 4) == (None, 0.70, 0.75, 0.75)
    assert best_by_week([], Better.UP, NOW, 2) == (None, None)


@pytest.mark.parametrize(
    ("dev", "prod", "tolerance", "holds"),
    [(0.80, 0.79, 0.02, True), (0.80, 0.75, 0.02, False), (0.80, 0.85, 0.02, True), (0.80, 0.75, None, None)],
)
def test_parity_holds_where_production_is_not_worse_than_the_tolerance(
    dev: float, prod: float, tolerance: float | None, holds: bool | None
) -> None:
    stands = [standing([run(1, value)], Better.UP) for value in (dev, prod)]
    found = compare((DEV, stands[0]), (replace(PROD, tolerance=tolerance), stands[1]), None)  # type: ignore[arg-type]
    assert found.holds is holds


def test_different_evaluation_sets_are_never_compared() -> None:
    stands = standing([run(1, 0.8)], Better.UP)
    assert stands is not None
    found = compare((replace(DEV, eval_set="v3"), stands), (replace(PROD, eval_set="v4"), stands), 0.1)
    assert (found.gap, found.holds) == (None, None)
    assert "not comparable" in found.why


def test_each_first_risk_is_found_by_its_rule_and_by_no_other() -> None:
    issue = Issue("1", "ML-1", "https://x", "s", "In Progress", "indeterminate", "", "", NOW)
    linked = replace(RUNNING, issue_id="1")
    assert rules_found() == []
    assert rules_found(goals=[replace(GOAL, baseline=None)]) == ["no_baseline"]
    assert rules_found(runs={}) == ["stale_metric"]
    assert rules_found(experiments=[replace(RUNNING, running_since=NOW - 11 * DAY)]) == ["over_age"]
    assert rules_found(experiments=[linked], issues={"1": replace(issue, sprint="S1")}) == ["timeboxed"]
    assert rules_found(experiments=[linked], issues={"1": replace(issue, category="done")}) == ["decision_waiting"]


def test_a_risk_known_last_week_continues() -> None:
    old = situation(experiments=[replace(RUNNING, running_since=NOW - 11 * DAY)])
    first = find_risks(old)
    assert [risk.trend for risk in first] == ["new"]
    assert [risk.trend for risk in find_risks(old, first)] == ["continuing"]


def finished(days: int) -> Experiment:
    return replace(RUNNING, stage=Stage.CONCLUDED, running_since=NOW - days * DAY, decided_at=NOW)


def test_the_teams_own_history_speaks_from_ten_finished_experiments_on() -> None:
    assert own_history([finished(days) for days in range(1, 10)]) is None
    history = own_history([*(finished(days) for days in range(1, 21)), RUNNING])
    assert history == History(20, 10, 17, 19)
    assert expectation(history) == "About 8 of 10 experiments get an answer within 17 days (from 20 finished)."


@given(st.lists(st.integers(0, 400), min_size=10, max_size=60))
def test_percentiles_are_days_that_occurred_and_never_cross(days: list[int]) -> None:
    history = own_history([finished(count) for count in days])
    assert history is not None
    assert history.p50 <= history.p85 <= history.p95
    assert {history.p50, history.p85, history.p95} <= set(days)
    assert sum(count <= history.p85 for count in days) >= 0.85 * len(days)


def test_a_silence_is_stale_only_against_enough_gaps_of_its_own() -> None:
    times = [NOW - day * DAY for day in range(20, 11, -1)]
    assert stale_after(times) == DAY
    assert stale_after(times[:5]) is None


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({}, Health.ON_TRACK),
        ({"measured": False}, Health.UNKNOWN),
        ({"updated_at": NOW - 11 * DAY}, Health.UNKNOWN),
        ({"parity": Parity(0.1, 0.02, False)}, Health.AT_RISK),
        ({"experiments": [replace(RUNNING, stage=Stage.DECIDING)]}, Health.AT_RISK),
        ({"experiments": [replace(RUNNING, stage=Stage.DECIDING, stage_since=NOW - 8 * DAY)]}, Health.OFF_TRACK),
    ],
)
def test_health_is_never_green_while_something_is_open_or_unknown(changes: dict[str, object], health: Health) -> None:
    arguments: dict[str, object] = {
        "experiments": [RUNNING], "risks": [], "parity": None, "measured": True, "updated_at": NOW, "now": NOW,
    }  # fmt: skip
    assert goal_health(**(arguments | changes))[0] is health  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("due", "zone", "week"),
    [
        ("2026-11-23T09:00", "Europe/Berlin", "2026-W47"),  # on Monday, the week before
        ("2026-11-27T16:00", "Europe/Berlin", "2026-W48"),  # on Friday, the week itself
        ("2027-01-04T09:00", "Europe/Berlin", "2026-W53"),
        ("2026-10-26T01:30", "Europe/Berlin", "2026-W43"),  # the day after the clocks went back
    ],
)
def test_a_report_belongs_to_the_local_week_that_held_most_of_its_days(due: str, zone: str, week: str) -> None:
    period = period_of(datetime.fromisoformat(due).replace(tzinfo=ZoneInfo(zone)), zone)
    assert period.key == week
    assert (period.start.hour, period.start.weekday(), period.end.hour) == (0, 0, 0)


def test_an_empty_backlog_gives_an_honest_empty_snapshot() -> None:
    empty = situation(goals=[], experiments=[], metrics=[], runs={})
    snapshot = take_snapshot(Occasion("weekly", "manager", NOW, "UTC"), Known(empty, [], {}, {}, [], {}))
    assert (snapshot.goals, snapshot.risks, snapshot.decisions, snapshot.late) == ((), (), (), False)


def test_the_target_reached_is_marked_beside_the_health() -> None:
    met = situation(runs={1: [run(3, 0.81)]})
    snapshot = take_snapshot(Occasion("weekly", "manager", NOW, "UTC"), Known(met, [], {}, {"churn": NOW}, [], {}))
    assert (snapshot.goals[0].met, snapshot.goals[0].health) == (True, Health.ON_TRACK)
    assert Outcome.GOOD not in [e.outcome for e in snapshot.experiments]


def test_a_readiness_answer_in_words_is_a_plan_and_not_a_yes() -> None:
    assert read_mark("yes") == Mark(Answer3.YES)
    assert read_mark("no, from May") == Mark(Answer3.NO, "from May")
    assert read_mark("from 1 May") == Mark(Answer3.UNKNOWN, "from 1 May")


def test_cadences_are_read_as_people_write_them() -> None:
    assert str(read_cadence("Monday 9:05 Europe/Berlin")) == "mon 09:05 Europe/Berlin"
    assert (
        read_cadence("first mon 09:00 Europe/Berlin").words
        == "on the first Monday of each month at 09:00 Europe/Berlin"
    )
    assert str(read_cadence("daily 9:00")) == "daily 09:00 UTC"
    assert read_span("15m") == timedelta(minutes=15)
    for wrong in (
        "0 9 * * 1",
        "1 09:00",
        "mon",
        "mon 25:00",
        "monk 09:00",
        "first daily 09:00x",
        "mon 09:00 Mars/Base",
    ):
        with pytest.raises(BacklogError):
            read_cadence(wrong)
    for wrong in ("", "0m", "m", "1 week"):
        with pytest.raises(BacklogError):
            read_span(wrong)
