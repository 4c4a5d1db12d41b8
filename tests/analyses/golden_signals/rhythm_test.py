import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from prodintel_lib.analyses.golden_signals.rhythm import Hours, by_hours, decompose, describe_rhythm, profile_of

from .made import DAY_US, HOUR_US, MINUTE_US

MONDAY = 4 * DAY_US


def hours_of(days, start_us=MONDAY):
    at = np.arange(24 * days)
    weekend = np.where((start_us // DAY_US - 4 + at // 24) % 7 >= 5, 0.5, 1.0)
    return Hours(start_us, weekend * (10 + 5 * np.sin(2 * np.pi * (at - 8) / 24)))


def test_by_hours_brings_a_part_to_a_whole_hour():
    recorded = np.arange(0, 90, dtype=np.int64) * MINUTE_US
    hours = by_hours(recorded, np.full(90, 6.0), recorded, 60)
    assert_allclose(hours.rates, [0.1, 0.1])
    assert_allclose(by_hours(recorded[:60], np.full(60, 6.0), recorded, 60).rates, [0.1, 0.0])


def test_by_hours_leaves_out_hours_of_which_less_than_half_was_recorded():
    recorded = np.concatenate([np.arange(60), np.arange(60, 80), np.arange(120, 180)]).astype(np.int64) * MINUTE_US
    hours = by_hours(recorded, np.ones(len(recorded)), recorded, 60)
    assert_array_equal(np.isnan(hours.rates), [False, True, False])


def test_by_hours_begins_after_the_last_long_gap():
    recorded = np.concatenate([np.arange(60), np.arange(60) + 14 * 60]).astype(np.int64) * MINUTE_US
    hours = by_hours(recorded, np.ones(120), recorded, 60)
    assert (hours.start_us, hours.known) == (14 * HOUR_US, 1)


def test_by_hours_of_nothing_is_empty():
    assert by_hours(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), 60).period == 0


@pytest.mark.parametrize(("days", "period"), [(1, 0), (2, 24), (13, 24), (14, 168)])
def test_hours_period_was_seen_twice(days, period):
    assert hours_of(days).period == period


def test_profile_of_is_the_median_of_each_hour_of_the_week():
    hours = hours_of(21)
    profile = profile_of(hours)
    assert_allclose(profile.rates, hours.rates[:168])
    assert_array_equal(profile.n, np.full(168, 3))


def test_decompose_gives_trend_season_and_remainder_that_add_up():
    hours = hours_of(21)
    hours.rates[40] = math.nan
    parts = decompose(hours)
    known = np.isfinite(hours.rates)
    assert_allclose((parts.trend + parts.seasonal + parts.remainder)[known], hours.rates[known])
    assert math.isnan(parts.trend[40])
    assert parts.strength > 0.95


def test_describe_rhythm_names_hours_and_days():
    hours = hours_of(21)
    said = describe_rhythm(hours, decompose(hours))
    assert "most from 14:00 to 15:00 UTC" in said
    assert "least from 02:00 to 03:00" in said
    assert "a working day 2 times a day at the weekend" in said


def test_describe_rhythm_of_noise_sees_none():
    chance = np.random.default_rng(1)
    hours = Hours(MONDAY, 10 + chance.normal(size=24 * 10))
    assert describe_rhythm(hours, decompose(hours)) == "no clear rhythm by hour of the day"


def test_describe_rhythm_of_a_short_record_says_what_is_needed():
    hours = hours_of(1)
    assert describe_rhythm(hours, decompose(hours)) == (
        "too little for a rhythm: 24 h recorded without a long gap, 48 are needed"
    )
