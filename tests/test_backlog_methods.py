"""The methods of judgement: what each says, what it needs before it says anything, and in which words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlog import drift, noise, pace, stall
from backlog.aging import Lasting, lasting_of, told_lasting
from backlog.chance import band, frequency
from backlog.forecast import best_after, climb_of, gain_chance, target_chance, told_target
from backlog.metric import Better
from backlog.noise import Verdict, compare_runs, noise_of
from backlog.parity import expect_production
from backlog.student import t_share, t_value

CLIMBING = [0.80, 0.81, 0.812, 0.809, 0.83, 0.828, 0.835, 0.834, 0.836, 0.835]
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=40)


def test_a_climb_says_what_the_formula_is_made_of() -> None:
    climb = climb_of(CLIMBING, Better.UP)
    assert climb is not None
    assert (climb.trials, climb.best, climb.waiting) == (10, 0.836, 1)
    jumps = 0.01 + 0.002 + 0.018 + 0.005 + 0.001
    spread = np.percentile(CLIMBING, 75) - np.percentile(CLIMBING, 25)
    assert climb.jump == pytest.approx((jumps + 3 * 0.2 * spread) / 8)
    by_hand = 2.25 * (5 / 10) ** 0.65 * 2**-0.30 * (1 + 0.014 / (0.71 * climb.jump)) ** -1.07
    assert target_chance(climb, 0.85, 5) == pytest.approx(1 - math.exp(-by_hand))


def test_nothing_is_said_of_a_history_that_is_too_short() -> None:
    assert climb_of(CLIMBING[:4], Better.UP) is None
    assert climb_of([*CLIMBING[:4], math.nan], Better.UP) is None
    seven = climb_of(CLIMBING[:7], Better.UP)
    assert seven is not None
    assert stall.stall_chance(seven) is None
    assert pace.trials_in([3, 3, 3], 4) is None
    assert pace.trials_in([0, 0, 1, 1], 4) is None
    assert pace.weeks_until([2, 2, 2, 2, 2], 3) is None
    assert pace.weeks_until([1, 0, 1, 0, 1, 1], 3) is None
    assert lasting_of([1.0] * 9, []) is None
    assert drift.level_of([1.0] * 20, Better.UP) is None
    assert drift.change_points([0.0] * 7 + [9.0] * 7) == []
    assert drift.longest_silence([1.0] * 7) is None
    assert expect_production(0.8, [(0.8, 0.7), (0.8, 0.7)]) is None
    assert noise_of([[1.0, 2.0], [3.0, 4.0], [5.0]]) is None


def test_a_reached_target_is_certain_one_beyond_the_bound_is_not_and_the_rest_is_held_within_1_and_85_percent() -> None:
    climb = climb_of(CLIMBING, Better.UP)
    assert climb is not None
    assert target_chance(climb, 0.836, 5) == 1
    assert target_chance(climb, 1.1, 5, bound=1.0) == 0
    assert target_chance(climb, 0.99, 1) == 0.01
    assert target_chance(climb, 0.8361, 500) == 0.85


@given(VALUES, st.integers(1, 50), st.floats(0, 1e6))
def test_a_falling_metric_is_judged_as_its_mirror_image(values: list[float], ahead: int, gap: float) -> None:
    up, down = climb_of(values, Better.UP), climb_of([-value for value in values], Better.DOWN)
    assert up is not None
    assert down is not None
    assert gain_chance(up, ahead, gap) == pytest.approx(gain_chance(down, ahead, gap))
    assert best_after(up, ahead, 0.9) == pytest.approx(-best_after(down, ahead, 0.9))


@given(VALUES, st.integers(1, 50))
def test_a_farther_target_is_never_likelier_and_more_trials_never_hurt(values: list[float], ahead: int) -> None:
    climb = climb_of(values, Better.UP)
    assert climb is not None
    chances = [float(gain_chance(climb, ahead, gap * climb.scale)) for gap in (0, 0.1, 1, 10)]
    assert chances == sorted(chances, reverse=True)
    assert gain_chance(climb, ahead + 1, climb.scale) >= gain_chance(climb, ahead, climb.scale)
    quantiles = [best_after(climb, ahead, share) for share in (0.1, 0.5, 0.9)]
    assert quantiles == sorted(quantiles)
    assert quantiles[0] >= climb.best


def test_the_sentence_names_a_frequency_a_band_what_it_rests_on_and_the_base_rate() -> None:
    climb = climb_of(CLIMBING, Better.UP)
    assert climb is not None
    assert told_target(climb, 0.85, 5, "10 runs") == (
        "0.85 within the next 5: a long shot, about 1 in 4 (from 10 runs; about 1 in 5 in histories of others)"
    )


@pytest.mark.parametrize(
    ("chance", "said"),
    [(0.01, "about 1 in 100"), (0.09, "about 1 in 12"), (0.33, "about 1 in 3"), (0.66, "about 2 in 3"),
     (0.85, "about 8 in 10")],
)  # fmt: skip
def test_a_chance_is_told_as_a_share_that_people_can_picture(chance: float, said: str) -> None:
    assert frequency(chance) == said


def test_bands_are_those_of_the_rules_of_speech() -> None:
    bands = [band(chance) for chance in (0.09, 0.10, 0.29, 0.30, 0.59, 0.60, 0.85)]
    assert bands == ["unlikely", *["a long shot"] * 2, *["could go either way"] * 2, *["likely"] * 2]


def test_a_long_wait_on_a_flat_stretch_is_a_stall_and_fresh_gains_are_not() -> None:
    flat = climb_of([0.5, 0.6, 0.7, *[0.69] * 60], Better.UP)
    fresh = climb_of([0.5, 0.55, 0.6, 0.64, 0.66, 0.7, 0.71, 0.73], Better.UP)
    assert flat is not None
    assert fresh is not None
    assert stall.has_stalled(flat)
    assert not stall.has_stalled(fresh)
    assert stall.worth_having(flat, noise=0.05) == 0.05


def test_the_same_weeks_always_give_the_same_forecast_and_more_items_take_longer() -> None:
    counts = [2, 1, 3, 2, 0, 2, 1, 2]
    first, again = pace.weeks_until(counts, 10), pace.weeks_until(counts, 10)
    assert first == again
    assert first is not None
    assert first.p50 <= first.p85 <= first.p95
    more = pace.weeks_until(counts, 20)
    assert more is not None
    assert more.p50 > first.p50


def test_the_longer_work_has_lasted_the_longer_it_still_takes() -> None:
    lasting = lasting_of([2, 3, 5, 1, 8, 13, 4, 6, 3, 2, 7, 9], [4, 20, 400])
    assert lasting is not None
    assert lasting.finish_chance(1, 7) > lasting.finish_chance(20, 7) > 0
    assert "n = 12 finished" in told_lasting(lasting, 20)


def test_the_fit_of_durations_finds_what_they_were_drawn_from() -> None:
    drawn = 5 * (np.random.default_rng(1).uniform(size=400) ** (-1 / 1.2) - 1)
    lasting = lasting_of(drawn, [])
    assert lasting is not None
    assert isinstance(lasting, Lasting)
    assert lasting.alpha == pytest.approx(1.2, rel=0.15)
    assert lasting.scale == pytest.approx(5, rel=0.35)


def steady(count: int) -> list[float]:
    return [0.8 + 0.01 * math.sin(place) for place in range(count)]


def test_a_metric_that_leaves_its_range_is_first_suspected_then_confirmed_towards_worse_only() -> None:
    assert drift.level_of(steady(60), Better.UP) is drift.Level.NONE
    assert drift.level_of([*steady(60), 0.7], Better.UP) is drift.Level.SUSPECTED
    assert drift.level_of([*steady(60), 0.7, 0.7], Better.UP) is drift.Level.CONFIRMED
    assert drift.level_of([*steady(60), 0.7, 0.7], Better.DOWN) is drift.Level.NONE


def test_one_suspicion_is_told_once_while_it_does_not_grow() -> None:
    scores = drift.suspicion([*steady(60), 0.7, 0.7, 0.7])
    assert drift.suspected_at(scores).tolist()[0] == 60
    assert 62 not in drift.suspected_at(scores).tolist()


def test_a_flat_metric_never_alarms() -> None:
    assert drift.suspected_at(drift.suspicion([45.868] * 300, smooth=36)).tolist() == []
    assert not drift.confirmed([45.868] * 300).any()


@given(st.lists(st.floats(-1e3, 1e3), min_size=25, max_size=80))
def test_the_guard_never_looks_ahead(values: list[float]) -> None:
    whole, part = drift.suspicion(values), drift.suspicion(values[:-1])
    assert np.array_equal(whole[:-1], part)
    assert np.array_equal(drift.confirmed(values)[:-1], drift.confirmed(values[:-1]))


def test_a_step_in_a_slow_metric_is_found_where_it_happened() -> None:
    assert drift.change_points([*steady(30), *(value - 0.1 for value in steady(30))]) == [30]


def test_students_t_is_that_of_the_tables() -> None:
    for freedom, value in ((1, 3.0777), (2, 1.8856), (3, 1.6377), (10, 1.3722), (30, 1.3104), (120, 1.2886)):
        assert t_value(0.90, freedom) == pytest.approx(value, abs=1e-4)
        assert t_share(value, freedom) == pytest.approx(0.90, abs=1e-5)
    assert t_share(1.6449, 5_000) == pytest.approx(0.95, abs=1e-4)


def test_what_production_will_show_is_the_past_gap_with_an_interval_for_8_of_10() -> None:
    expected = expect_production(0.80, [(0.80, 0.78), (0.81, 0.77), (0.79, 0.76)])
    assert expected is not None
    assert expected.middle == pytest.approx(0.77)
    assert expected.high - expected.middle == pytest.approx(1.8856 * 0.01 * math.sqrt(4 / 3), rel=1e-3)


def test_a_gain_below_the_noise_floor_stays_unconfirmed() -> None:
    scatter = noise_of([[0.800, 0.802, 0.801, 0.799], [0.750, 0.752]])
    assert scatter is not None
    assert scatter.freedom == 4
    assert compare_runs([0.800], [0.801], scatter, Better.UP)[0] is Verdict.UNCONFIRMED
    assert compare_runs([0.800], [0.803], scatter, Better.UP)[0] is Verdict.PROBABLY
    assert compare_runs([0.800], [0.810], scatter, Better.UP)[0] is Verdict.BETTER
    assert compare_runs([0.800], [0.790], scatter, Better.DOWN)[0] is Verdict.BETTER
    assert compare_runs([0.800], [0.900], None, Better.UP)[0] is Verdict.UNCONFIRMED
    assert 0 < scatter.floor < 0.01


def test_repeats_that_agree_to_the_last_digit_leave_a_floor_above_zero() -> None:
    scatter = noise_of([[0.5] * 5])
    assert scatter is not None
    assert scatter.deviation > 0
    assert noise.chance_real(0.1, scatter) > 0.95
