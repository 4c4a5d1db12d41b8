import numpy as np
import pytest

from prodintel_lib.analyses.load.course import MOST_COLUMNS, find_course, find_mix_course, stretches_of
from prodintel_lib.analyses.load.local_hours import zone_named

S = 1_000_000
HOUR_US = 3600 * S
MONDAY_US = 1_761_523_200 * S


def buckets(n, first_us=MONDAY_US, step_s=60):
    return first_us + np.arange(n, dtype=np.int64) * step_s * S


def course(recorded, counts, *, bucket_s=60, zone="UTC"):
    return find_course(recorded, np.asarray(counts, dtype=np.float64), bucket_s=bucket_s, zone=zone_named(zone))


def test_find_course_keeps_buckets_where_they_are_few():
    found = course(buckets(3), [60, 0, 30], zone="Europe/Paris")
    assert found.rows() == [
        (MONDAY_US, 60, "2025-10-27 01:00 +01:00", 60.0, 60, 1.0, 0),
        (MONDAY_US + 60 * S, 60, "2025-10-27 01:01 +01:00", 60.0, 0, 0.0, 0),
        (MONDAY_US + 120 * S, 60, "2025-10-27 01:02 +01:00", 60.0, 30, 0.5, 0),
    ]


def test_find_course_of_a_month_has_a_column_an_hour_and_the_rate_of_what_was_recorded():
    recorded = buckets(31 * 1440)
    # Of the second hour only a third was recorded.
    kept = (recorded < MONDAY_US + HOUR_US) | (recorded >= MONDAY_US + HOUR_US + 40 * 60 * S)
    found = course(recorded[kept], np.full(kept.sum(), 120.0))
    assert found.height == 31 * 24 <= MOST_COLUMNS
    assert found["width_s"].unique().to_list() == [3600]
    assert found["requests"].head(3).to_list() == [7200, 2400, 7200]
    assert set(found["rps"]) == {2.0}


def test_find_course_shows_three_short_recordings_of_a_month_by_the_minute():
    recorded = np.concatenate([buckets(10, MONDAY_US + day * 24 * HOUR_US) for day in (0, 12, 29)])
    found = course(recorded, np.full(30, 60.0))
    assert found["width_s"].unique().to_list() == [60]
    assert found["stretch"].to_list() == [0] * 10 + [1] * 10 + [2] * 10


def test_find_course_of_ten_years_still_has_few_columns():
    recorded = MONDAY_US + np.arange(0, 40 * 365 * 24, 6, dtype=np.int64) * HOUR_US
    found = course(recorded, np.ones(len(recorded)), bucket_s=900)
    assert found.height <= MOST_COLUMNS + 1
    assert found["requests"].sum() == len(recorded)


def test_find_mix_course_names_the_most_asked_for_and_adds_up_the_rest(arrivals_of):
    times = MONDAY_US // S + np.repeat(np.arange(2) * 60, 45)
    endpoints = [f"/{name}" for name in range(9) for _ in range(9 - name)] * 2
    found = find_mix_course(arrivals_of(times, endpoints), buckets(2), bucket_s=60)
    first = found.filter(start_us=MONDAY_US)
    assert first["endpoint"].to_list() == ["/0", "/1", "/2", "/3", "/4", "/5", "(others)"]
    assert first["requests"].to_list() == [9, 8, 7, 6, 5, 4, 6]
    assert first["share"].to_list() == pytest.approx([n / 45 for n in (9, 8, 7, 6, 5, 4, 6)])
    assert first["rank"].to_list() == list(range(7))
    assert found["requests"].sum() == 90


def test_find_mix_course_names_all_where_one_would_be_left(arrivals_of):
    endpoints = [f"/{name}" for name in range(7) for _ in range(7 - name)]
    times = np.full(len(endpoints), MONDAY_US // S)
    found = find_mix_course(arrivals_of(times, endpoints), buckets(1), bucket_s=60)
    assert found["endpoint"].to_list() == [f"/{name}" for name in range(7)]


def test_stretches_of_begins_a_new_one_after_a_gap():
    starts = np.array([0, 60, 180, 240, 600], dtype=np.int64) * S
    assert stretches_of(starts, 60).tolist() == [0, 0, 1, 1, 2]
