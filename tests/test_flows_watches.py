"""Watches: they fire once at the confirmed level, recover, take silence for news, and create nothing themselves."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlog.errors import BacklogError
from backlog.watch import EPOCH, News, Side, Watch, begin, check_watch, look, worth_telling
from tests.conftest import World

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
WATCH = Watch(1, "churn", "recall", "prod", Side.BELOW, 0.81, 3, 0.83, "ana", EPOCH)


def points(*values: float) -> list[tuple[datetime, float]]:
    return [(NOW + place * HOUR, value) for place, value in enumerate(values)]


def news(*values: float, watch: Watch = WATCH) -> list[News]:
    return look(watch, points(*values), NOW, None)[1]


def test_it_fires_on_the_third_breach_in_a_row_and_only_once() -> None:
    assert news(0.80, 0.80) == []
    assert news(0.80, 0.80, 0.82, 0.80, 0.80) == []
    assert news(0.80, 0.79, 0.78) == [News.FIRED]
    assert news(0.80, 0.79, 0.78, 0.70, 0.70, 0.70) == [News.FIRED]


def test_between_the_bounds_nothing_changes_and_at_the_recovery_it_recovers_once() -> None:
    assert news(0.8, 0.8, 0.8, 0.82, 0.82) == [News.FIRED]
    assert news(0.8, 0.8, 0.8, 0.82, 0.83, 0.84) == [News.FIRED, News.RECOVERED]
    assert news(0.8, 0.8, 0.8, 0.84, 0.8, 0.8, 0.8) == [News.FIRED, News.RECOVERED, News.FIRED]


@given(st.lists(st.sampled_from([0.78, 0.80, 0.82, 0.84]), max_size=40), st.integers(0, 40))
def test_looking_in_two_steps_tells_what_one_look_would(values: list[float], cut: int) -> None:
    once = look(WATCH, points(*values), NOW, None)
    first, early = look(WATCH, points(*values[:cut]), NOW, None)
    second, late = look(first, points(*values), NOW, None)
    # A run of breaches that the first look left open is counted again from its beginning, so nothing is lost.
    assert (second.fired, [*early, *late]) == (once[0].fired, once[1])


def test_a_breach_that_is_going_on_counts_and_one_that_is_over_does_not() -> None:
    over = points(0.80, 0.80, 0.80, 0.82)
    assert look(begin(WATCH, over), over, NOW, None)[1] == []
    going_on = points(0.82, 0.80, 0.80, 0.80)
    assert look(begin(WATCH, going_on), going_on, NOW, None)[1] == [News.FIRED]


def test_silence_is_news_once_and_so_is_its_end() -> None:
    heard = points(0.85, 0.85)
    silent, first = look(WATCH, heard, heard[-1][0] + 4 * HOUR, 3 * HOUR)
    assert first == [News.SILENT]
    assert look(silent, heard, heard[-1][0] + 9 * HOUR, 3 * HOUR)[1] == []
    assert look(silent, heard, heard[-1][0] + HOUR, 3 * HOUR)[1] == [News.SPEAKS]
    assert look(WATCH, heard, NOW + 900 * HOUR, None)[1] == []


def test_a_breach_that_was_over_before_anybody_looked_is_not_cried_over() -> None:
    assert worth_telling([News.FIRED, News.RECOVERED, News.FIRED]) == [News.RECOVERED, News.FIRED]


def test_a_watch_that_could_never_work_is_refused() -> None:
    from dataclasses import replace

    for wrong in (replace(WATCH, needed=0), replace(WATCH, needed=51), replace(WATCH, recover=0.80)):
        with pytest.raises(BacklogError):
            check_watch(wrong)


def readings(world: World, values: Iterable[float]) -> None:
    """One reading an hour, polled when they are all there."""
    for value in values:
        world.clock.forward(hours=1)
        with (world.folder / "readings.csv").open("a") as file:
            file.write(f"{world.clock():%Y-%m-%dT%H:%M:%S},recall,{value},,0,prod,\n")
    world.settle()


def watched(world: World) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type("metric add recall --goal churn --source files --key recall --env prod")
    said = world.type("watch recall --env prod --below 0.81 --for 3 --recover 0.83")
    assert "Watching: recall (churn, prod) below 0.81 for 3, recovered at 0.83." in said


def test_the_channel_hears_once_of_a_breach_with_the_experiment_it_proposes_and_once_of_the_recovery(
    world: World,
) -> None:
    watched(world)
    for value in (0.85, 0.80, 0.79, 0.78, 0.77, 0.77):
        readings(world, [value])
    told = [line for line in world.channel() if "recall of churn in prod" in line]
    assert len(told) == 1
    assert "is below 0.81, 3 readings in a row: 0.8, 0.79, 0.78." in told[0]
    assert '/exp new "Why did recall get worse in production?" --goal churn --kind production-check' in told[0]
    assert "fired" in world.type("watch")
    for value in (0.82, 0.84, 0.85):
        readings(world, [value])
    told = [line for line in world.channel() if "recall of churn in prod" in line]
    assert len(told) == 2
    assert "has recovered: 0.84, back at 0.83." in told[1]
    assert "EXP-" not in world.type("list")


def test_a_metric_that_falls_silent_is_told_once_by_the_clock_alone(world: World) -> None:
    watched(world)
    readings(world, [0.85] * 10)
    for _ in range(3):
        world.clock.forward(hours=2)
        world.settle()
    assert sum("has been silent since" in line for line in world.channel()) == 1


def test_unwatch_ends_it_and_a_metric_in_two_places_must_be_named(world: World) -> None:
    watched(world)
    world.type("metric add recall --goal churn --source files --key recall --env dev")
    assert "Say which: --goal churn --env prod, --goal churn --env dev" in world.type("unwatch recall")
    assert "is no longer watched" in world.type("unwatch recall --env prod")
    assert "Nothing watches" in world.type("unwatch recall --env prod")
    readings(world, [0.70] * 4)
    assert [line for line in world.channel() if "recall of churn" in line] == []


def test_a_confirmed_regression_interrupts_the_channel_once_and_a_suspicion_never(world: World) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type("metric add recall --goal churn --source files --key recall --env prod")
    readings(world, [0.80 + 0.01 * (hour % 3) for hour in range(26)])
    readings(world, [0.60])
    assert [line for line in world.channel() if "got worse in production" in line] == []
    assert "(suspected)" in world.type("risk list")
    readings(world, [0.60, 0.60])
    told = [line for line in world.channel() if "got worse in production (confirmed)" in line]
    assert len(told) == 1
    assert "--kind production-check" in told[0]
