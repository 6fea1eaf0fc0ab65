"""What runs are worth, and what is left of it when readings grow old."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, func, select

from backlog.evaluation import why_not_comparable
from backlog.metric import Aggregation, Better, Metric, Reading, RunValue
from bot.flows.services import Retention, Services
from bot.flows.settle_worths import settle_worths
from bot.flows.thin_readings import Thinned, thin_all
from store.database import Database, open_database
from store.metrics import add_metric, all_run_values, load_points, run_values, save_found, save_readings
from store.retention import ROWS, thin_readings
from store.tables import reading, rollup
from store.tables import worth as worths

START = datetime(2026, 1, 1, 7, 30, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Database:
    return open_database(database_url)


def add(database: Database, aggregation: Aggregation, **more: object) -> Metric:
    with database.write() as connection:
        wanted = Metric("churn", f"recall-{aggregation}-{more}", "dev", "s", "recall", Better.UP, aggregation)
        return add_metric(connection, replace(wanted, **more))  # type: ignore[arg-type]


def save(database: Database, metric: Metric, *values: float, run: str = "r1", every: timedelta = timedelta(0)) -> int:
    readings = [Reading(START + n * every, value, run, n) for n, value in enumerate(values)]
    with database.write() as connection:
        return save_readings(connection, metric, readings, {})


def worth(database: Database, metric: Metric) -> dict[str, RunValue]:
    with database.read() as connection:
        return {run.run: run for run in run_values(connection, metric)}


def thin(database: Database, at: datetime, raw_days: int = 30, hourly_days: int = 400) -> Thinned:
    kept = Retention(timedelta(days=raw_days), timedelta(days=hourly_days))
    return thin_all(Services(database, lambda: at, retention=kept))


def count(database: Database, span: int = 0) -> int:
    with database.read() as connection:
        if not span:
            return connection.scalar(select(func.count()).select_from(reading)) or 0
        return connection.scalar(select(func.count()).select_from(rollup).where(rollup.c.span == span)) or 0


@pytest.mark.parametrize(
    ("aggregation", "more", "expected"),
    [
        (Aggregation.BEST, {}, 0.9),
        (Aggregation.BEST, {"better": Better.DOWN}, 0.1),
        (Aggregation.LAST, {}, 0.3),
        (Aggregation.MEAN, {}, 0.5),
        (Aggregation.QUANTILE, {"quantile": 0.5}, 0.5),
        (Aggregation.QUANTILE, {"quantile": 1.0}, 0.9),
        (Aggregation.BEST, {"window": "2h"}, 0.7),
        (Aggregation.MEAN, {"window": "2h"}, 0.5),
        (Aggregation.QUANTILE, {"quantile": 0.5, "window": "2h"}, 0.5),
    ],
)
def test_a_run_is_worth_what_its_metric_says(
    database: Database, aggregation: Aggregation, more: dict[str, object], expected: float
) -> None:
    metric = add(database, aggregation, **more)
    save(database, metric, 0.1, 0.9, 0.5, math.nan, 0.7, 0.3, every=timedelta(hours=1))
    assert worth(database, metric)["r1"].value == pytest.approx(expected)
    assert worth(database, metric)["r1"].at == START + timedelta(hours=5)


WAYS: tuple[tuple[Aggregation, dict[str, object]], ...] = (
    (Aggregation.BEST, {}),
    (Aggregation.BEST, {"better": Better.DOWN}),
    (Aggregation.LAST, {}),
    (Aggregation.MEAN, {}),
    (Aggregation.QUANTILE, {"quantile": 0.8}),
    (Aggregation.BEST, {"window": "2h"}),
    (Aggregation.MEAN, {"window": "1d"}),
)


@pytest.mark.parametrize(("aggregation", "more"), WAYS)
def test_what_is_kept_of_a_run_is_what_its_readings_say_after_each_of_them(
    database: Database, aggregation: Aggregation, more: dict[str, object]
) -> None:
    metric, drawn = add(database, aggregation, **more), random.Random(11)
    for turn in range(25):
        found = [_drawn(drawn, turn) for _ in range(drawn.randint(1, 8))]
        with database.write() as connection:
            save_readings(connection, metric, found, {})
        if turn % 6 == 5:
            thin(database, START + timedelta(hours=12 * turn), raw_days=5, hourly_days=8)
        if turn % 4:
            settle_worths(Services(database, lambda: START))
        kept = worth(database, metric)
        with database.write() as connection:
            counted = {run.run: run for run in _counted_anew(connection, metric)}
        assert {run: v.at for run, v in kept.items()} == {run: v.at for run, v in counted.items()}
        values = {run: v.value for run, v in counted.items()}
        assert {run: v.value for run, v in kept.items()} == pytest.approx(values, nan_ok=True)


def _drawn(drawn: random.Random, turn: int) -> Reading:
    """A reading that is new, was told before, corrects one, diverged, or comes late."""
    back = drawn.choice([0, 0, 0, 1, 3, 200])
    at = START + timedelta(hours=12 * turn - back + drawn.randint(0, 3))
    return Reading(at, drawn.choice([math.nan, 0.2, 0.5, drawn.gauss(0.5, 1)]), drawn.choice("ab"), drawn.randint(0, 2))


def _counted_anew(connection: Connection, metric: Metric) -> list[RunValue]:
    """As if nothing were known of it yet; what is known stays."""
    with connection.begin_nested() as undone:
        connection.execute(delete(worths))
        found = run_values(connection, metric)
        undone.rollback()
    return found


def test_a_look_at_all_runs_reads_none_of_their_readings(database: Database) -> None:
    for aggregation, more in WAYS:
        metric = add(database, aggregation, **more)
        save(database, metric, 0.1, 0.9, 0.5, every=timedelta(hours=1))
        settle_worths(Services(database, lambda: START))
        before = worth(database, metric)
        with database.write() as connection:
            connection.execute(delete(reading))
        assert worth(database, metric) == before != {}


def test_the_latest_readings_come_first_over_all_runs_and_ages(database: Database) -> None:
    metric = add(database, Aggregation.LAST)
    told: dict[tuple[datetime, int], float] = {}
    for place in range(60):  # each with a reading an hour, one run begun every five hours
        values = [place + n / 100 for n in range(9)]
        readings = [Reading(START + timedelta(hours=5 * place + n), v, f"r{place}", n) for n, v in enumerate(values)]
        told |= {(reading.at, reading.step): reading.value for reading in readings}
        with database.write() as connection:
            save_readings(connection, metric, readings, {})
    for thinned in (False, True):
        if thinned:
            thin(database, START + timedelta(days=10), raw_days=2, hourly_days=5)
        settle_worths(Services(database, lambda: START))
        ordered = [(at, value) for (at, _), value in sorted(told.items())]
        with database.read() as connection:
            for most in (1, 7, 88, 300):
                latest = load_points(connection, metric, None, most)
                assert sorted(latest) == sorted(ordered[-most:])
                since = START + timedelta(hours=290)
                assert load_points(connection, metric, since, most) == [p for p in latest if p[0] >= since]


def test_a_run_without_a_finite_reading_has_failed_under_every_aggregation(database: Database) -> None:
    for aggregation, more in (
        (Aggregation.BEST, {}),
        (Aggregation.MEAN, {}),
        (Aggregation.QUANTILE, {"quantile": 0.9}),
    ):
        metric = add(database, aggregation, **more)
        save(database, metric, math.nan, math.inf)
        assert worth(database, metric)["r1"].failed


@pytest.mark.parametrize("aggregation", [Aggregation.BEST, Aggregation.LAST, Aggregation.MEAN])
@pytest.mark.parametrize("better", list(Better))
@pytest.mark.parametrize("window", ["", "2d"])
def test_growing_old_changes_no_best_no_last_and_no_mean(
    database: Database, aggregation: Aggregation, better: Better, window: str
) -> None:
    metric = add(database, aggregation, better=better, window=window)
    drawn = random.Random(5)
    for run in ("r1", "r2", "r3"):
        values = [drawn.choice([math.nan, *(drawn.gauss(0.5, 1) for _ in range(9))]) for _ in range(2_000)]
        save(database, metric, *values, run=run, every=timedelta(minutes=drawn.randint(1, 40)))
    before = worth(database, metric)
    for days in (40, 45, 70, 500, 900):
        thin(database, START + timedelta(days=days), raw_days=20 if days < 70 else 30)
        after = worth(database, metric)
        assert {run: value.at for run, value in after.items()} == {run: value.at for run, value in before.items()}
        if not window:
            assert {r: v.value for r, v in after.items()} == pytest.approx({r: v.value for r, v in before.items()})
    assert set(worth(database, metric)) == set(before), "a window may grow to whole days, and loses no run"
    assert (count(database), count(database, 3600)) == (0, 0)
    assert count(database, 86400) > 0


def test_readings_under_a_quantile_stay_as_they_are(database: Database) -> None:
    metric = add(database, Aggregation.QUANTILE, quantile=0.9)
    save(database, metric, 0.1, 0.2, 0.3, every=timedelta(hours=1))
    assert thin(database, START + timedelta(days=900)) == Thinned(0, 0)
    assert count(database) == 3


def test_thinning_again_finds_nothing_to_do_and_counts_what_it_did(database: Database) -> None:
    metric = add(database, Aggregation.MEAN)
    save(database, metric, 0.1, 0.2, 0.3, 0.4, every=timedelta(minutes=20))
    at = START + timedelta(days=31)
    assert thin(database, at) == Thinned(4, 0)
    assert count(database, 3600) == 2
    assert thin(database, at) == Thinned(0, 0)


def test_a_source_that_tells_old_readings_again_doubles_nothing(database: Database) -> None:
    metric = add(database, Aggregation.MEAN)
    save(database, metric, 0.1, 0.3, every=timedelta(minutes=20))
    thin(database, START + timedelta(days=31))
    again = [Reading(START + n * timedelta(minutes=20), value, "r1", n) for n, value in enumerate((0.1, 0.3))]
    with database.write() as connection:
        assert save_found(connection, [(metric, again)], {})[:2] == (0, 2), "two came late, and are counted so"
    assert count(database) == 0
    assert worth(database, metric)["r1"].value == pytest.approx(0.2)


def test_a_reading_told_again_with_another_value_is_corrected_and_counted(database: Database) -> None:
    metric = add(database, Aggregation.MEAN)
    for values, changed in (((1, 0.5, math.nan), 3), ((1, 0.5, math.nan), 0), ((1, math.nan, 0.3, 0.7), 3)):
        assert save(database, metric, *values, every=timedelta(hours=1)) == changed
    assert count(database) == 4
    assert worth(database, metric)["r1"].value == pytest.approx((1 + 0.3 + 0.7) / 3)
    assert save(database, metric, math.nan, math.inf, run="r2") == 2, "a list of nothing finite"


def test_a_late_best_is_not_lost(database: Database) -> None:
    metric = add(database, Aggregation.BEST)
    save(database, metric, 0.1, 0.3, every=timedelta(minutes=20))
    for days in (31, 500):
        thin(database, START + timedelta(days=days))
        save(database, metric, 0.1, 0.3, days / 100, every=timedelta(minutes=20))
        assert worth(database, metric)["r1"].value == days / 100


def test_more_readings_in_one_hour_than_a_slice_holds_are_one_hour(database: Database) -> None:
    metric = add(database, Aggregation.MEAN)
    save(database, metric, *(n / 12_000 for n in range(12_000)), every=timedelta(milliseconds=100))
    assert thin(database, START + timedelta(days=31)).readings == 12_000
    assert (count(database), count(database, 3600)) == (0, 1)
    assert worth(database, metric)["r1"].value == pytest.approx(0.5, abs=0.001)


def test_many_short_runs_grow_old_in_few_transactions(database: Database) -> None:
    metric = add(database, Aggregation.MEAN)
    with database.write() as connection:
        short = [Reading(START + timedelta(minutes=n), n / 1_200, f"r{n:04}") for n in range(1_200)]
        save_readings(connection, metric, short, {})
    slices = 0
    start: int | None = 0
    while start is not None:
        with database.write() as connection:
            taken = thin_readings(connection, START + timedelta(days=1), start)
        slices, start = slices + bool(taken.rows), taken.rest
    assert (slices, count(database), count(database, 3600)) == (3, 0, 1_200)


def test_thinning_that_was_killed_between_two_transactions_is_ended_by_the_next(database: Database) -> None:
    metric = add(database, Aggregation.MEAN)
    values = [n / 15_000 for n in range(15_000)]
    for run in ("r1", "r2"):
        save(database, metric, *values, run=run, every=timedelta(seconds=10))
    with database.write() as connection:
        first = thin_readings(connection, START + timedelta(days=9))
    assert 0 < first.rows <= ROWS
    assert thin(database, START + timedelta(days=45)).readings == 30_000 - first.rows
    assert count(database) == 0
    assert [run.value for run in worth(database, metric).values()] == pytest.approx([sum(values) / 15_000] * 2)


def test_runs_on_another_evaluation_set_are_left_out(database: Database) -> None:
    named = add(database, Aggregation.BEST, eval_set="holdout/test@v3")
    unnamed = add(database, Aggregation.BEST)
    for metric in (named, unnamed):
        for run, value, eval_set in (("a", 0.9, "holdout/test@v2"), ("b", 0.7, "Holdout/test@v3"), ("c", 0.6, "")):
            with database.write() as connection:
                at = START + timedelta(hours=ord(run))
                save_readings(connection, metric, [Reading(at, value, run, eval_set=eval_set)], {})
        assert set(worth(database, metric)) == {"b", "c"}, "where the metric names none, the latest named set counts"
        with database.read() as connection:
            assert len(all_run_values(connection, metric)) == 3


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        ("holdout-v3", "holdout-v3", ""),
        ("holdout/test@v3", "Holdout / test @ V3", ""),
        ("holdout-v3", "", ""),
        ("holdout-v3", "holdout-v4", 'not comparable: evaluation sets "holdout-v3" and "holdout-v4" differ'),
        ("h/test@v3", "h/test@v4", 'not comparable: evaluation sets "h/test@v3" and "h/test@v4" differ in version'),
        (
            "h/test@v3",
            "h/dev@v4",
            'not comparable: evaluation sets "h/test@v3" and "h/dev@v4" differ in split and version',
        ),
        ("h@v3", "h", 'not comparable: evaluation sets "h@v3" and "h" differ in version'),
    ],
)
def test_what_is_comparable_is_told_by_data_split_and_version(left: str, right: str, says: str) -> None:
    assert why_not_comparable(left, right) == says
