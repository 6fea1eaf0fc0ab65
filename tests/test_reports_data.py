"""What a report says of its data: runs left out, and when a mean changed."""

from dataclasses import replace
from datetime import timedelta

from backlog.metric import PROD as PRODUCTION
from backlog.metric import Better, Metric, Reading
from bot.flows.write_report import preview_report, render
from reports import charts
from reports.rendering import SURFACES
from store.metrics import add_metric, save_readings
from tests.conftest import World
from tests.test_reports import PROD, START, goal, snapshot


def a_goal(world: World, **more: str) -> Metric:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    with world.services.database.write() as connection:
        metric = Metric("churn", "recall", "dev", "runs", "recall", Better.UP)
        return add_metric(connection, replace(metric, **more))  # type: ignore[arg-type]


def test_runs_on_another_evaluation_set_are_named_among_the_data_notes(world: World) -> None:
    metric, now = a_goal(world), world.services.now()
    runs = [Reading(now - timedelta(days=n), 0.7, f"old{n}", eval_set="holdout-v2") for n in (30, 31, 200)]
    runs += [Reading(now - timedelta(days=1), 0.75, "new", eval_set="holdout-v3")]
    with world.services.database.write() as connection:
        save_readings(connection, metric, runs, {})
    plan = world.services.reports[0]
    told = preview_report(world.services, plan)
    assert (told.goals[0].tracks[0].runs, told.goals[0].tracks[0].left_out) == (1, 2)
    says = 'ecall of churn in dev: 2 runs on "holdout-v2" left out, for the others are on "holdout-v3".'
    for surface in SURFACES:
        assert says in render(told, plan, surface).body.replace("&#34;", '"').replace(r"\"", '"')


def test_a_change_of_production_is_marked_on_the_goals_curve_and_told_beside_it(world: World) -> None:
    metric, now = a_goal(world, environment=PRODUCTION), world.services.now()
    first = now - timedelta(days=20)
    levels = [0.78 if n < 120 else 0.72 for n in range(240)]
    readings = [Reading(first + n * timedelta(hours=1), v + n % 3 / 1000) for n, v in enumerate(levels)]
    with world.services.database.write() as connection:
        save_readings(connection, metric, readings, {})
    (told,) = preview_report(world.services, world.services.reports[0]).goals
    (change,) = told.tracks[0].changes
    assert abs(change - (first + timedelta(hours=120))) <= timedelta(hours=5)
    svg = charts.goal_way(told, preview_report(world.services, world.services.reports[0]).period, "risk")
    assert f"prod changed {change.day} {change:%b}</text>" in svg
    assert f"Its mean changed: prod around {change.day} {change:%b}." in charts.alternative(svg)


def test_each_change_has_its_line_and_no_change_has_none() -> None:
    period, changes = snapshot().period, (START - timedelta(days=20), START + timedelta(days=2))
    changed = replace(goal(), tracks=(replace(PROD, changes=changes),))
    assert charts.goal_way(changed, period, "risk").count('stroke-dasharray="4 3"') == 2
    plain = charts.goal_way(goal(), period, "risk")
    assert 'stroke-dasharray="4 3"' not in plain
    assert "mean changed" not in charts.alternative(plain)
