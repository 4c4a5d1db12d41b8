import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load.local_hours import zone_named
from prodintel_lib.analyses.load.profile import (
    HOUR_OF_DAY,
    days_frame,
    find_peaks,
    find_profile,
    hours_frame,
    local_text,
    slot_label,
)
from prodintel_lib.windows import parse_time

UTC = zone_named("UTC")
MONDAY = parse_time("2025-11-24")
S = 1_000_000


def daily(days, *, noise=0.0, seed=1):
    """Return quarters of days with most at 12 and least at 3."""
    rates = np.full(24, 2.0)
    rates[12], rates[3] = 5.0, 1.0
    quarters = np.tile(np.repeat(rates, 4), days)
    return quarters + noise * np.repeat(np.random.default_rng(seed).normal(size=len(quarters) // 4), 4)


def slot(profile, cycle, number):
    return profile.row(by_predicate=(pl.col("cycle") == cycle) & (pl.col("slot") == number), named=True)


def test_hours_frame_writes_the_offset_that_tells_hours_apart(hours_of):
    frame = hours_frame(hours_of(parse_time("2025-10-26T00:00:00Z"), np.repeat([1.0, 3.0], 4), zone="Europe/Paris"))
    assert frame.select("local", "utc_offset_min", "requests", "rps").rows() == [
        ("2025-10-26 02:00 +02:00", 120, 3600, 1.0),
        ("2025-10-26 02:00 +01:00", 60, 10800, 3.0),
    ]


def test_local_text_writes_offsets_west_of_greenwich():
    assert local_text(parse_time("2025-01-01T12:00"), -(3 * 3600 + 1800) * S) == "2025-01-01 08:30 -03:30"


def test_days_frame_measures_days_by_the_hours_they_have(hours_of):
    paris = zone_named("Europe/Paris")
    hours = hours_of(parse_time("2025-03-29T23:00:00Z"), np.ones(4 * 24), zone="Europe/Paris")
    assert days_frame(hours, paris).rows() == [
        ("2025-03-30", 6, 23.0, 23 * 3600.0, 23 * 3600, 1.0, True),
        ("2025-03-31", 0, 24.0, 3600.0, 3600, 1.0, False),
    ]


def test_find_profile_gives_students_interval_of_days(hours_of):
    quarters = np.concatenate([daily(1), daily(1) + 1, daily(1) + 2])
    hours = hours_of(MONDAY, quarters)
    row = slot(find_profile(hours, days_frame(hours, UTC)), HOUR_OF_DAY, 12)
    assert (row["rps"], row["least_rps"], row["most_rps"], row["n"]) == (6.0, 5.0, 7.0, 3)
    # Student's t of two degrees of freedom at 97.5 %, times one over the root of three.
    assert row["low_rps"] == pytest.approx(6 - 4.302652730 / 3**0.5)
    assert row["interval_from"] == "days"


def test_find_profile_of_one_day_says_only_how_sure_its_own_hours_are(hours_of):
    hours = hours_of(MONDAY, [1.0, 2.0, 3.0, 2.0])
    row = slot(find_profile(hours, days_frame(hours, UTC)), HOUR_OF_DAY, 0)
    # Buckets of 1, 2, 3 and 2 a second: a deviation of sqrt(2 / 3), over the root of four of them.
    assert row["high_rps"] == pytest.approx(2 + 1.959963984540054 * (2 / 3) ** 0.5 / 2)
    assert (row["n"], row["interval_from"]) == (1, "minutes")


def test_find_profile_takes_whole_days_only_for_days_of_the_week(hours_of):
    hours = hours_of(MONDAY, np.concatenate([daily(2), np.ones(8)]))
    profile = find_profile(hours, days_frame(hours, UTC)).filter(pl.col("cycle") == "day of week")
    assert profile.select("slot", "label", "n").rows() == [(0, "Monday", 1), (1, "Tuesday", 1)]


def test_slot_label_names_the_hour_of_the_week():
    assert slot_label("hour of week", 167) == "Sunday 23:00"


def test_find_peaks_says_how_often_an_hour_comes_out_first(hours_of):
    hours = hours_of(MONDAY, daily(14, noise=0.1))
    peaks = find_peaks(hours, find_profile(hours, days_frame(hours, UTC)))
    assert peaks.select("kind", "hour", "chance", "days").rows() == [("peak", 12, 1.0, 14), ("low", 3, 1.0, 14)]


def test_find_peaks_names_several_hours_where_noise_decides(hours_of):
    noise = np.random.default_rng(3).normal(size=24 * 5)
    hours = hours_of(MONDAY, np.repeat(10 + noise, 4))
    peaks = find_peaks(hours, find_profile(hours, days_frame(hours, UTC))).filter(pl.col("kind") == "peak")
    assert peaks.height > 2
    assert peaks["chance"][0] < 0.9
    assert peaks["chance"].is_sorted(descending=True)


def test_find_peaks_of_hours_without_a_request_names_all_of_them(hours_of):
    quarters = np.tile(np.repeat([0.0] * 2 + [1.0] * 22, 4), 4)
    hours = hours_of(MONDAY, quarters)
    lows = find_peaks(hours, find_profile(hours, days_frame(hours, UTC))).filter(pl.col("kind") == "low")
    assert lows.select("hour", "chance").rows() == [(0, 1.0), (1, 1.0)]


def test_find_peaks_of_two_days_gives_no_chance(hours_of):
    hours = hours_of(MONDAY, daily(2))
    peaks = find_peaks(hours, find_profile(hours, days_frame(hours, UTC)))
    assert peaks.select("kind", "hour", "chance", "days").rows() == [("peak", 12, None, 2), ("low", 3, None, 2)]
