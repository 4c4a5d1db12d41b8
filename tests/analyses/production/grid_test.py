import numpy as np
import pytest

from prodintel_lib.analyses.production.grid import (
    choose_bucket_s,
    choose_times,
    choose_visit_bucket_s,
    join_quiet,
    number_stretches,
)
from prodintel_lib.errors import NoDataError

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def minutes(*stretches):
    """Return the minutes of stretches, each given as first minute and length in minutes."""
    return np.concatenate([MINUTE * np.arange(first, first + length) for first, length in stretches])


@pytest.mark.parametrize(
    ("recorded", "width_s"),
    [
        (minutes((0, 1)), 10),
        (minutes((0, 6 * 60)), 10),
        (minutes((0, 6 * 60 + 1)), 60),
        (minutes((0, 3 * 1440)), 60),
        (minutes((0, 3 * 1440 + 1)), 300),
        (minutes((0, 29 * 1440)), 300),
        (minutes((0, 42 * 1440)), 900),
        # Sixteen recordings of five minutes, every other day.
        (minutes(*((2880 * number, 5) for number in range(16))), 10),
        # Two hours a day: 56 recorded hours are fine enough for a minute, but four weeks of minutes too many points.
        (minutes(*((1440 * number, 120) for number in range(28))), 300),
    ],
)
def test_choose_bucket_s_by_the_time_that_is_covered(recorded, width_s):
    assert choose_bucket_s(recorded) == width_s


def test_choose_bucket_s_takes_rare_rows_for_a_quiet_time():
    assert choose_bucket_s(MINUTE * np.arange(0, 28 * 1440, 59)) == 300


@pytest.mark.parametrize(("spans", "width_s"), [(1799, 60), (1800, 10), (None, 10)])
def test_choose_bucket_s_is_a_minute_where_hardly_a_span_is_in_a_bucket(spans, width_s):
    assert choose_bucket_s(minutes((0, 60)), spans=spans) == width_s


def test_choose_bucket_s_needs_data():
    with pytest.raises(NoDataError, match="Nothing was recorded"):
        choose_bucket_s(np.empty(0, dtype=np.int64))


@pytest.mark.parametrize(("sessions", "width_s"), [(0, 3600), (19, 3600), (20, 3600), (240, 300), (1200, 60)])
def test_choose_visit_bucket_s_wants_twenty_sessions_a_bucket(sessions, width_s):
    assert choose_visit_bucket_s(minutes((0, 60)), sessions=sessions) == width_s


def test_join_quiet_fills_short_pauses_only():
    recorded = np.array([0, 5, 13, 14 + 13]) * 10
    assert (join_quiet(recorded, bucket_us=10) == 10 * np.array([*range(15 - 1), *range(27, 28)])).all()
    assert len(join_quiet(np.empty(0, dtype=np.int64), bucket_us=10)) == 0


@pytest.mark.parametrize(("empty", "found"), [(12, 14), (13, 2)])
def test_join_quiet_takes_twelve_empty_buckets_for_a_quiet_time(empty, found):
    assert len(join_quiet(np.array([0, 10 * (empty + 1)]), bucket_us=10)) == found


def test_join_quiet_puts_times_into_their_buckets():
    assert join_quiet(np.array([11, 19, 29]), bucket_us=10).tolist() == [10, 20]


def test_choose_times_leaves_twelve_buckets_of_a_gap_where_days_cannot_be_learned():
    recorded = np.array([0, 1, 1000, 1001]) * MINUTE
    found = choose_times(recorded, bucket_us=MINUTE) // MINUTE
    assert found.tolist() == [0, 1, *range(2, 14), 1000, 1001]


def test_choose_times_leaves_whole_weeks_out_where_days_can_be_learned():
    week = 7 * 24
    recorded = np.concatenate([np.arange(48), np.arange(2 * week + 60, 2 * week + 70)]) * HOUR
    found = choose_times(recorded, bucket_us=HOUR) // HOUR
    assert found.tolist() == [*range(48), *range(48, 60), *range(2 * week + 60, 2 * week + 70)]


def test_choose_times_keeps_a_short_gap_whole():
    recorded = np.array([0, 14]) * MINUTE
    assert len(choose_times(recorded, bucket_us=MINUTE)) == 1 + 12 + 1
    assert len(choose_times(np.arange(5) * DAY, bucket_us=DAY)) == 5


def test_number_stretches_counts_gaps():
    assert number_stretches(np.array([0, 10, 20, 50, 60, 90]), bucket_us=10).tolist() == [0, 0, 0, 1, 1, 2]
    assert number_stretches(np.empty(0, dtype=np.int64), bucket_us=10).tolist() == []
