"""Forecasts: what is told, that it is kept with its outcome, and that a team sees how its own did."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backlog.experiment import Experiment, Stage
from backlog.goal import Goal
from backlog.metric import Better, Metric, RunValue
from backlog.outlook import experiment_outlook, goal_outlook
from backlog.policy import Rules
from backlog.reliability import Forecast, Reliability, reliability_of, settle
from backlog.risk import Situation
from bot.flows.forecast import keep_and_settle
from store.forecasts import load_forecasts
from tests.conftest import World

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
GOAL = Goal("churn", "keep active clients", NOW - 90 * DAY, "ana", (), "recall", 0.71, 0.80)
DEV = Metric("churn", "recall", "dev", "mlflow", "val_recall", Better.UP, unit="share", id=1)


def history(count: int, days_apart: int = 7) -> Situation:
    """That many concluded experiments, one a week, each a little better, and one that runs."""
    decided = {n: NOW - (count - n) * days_apart * DAY - DAY for n in range(count)}
    experiments = [
        Experiment(
            n + 1, "t", at, "ana", stage=Stage.CONCLUDED, goal="churn", running_since=at - 3 * DAY, decided_at=at
        )
        for n, at in decided.items()
    ]
    running = Experiment(99, "t", NOW, "ana", stage=Stage.RUNNING, goal="churn", running_since=NOW - DAY)
    runs = [RunValue(f"r{n}", at, 0.71 + 0.008 * n, f"EXP-{n + 1}") for n, at in decided.items()]
    return Situation(NOW, [GOAL], [*experiments, running], [DEV], {1: runs}, {}, Rules())


def told(chance: float, hit: bool | None, base: float = 0.3) -> Forecast:
    return Forecast("churn", 1, NOW, 5, 5, 0.8, Better.UP, chance, base, hit)


def test_a_short_history_says_how_short_it_is() -> None:
    assert goal_outlook(history(4), GOAL).why == "not enough history (4 of 5)"
    assert goal_outlook(replace(history(4), metrics=[]), GOAL).why == "no metric stands for the goal"


def test_a_goal_is_told_a_range_a_chance_with_its_sample_and_base_rate_and_weeks_and_no_date() -> None:
    outlook = goal_outlook(history(8), GOAL)
    text = "\n".join(outlook.lines)
    assert "the best after 10 more: 0.7" in text
    assert "8 of 10 times (from 8 concluded experiments)" in text
    assert "0.8 within the next 5: " in text
    assert "in histories of others" in text
    assert "within 13 weeks" in text
    assert "that are ready or in progress are decided in" in text
    assert "2026" not in text
    assert "100 %" not in text
    assert [f.ahead for f in outlook.forecasts] == [5, 10]
    assert all(0.01 <= f.chance <= 0.85 for f in outlook.forecasts)


def test_an_experiment_counts_its_runs() -> None:
    s = history(8)
    own = [RunValue(f"x{n}", NOW - DAY + n * timedelta(minutes=5), 0.70 + 0.01 * n, "EXP-99") for n in range(6)]
    outlook = experiment_outlook(replace(s, runs={1: [*s.runs[1], *own]}), s.experiments[-1])
    assert "(from 6 runs" in "\n".join(outlook.lines)


def test_three_past_deployments_tell_what_production_will_show() -> None:
    s = history(8)
    prod = replace(DEV, environment="prod", id=2)
    after = [replace(run, value=run.value - 0.02 - 0.001 * (n % 3)) for n, run in enumerate(s.runs[1][:3])]
    own = [RunValue(f"x{n}", NOW - DAY + n * timedelta(minutes=5), 0.70 + 0.01 * n, "EXP-99") for n in range(6)]
    both = replace(s, metrics=[DEV, prod], runs={1: [*s.runs[1], *own], 2: after})
    assert "8 of 10 times (n = 3 past deployments)" in experiment_outlook(both, s.experiments[-1]).lines[-1]
    fewer = replace(both, runs={1: both.runs[1], 2: after[:2]})
    assert "past deployments" not in experiment_outlook(fewer, s.experiments[-1]).lines[-1]


def test_a_forecast_is_a_hit_as_soon_as_the_target_is_reached_and_a_miss_when_its_trials_have_passed() -> None:
    open_one = told(0.4, None)
    before = [0.7] * 5
    assert settle(open_one, before, NOW).hit is None
    assert settle(open_one, [*before, 0.8], NOW).hit is True
    assert settle(open_one, [*before, *[0.79] * 4], NOW).hit is None
    assert settle(open_one, [*before, *[0.79] * 5, 0.9], NOW).hit is False


def test_a_team_sees_its_reliability_from_20_on_and_is_doubted_only_from_30() -> None:
    wrong = [told(0.8, False)] * 19
    assert reliability_of([*wrong, told(0.8, None)]) is None
    shown = reliability_of([*wrong, told(0.8, False)])
    assert isinstance(shown, Reliability)
    assert (shown.settled, round(shown.ece, 2), shown.doubted) == (20, 0.8, False)
    doubted = reliability_of([told(0.8, False)] * 30)
    assert doubted is not None
    assert doubted.doubted
    right = reliability_of([told(0.8, n % 5 != 0) for n in range(30)])
    assert right is not None
    assert not right.doubted


def test_where_own_forecasts_do_not_hold_the_base_rate_speaks_and_says_so() -> None:
    doubted = reliability_of([told(0.8, False)] * 30)
    lines = goal_outlook(history(8), GOAL, doubted).lines
    assert sum("(base rate)" in line for line in lines) == 2
    assert any("the base rate speaks instead" in line for line in lines)


def test_a_forecast_is_kept_once_and_settled_when_runs_come(world: World) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type("metric add recall --goal churn --source files --key recall")
    world.type('new "Char tokens" --goal churn')
    rows = [f"2026-11-20T{10 + n}:00:00,recall,{0.70 + 0.01 * n},r{n},0,dev,EXP-1\n" for n in range(6)]
    with (world.folder / "readings.csv").open("a") as file:
        file.writelines(rows[:4])
    world.clock.forward(hours=1)
    world.settle()
    assert "EXP-1: not enough history (4 of 5)" in world.type("forecast EXP-1")
    with (world.folder / "readings.csv").open("a") as file:
        file.writelines(rows[4:])
    world.clock.forward(hours=1)
    world.settle()
    first, again = world.type("forecast EXP-1"), world.type("forecast EXP-1")
    assert "0.8 within the next 5: " in first
    assert first == again
    with world.services.database.read() as connection:
        assert [(f.trials, f.ahead, f.hit) for f in load_forecasts(connection)] == [(6, 5, None), (6, 10, None)]
    with (world.folder / "readings.csv").open("a") as file:
        file.write("2026-11-21T10:00:00,recall,0.81,r9,0,dev,EXP-1\n")
    world.clock.forward(hours=1)
    world.settle()
    keep_and_settle(world.services)
    with world.services.database.read() as connection:
        assert [f.hit for f in load_forecasts(connection, is_open=False)] == [True, True]


def test_a_forecast_of_what_nobody_knows_is_refused(world: World) -> None:
    assert 'There is no goal "chrun"' in world.type("forecast chrun")
