import math

import polars as pl
import pytest

from prodintel_lib.scenarios.guards import Level, TooClose
from prodintel_lib.scenarios.guards.levels import (
    Measured,
    measure_drop,
    measure_errors,
    measure_journey,
    measure_slowness,
    quantile_ms,
    take_sides,
    why_too_close,
)
from prodintel_lib.scenarios.guards.plans import lower_bound, upper_bound
from tests.scenarios.guards.productions import ROUTE, buckets, production, requests

STRUCK = buckets(20, 5)


def sides(**struck):
    return take_sides(production(requests(0, 20), requests(20, 5, **struck)), ROUTE, STRUCK)


def test_take_sides_takes_what_came_before_and_what_came_in_it():
    found = sides(failed=3)
    assert (found.healthy_n, found.anomalous_n) == (170, 50)
    assert found.healthy_window == buckets(0, 17)
    assert (found.healthy_s, found.anomalous_s) == (170.0, 50.0)
    assert found.rate_per_s == pytest.approx(1.0)


def test_take_sides_goes_over_a_long_gap_only_where_there_is_too_little():
    day = 8_640
    far, near, struck = requests(0, 20), requests(day, 20), requests(day + 20, 5)
    found = take_sides(production(far, near, struck), ROUTE, buckets(day + 20, 5))
    assert found.healthy_window == buckets(day, 17)
    found = take_sides(production(far, requests(day, 2), struck), ROUTE, buckets(day + 20, 5))
    assert found.healthy_n == 220


def test_take_sides_stops_where_there_is_enough_and_leaves_out_other_anomalies():
    whole = production(requests(0, 400), requests(400, 5))
    assert take_sides(whole, ROUTE, buckets(400, 5)).healthy_window == buckets(297, 100)
    avoiding = take_sides(whole, ROUTE, buckets(400, 5), avoid=[buckets(350, 50)])
    assert avoiding.healthy_window == buckets(250, 100)


def test_take_sides_looks_at_entry_requests_only_and_needs_enough_of_them():
    inner = production(requests(0, 20, is_entry=False), requests(20, 5))
    assert take_sides(inner, ROUTE, STRUCK) is None
    assert take_sides(production(requests(0, 2), requests(20, 5)), ROUTE, STRUCK) is None
    assert take_sides(production(requests(0, 20)), ROUTE, STRUCK) is None


def test_at_once_is_littles_law():
    busy = production(requests(0, 20, n=10, duration_ms=4_000.0), requests(20, 5))
    assert take_sides(busy, ROUTE, STRUCK).at_once == 4
    assert sides().at_once == 1


def test_measure_errors_counts_failures_with_bounds_towards_each_other():
    measured = measure_errors(sides(failed=3))
    assert (measured.healthy.bad, measured.healthy.n) == (0, 170)
    assert (measured.anomalous.bad, measured.anomalous.n) == (15, 50)
    assert measured.healthy.bound == pytest.approx(upper_bound(0, 170))
    assert measured.anomalous.bound == pytest.approx(lower_bound(15, 50))
    assert measured.limit_ms == 2_000


def test_measure_slowness_takes_a_limit_between_healthy_and_slow():
    measured = measure_slowness(sides(slow=4, slow_ms=900.0))
    assert measured.limit_ms == pytest.approx(math.sqrt(20 * 900), rel=0.06)
    assert (measured.healthy.bad, measured.anomalous.bad, measured.anomalous.n) == (0, 20, 50)
    nearer = measure_slowness(sides(slow=4, slow_ms=70.0))
    assert nearer.limit_ms == pytest.approx(math.sqrt(20 * 70), rel=0.06)
    assert nearer.anomalous.bad == 20


def test_measure_slowness_takes_a_lower_limit_where_few_lie_beyond_the_middle():
    struck = pl.concat([requests(20, 5, n=4, slow=1, slow_ms=9_000.0), requests(20, 5, n=6, duration_ms=60.0)])
    measured = measure_slowness(take_sides(production(requests(0, 20), struck), ROUTE, STRUCK))
    # 60 and 9,000 ms both lie beyond: the middle of 20 and the 60 of most of them.
    assert measured.limit_ms == pytest.approx(math.sqrt(20 * 60), rel=0.06)
    assert measured.anomalous.bad == 35


def test_measure_slowness_of_what_is_as_fast_as_ever_tells_nothing_apart():
    assert measure_slowness(sides()).needed is None


def test_measure_drop_counts_what_was_not_answered_in_time_and_not_who_stayed_away():
    assert measure_drop(sides(n=1)).needed is None
    assert measure_drop(sides(slow=4, slow_ms=5_000.0)).anomalous.bad == 20
    assert measure_drop(sides(failed=5)).anomalous.bad == 25


def test_measure_journey_multiplies_the_steps():
    step = take_sides(production(requests(0, 20, failed=1), requests(20, 5, failed=5)), ROUTE, STRUCK)
    measured = measure_journey([step, step])
    assert (measured.healthy.bad, measured.healthy.n) == (32, 170)
    assert (measured.anomalous.bad, measured.anomalous.n) == (38, 50)


def test_quantile_ms_is_within_a_bin_of_the_true_one():
    rows = pl.concat([requests(0, 9, duration_ms=10.0), requests(9, 1, duration_ms=500.0)])
    assert quantile_ms(rows, 0.9) == pytest.approx(10.0, rel=0.04)
    assert quantile_ms(rows, 0.91) == pytest.approx(500.0, rel=0.04)
    assert math.isnan(quantile_ms(rows.clear(), 0.5))


def test_why_too_close_names_the_levels_and_what_it_would_take():
    measured = Measured(Level(bad=1, n=100, bound=0.05), Level(bad=8, n=100, bound=0.06), 2_000)
    assert why_too_close(measured, TooClose(6706)) == (
        "1 of 100 were bad before it and 8 of 100 in it: telling them apart takes 6,706 requests; 2,000 are bearable."
    )
    assert "no number of requests" in why_too_close(measured, TooClose(None))
