import math

import numpy as np
import pytest

from prodintel_lib.analyses.changepoints import find_change, student_tail, usual_deviation
from prodintel_lib.windows import Window

MIN = 60_000_000


def minutes(n):
    return np.arange(n, dtype=np.int64) * MIN


def noisy(level, n, *, seed=1, sigma=1.0):
    return level + np.random.default_rng(seed).normal(0.0, sigma, n)


def test_find_change_finds_a_step_to_the_minute():
    values = np.concatenate([noisy(100, 60), noisy(150, 20, seed=2)])
    found = find_change(minutes(80), values, window=Window(65 * MIN, 80 * MIN))
    assert (found.onset_us, found.last_us, found.shape) == (60 * MIN, 79 * MIN, "step")
    assert (round(found.before), round(found.during), found.before_n, found.during_n) == (100, 150, 60, 20)
    assert found.p_value < 1e-6


def test_find_change_finds_where_a_slow_ramp_set_in_long_before_the_window():
    values = noisy(200, 120)
    values[30:] += 2.0 * np.arange(90)
    found = find_change(minutes(120), values, window=Window(115 * MIN, 120 * MIN))
    assert found.shape == "ramp"
    assert 30 <= found.onset_us / MIN <= 36


def test_find_change_calls_something_new_an_appearance_and_something_gone_a_stop():
    values = np.concatenate([np.zeros(40), np.full(10, 3.0)])
    assert find_change(minutes(50), values, window=Window(40 * MIN, 50 * MIN)).shape == "appearance"
    values = np.concatenate([noisy(30, 40), np.zeros(10)])
    assert find_change(minutes(50), values, window=Window(40 * MIN, 50 * MIN)).shape == "stop"


def test_find_change_sees_what_is_over_before_the_data_end():
    values = noisy(100, 90)
    values[60:75] += 50
    found = find_change(minutes(90), values, window=Window(65 * MIN, 90 * MIN))
    assert (found.onset_us, found.last_us) == (60 * MIN, 74 * MIN)


def test_find_change_does_not_look_behind_the_window():
    values = noisy(100, 90)
    values[70:] += 50
    found = find_change(minutes(90), values, window=Window(50 * MIN, 60 * MIN))
    assert found is None or found.p_value > 0.05


def test_find_change_takes_a_countdown_for_no_change():
    assert find_change(minutes(80), 4800.0 - 60.0 * np.arange(80), window=Window(60 * MIN, 80 * MIN)) is None


def test_find_change_compares_with_the_points_just_before_where_the_old_normal_time_was_another():
    old = noisy(100, 60)
    now = np.concatenate([noisy(150, 8, seed=3), noisy(152, 8, seed=4)])
    times = np.concatenate([minutes(60), minutes(16) + 10_000 * MIN])
    found = find_change(times, np.concatenate([old, now]), window=Window(10_008 * MIN, 10_016 * MIN))
    assert found.before == pytest.approx(150, abs=2)
    assert abs(found.effect) < 3


def test_find_change_stays_calm_over_noise():
    p_values = []
    for seed in range(60):
        found = find_change(minutes(80), noisy(50, 80, seed=seed), window=Window(60 * MIN, 80 * MIN))
        p_values.append(1.0 if found is None else found.p_value)
    assert sum(p < 0.01 for p in p_values) <= 2


def test_find_change_expects_counts_to_vary_by_their_square_root():
    values = np.concatenate([np.zeros(40), [1.0, 0.0, 1.0]])
    window = Window(40 * MIN, 43 * MIN)
    assert find_change(minutes(43), values, window=window, is_count=True).p_value > 0.05
    assert find_change(minutes(43), values, window=window).p_value < 0.05


@pytest.mark.parametrize("values", [np.array([1.0, 2.0, 3.0]), np.full(50, 7.0)])
def test_find_change_says_nothing_of_few_or_constant_points(values):
    assert find_change(minutes(len(values)), values, window=Window(MIN, 100 * MIN)) is None


def test_usual_deviation_has_a_floor_for_each_way_to_be_too_sure():
    assert usual_deviation(np.full(20, 100.0)) == pytest.approx(0.5)
    assert usual_deviation(np.zeros(20)) == pytest.approx(1e-9)
    assert usual_deviation(np.full(20, 4.0), is_count=True) == pytest.approx(math.sqrt(4.5))
    assert usual_deviation(np.array([0.0] * 9 + [10.0])) == pytest.approx(8.2 / 2.054)


@pytest.mark.parametrize(("t", "degrees", "exact"), [(2.0, 5, 0.10194), (4.0, 10, 0.002518), (0.0, 3, 1.0)])
def test_student_tail_is_close_to_the_exact_one(t, degrees, exact):
    assert student_tail(t, degrees=degrees) == pytest.approx(exact, rel=0.02)
