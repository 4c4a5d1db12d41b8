import math

import numpy as np
import pytest

from prodintel_lib.analyses.golden_signals.trends import find_trend


def test_find_trend_of_a_line_is_the_line():
    times = np.arange(20.0)
    trend = find_trend(times, 3.0 + 0.5 * times)
    assert (trend.slope, trend.low, trend.high) == pytest.approx((0.5, 0.5, 0.5))
    assert trend.level == pytest.approx(12.5)
    assert trend.p_value < 1e-6
    assert trend.word(span=19, material=1.0) == "rising"
    assert trend.word(span=19, material=100.0) == "steady"


def test_find_trend_is_not_moved_by_a_third_of_outliers():
    times = np.arange(30.0)
    values = -2.0 * times
    values[::4] = 1000.0
    assert find_trend(times, values).slope == pytest.approx(-2.0, abs=0.1)


def test_find_trend_leaves_out_missing_points():
    times = np.arange(20.0)
    values = times.copy()
    values[3:6] = math.nan
    assert find_trend(times, values).n == 17


def test_find_trend_of_few_points_says_so():
    trend = find_trend(np.arange(7.0), np.arange(7.0))
    assert math.isnan(trend.slope)
    assert (trend.p_value, trend.word(span=7, material=0.1)) == (1.0, "too few to say")


def test_find_trend_of_a_constant_is_steady():
    assert find_trend(np.arange(10.0), np.full(10, 4.0)).word(span=9, material=0.1) == "steady"


def test_find_trend_takes_points_that_are_alike_for_fewer():
    chance = np.random.default_rng(1)
    found = {True: 0, False: 0}
    for _ in range(100):
        noise = chance.normal(size=150)
        for at in range(1, 150):
            noise[at] += 0.8 * noise[at - 1]
        trend = find_trend(np.arange(100.0), noise[50:])
        found[True] += trend.p_value <= 0.01
    # Without a correction two in five such courses have a trend; one in a hundred is what the level says.
    assert found[True] <= 8
