import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.slos.counts import (
    Course,
    count_course,
    design_effect,
    interval,
    largest_in_steps,
    last_recorded_end_us,
    slower_than,
    thinned,
)
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.rollups.request_bins import NO_BIN
from prodintel_lib.windows import Window

from .made import at, course_of, make_production, make_row, promise

WINDOW = Window(at(0), at(12))


def test_trailing_burn_is_the_share_of_bad_requests_of_the_hours_before_over_what_is_allowed():
    course = course_of([100] * 14, [0] * 12 + [3, 6])
    burn = course.trailing_burn(1.0, 0.01)
    assert burn[11] == 0.0
    assert burn[12] == pytest.approx(3 / 1200 / 0.01)
    assert burn[13] == pytest.approx(9 / 1200 / 0.01)
    assert course.trailing_burn(1 / 12, 0.01)[13] == pytest.approx(6.0)


def test_trailing_burn_is_not_known_without_requests_or_where_a_bucket_is_longer():
    course = course_of([10, 0, 0], [1, 0, 0])
    assert [math.isnan(burn) for burn in course.trailing_burn(1 / 12, 0.01)] == [False, True, True]
    hourly = course_of([10], [1], bucket_s=3600)
    assert math.isnan(hourly.trailing_burn(0.5, 0.01)[0])


def test_trailing_burn_of_a_promise_without_exceptions_is_infinite_from_the_first_failure():
    assert list(course_of([10, 10], [0, 1]).trailing_burn(1 / 12, 0.0)) == [0.0, math.inf]


def test_count_course_takes_the_requests_that_entered_the_system():
    rows = [
        make_row(at(0), "GET /a", 10, 2),
        make_row(at(0), "GET /a", 90, 9, is_entry=False),
        make_row(at(2), "GET /a", 5, 1, region="eu"),
        make_row(at(2), "GET /a", 5, 0, region="us"),
        make_row(at(3), "GET /b", 7, 7),
    ]
    course = count_course(make_production(rows, window=WINDOW, bucket_s=300), promise(), as_of_us=at(4))
    assert (course.start_us, list(course.total), list(course.bad)) == (at(0), [10, 0, 10, 0], [2, 0, 1, 0])
    assert list(course.recorded) == [True, False, True, True]
    assert course.recorded_h == pytest.approx(0.25)


def test_count_course_takes_all_requests_of_a_route_between_services():
    rows = [make_row(at(0), "GET /a", 10, 2, is_entry=False)]
    assert count_course(make_production(rows, window=WINDOW, bucket_s=300), promise(), as_of_us=at(1)).n == 10


def test_count_course_leaves_out_what_is_older_than_the_period_or_later_than_now():
    rows = [make_row(at(bucket), "GET /a", 1) for bucket in range(300)]
    course = count_course(make_production(rows, window=WINDOW, bucket_s=300), promise(period_days=1), as_of_us=at(290))
    assert (course.n, course.start_us) == (288, at(2))


def test_count_course_counts_a_latency_exactly_where_its_limit_was_asked_for():
    rows = [make_row(at(0), "GET /a", 10, 0, bin=10, over_limit=4)]
    known = make_production(rows, window=WINDOW, bucket_s=300, limits_ms={"GET /a": 250.0})
    assert count_course(known, promise(limit_ms=250.0), as_of_us=at(1)).n_bad == 4
    assert count_course(known, promise(limit_ms=300.0), as_of_us=at(1)).n_bad == 0


def test_slower_than_counts_bins_above_the_limit_and_no_unknown_duration():
    # Bin 0 holds 1 to 1.08 ms, bin 20 from 4.95 ms.
    frame = pl.DataFrame({"bin": [NO_BIN, 0, 20], "requests": [1, 2, 4]})
    assert list(frame.select(over=slower_than(2.0))["over"]) == [0, 0, 4]
    assert list(frame.select(over=slower_than(0.5))["over"]) == [0, 2, 4]


def test_interval_is_wilsons_and_wider_where_failures_come_in_bunches():
    wilson = Proportion.of(20, 1000)
    assert interval(20, 1000) == pytest.approx((wilson.low, wilson.high))
    tenth = Proportion.of(2, 100)
    assert interval(20, 1000, design_effect=10) == pytest.approx((tenth.low, tenth.high))
    assert interval(0, 0) == (0.0, 1.0)


def test_design_effect_is_pearsons_chi_squared_over_its_degrees_of_freedom():
    # Two stretches of 100 with 0 and 20 bad: share 0.1, each (10)^2 / (0.1 * 0.9 * 100) = 100 / 9.
    assert design_effect(course_of([100, 100], [0, 20])) == pytest.approx(2 * 100 / 9)
    assert design_effect(course_of([100, 100], [10, 10])) == 1.0
    assert design_effect(course_of([100, 100], [0, 0])) == 1.0


def test_design_effect_sees_bunches_that_last_longer_than_a_bucket():
    rng = np.random.default_rng(3)
    scattered = rng.binomial(100, 0.02, size=1000)
    bunched = np.concatenate([rng.binomial(100, 0.2, size=100), np.zeros(900, dtype=np.int64)])
    assert design_effect(course_of([100] * 1000, scattered)) < 2
    assert design_effect(course_of([100] * 1000, bunched)) > 20


def test_last_recorded_end_is_within_the_window():
    production = make_production([make_row(at(3), "GET /a", 1)], window=WINDOW, bucket_s=300)
    assert last_recorded_end_us(production, WINDOW) == at(4)
    assert last_recorded_end_us(production, Window(at(0), at(4) - 1)) == at(4) - 1
    assert last_recorded_end_us(production, Window(at(4), at(5))) is None


def test_thinned_keeps_the_last_place():
    assert list(thinned(10, 4)) == [0, 3, 6, 9]
    assert list(thinned(3, 4)) == [0, 1, 2]
    assert list(thinned(0, 4)) == []


def test_largest_in_steps_is_of_what_came_since_the_place_before():
    values = np.array([1.0, 5.0, math.nan, 2.0, math.nan, math.nan])
    assert largest_in_steps(values, [0, 3])[:2].tolist() == [1.0, 5.0]
    assert math.isnan(largest_in_steps(values, [3, 5])[1])


def test_course_last_takes_all_where_there_is_less():
    course = course_of([1, 2, 3], [0, 0, 1])
    assert list(course.last(1 / 6).total) == [2, 3]
    assert course.last(1 / 6).start_us == at(1)
    assert isinstance(course.last(24), Course)
    assert course.last(24).n == 6
