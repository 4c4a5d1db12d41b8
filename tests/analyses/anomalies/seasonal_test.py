import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from prodintel_lib.analyses.anomalies import seasonal

from . import made, naive


@pytest.fixture
def rows():
    return made.rhythmic(1, days=8)


def test_forecast_level_is_that_of_the_naive_loop(rows):
    expected = [naive.level(list(row), 50, 12) for row in rows]
    assert_allclose(seasonal.forecast_level(rows, window=50, block=12), expected)


def test_forecast_level_thins_a_long_past_and_keeps_its_newest_point():
    ramp = np.arange(1_200.0)[None]
    # Of the 1,024 points before the block every second from the newest: 1024, 1022 ... 2.
    assert seasonal.forecast_level(ramp, window=1_024, block=512)[0, 1_100] == 513.0


def test_forecast_seasonal_is_that_of_the_naive_loop(rows):
    expected = [naive.seasonal(list(row), 24, 5, 2) for row in rows]
    assert_allclose(seasonal.forecast_seasonal(rows, period=24, cycles=5, min_cycles=2), expected)


def test_forecast_seasonal_abstains_where_no_cycle_is_over():
    assert np.isnan(seasonal.forecast_seasonal(np.ones((2, 24)), period=24, cycles=3, min_cycles=1)).all()


def test_forecast_best_is_that_of_the_naive_loop(rows):
    forecasts = [
        seasonal.forecast_level(rows, window=48, block=6),
        seasonal.forecast_seasonal(rows, period=24, cycles=3, min_cycles=1),
    ]
    expected = [naive.best(row, [one[i] for one in forecasts], 72) for i, row in enumerate(rows)]
    assert_allclose(seasonal.forecast_best(rows, forecasts, window=72), expected)


def test_forecast_best_takes_the_one_that_was_nearer():
    values = np.full((1, 10), 5.0)
    near, far = np.full((1, 10), 5.5), np.full((1, 10), 9.0)
    assert_array_equal(seasonal.forecast_best(values, [far, near], window=5)[0, 1:], [5.5] * 9)


def test_mean_before_is_that_of_the_naive_loop(rows):
    assert_allclose(seasonal.mean_before(rows, window=7), [naive.mean_before(list(row), 7) for row in rows])


def test_mean_until_takes_the_point_in_and_is_missing_where_it_is():
    values = np.array([[1.0, 3.0, math.nan, 5.0]])
    assert_array_equal(seasonal.mean_until(values, window=2), [[1.0, 2.0, math.nan, 5.0]])


def test_median_of_known_leaves_gaps_out():
    values = np.array([[3.0, math.nan, 1.0], [math.nan] * 3, [4.0, 1.0, 2.0]])
    assert_array_equal(seasonal.median_of_known(values), [2.0, math.nan, 2.0])
