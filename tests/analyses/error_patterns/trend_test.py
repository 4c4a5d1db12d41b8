import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from prodintel_lib.analyses.error_patterns.trend import Course, compare_rates, measure_dispersion, name_trend


def course(errors, traffic=100.0):
    counts = np.asarray(errors, dtype=np.float64)
    return Course(counts, np.full(len(counts), float(traffic)))


def test_compare_rates_of_a_poisson_process_is_clopper_and_pearson():
    now, before = course([12], 400), course([5], 300)
    change = compare_rates(now, before)
    exact = binomtest(12, 17, 4 / 7).proportion_ci(method="exact")
    scale = 300 / 400
    assert change.ratio == pytest.approx(12 / 400 / (5 / 300))
    assert change.low == pytest.approx(scale * exact.low / (1 - exact.low))
    assert change.high == pytest.approx(scale * exact.high / (1 - exact.high))
    assert change.p_value == pytest.approx(2 * binom.sf(11, 17, 4 / 7))
    assert change.dispersion == 1.0


def test_compare_rates_measures_by_traffic_and_not_by_count():
    change = compare_rates(course([200], 20_000), course([100], 10_000))
    assert change.ratio == pytest.approx(1)
    assert change.low < 1 < change.high


def test_compare_rates_of_four_events_is_too_few_to_say():
    change = compare_rates(course([5], 1000), course([4], 1000))
    assert change.ratio == 1.25
    assert name_trend(change, now=5, before=4, q_value=change.p_value)[0] == "too few to say"


def test_compare_rates_widens_the_interval_where_errors_come_in_bursts():
    even = compare_rates(course([10] * 10), course([4] * 10))
    bursts = compare_rates(course([0, 50, 0, 0, 0, 0, 0, 50, 0, 0]), course([4] * 10))
    assert (even.low > 1, bursts.low < 1) == (True, True)
    assert (even.dispersion, bursts.dispersion > 10) == (1.0, True)


def test_measure_dispersion_takes_an_outage_that_begins_for_a_change_and_no_scatter():
    begins = course([0] * 15 + [20, 18, 23, 19, 21, 17, 22, 20, 18, 21, 19, 20, 22, 18, 20])
    assert measure_dispersion([begins]) < 3
    assert measure_dispersion([course([0, 20] * 15)]) == pytest.approx(20)
    assert measure_dispersion([course([5, 5])]) == 1.0


def test_compare_rates_without_traffic_on_a_side_cannot_be_named():
    change = compare_rates(course([3]), course([0], 0))
    assert math.isnan(change.low)
    assert name_trend(change, now=3, before=0, q_value=1)[0] == "too few to say"


@pytest.mark.parametrize(
    ("now", "before", "trend"),
    [
        (60, 0, "new"),
        (0, 60, "gone"),
        (90, 30, "rising"),
        (30, 90, "falling"),
        (400, 410, "steady"),
        (1, 0, "too few to say"),
    ],
)
def test_name_trend_says_how_the_rate_went(now, before, trend):
    change = compare_rates(course([now]), course([before]))
    assert name_trend(change, now=now, before=before, q_value=change.p_value)[0] == trend


def test_name_trend_believes_no_change_that_many_patterns_make_likely():
    change = compare_rates(course([60]), course([30]))
    assert name_trend(change, now=60, before=30, q_value=0.2)[0] == "too few to say"
    assert "60 in the window, 30 before; 95 % CI" in name_trend(change, now=60, before=30, q_value=0.2)[1]


def test_compare_rates_seldom_finds_a_change_where_there_is_none():
    chance = np.random.default_rng(4)
    found = 0
    for _ in range(400):
        now, before = (Course(chance.poisson(0.5, 40).astype(float), np.full(40, 50.0)) for _ in range(2))
        change = compare_rates(now, before)
        found += not change.low <= 1 <= change.high
    assert found <= 0.05 * 400
