import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from prodintel_lib.analyses.anomalies import Scores, find_alarms, hold
from prodintel_lib.errors import ParameterError

from . import made, naive


def scored(rows, expected=1.0):
    rows = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    keys = tuple(f"series {i}" for i in range(len(rows)))
    times = np.arange(rows.shape[1]) * made.HOUR_US
    return Scores("made", "z", keys, times, rows, np.full(rows.shape, expected), 0, 0)


@pytest.mark.parametrize("quiet_hours", [1, 2, 5, 6])
def test_hold_is_that_of_the_naive_loop(quiet_hours):
    rows = np.random.default_rng(2).exponential(1, (4, 60)).round(1)
    rows[rows > 3] = math.nan
    expected = [naive.held(list(row), quiet_hours) for row in rows]
    assert_array_equal(hold(scored(rows), quiet_hours=quiet_hours), expected)


def test_find_alarms_gives_one_alarm_for_an_event_and_another_only_when_worse():
    score = [0, 5, 6, 3, 1, 7, 0, 7.1, 0, 0, 0, 0, 5]
    alarms = find_alarms(made.hourly([score]), scored(score), threshold=4.0, quiet_hours=4)
    hours = [(alarm.start_us // made.HOUR_US, alarm.last_us // made.HOUR_US) for alarm in alarms]
    assert hours == [(1, 3), (7, 7), (12, 12)]
    assert [alarm.score for alarm in alarms] == [6.0, 7.1, 5.0]
    assert [alarm.peak_us // made.HOUR_US for alarm in alarms] == [2, 7, 12]


def test_find_alarms_ends_an_alarm_at_its_last_known_point():
    score = [0, 5, 4, math.nan, math.nan, 0]
    (alarm,) = find_alarms(made.hourly([score]), scored(score), threshold=4.0)
    assert (alarm.last_us // made.HOUR_US, alarm.points) == (2, 2)


def test_find_alarms_gives_one_alarm_where_scores_have_no_end():
    score = [0, 1e18, 1e18, 1e18]
    assert len(find_alarms(made.hourly([score]), scored(score), threshold=4.0)) == 1


def test_find_alarms_raises_the_severity_for_size_length_and_score():
    score = [[0, 4, 0, 0], [0, 4, 4, 0], [0, 9, 8, 8]]
    values = [[1, 1.5, 1, 1], [1, 3, 3, 1], [1, 9, 8, 8]]
    alarms = find_alarms(made.hourly(values), scored(score), threshold=4.0)
    assert [alarm.severity for alarm in alarms] == ["low", "high", "critical"]
    assert alarms[0].reason == "short, and near the threshold"
    assert alarms[1].reason == "3 where 1 was expected; lasted 1.0 h"
    assert alarms[2].reason.endswith("score 9.0, at least twice the threshold of 4")


def test_find_alarms_orders_by_time_and_key():
    score = [[0, 0, 5], [0, 5, 0]]
    alarms = find_alarms(made.hourly(score), scored(score), threshold=4.0)
    assert [alarm.key for alarm in alarms] == ["series 1", "series 0"]


def test_find_alarms_finds_nothing_in_calm():
    assert find_alarms(made.hourly([[1.0, 2.0]]), scored([[1.0, math.nan]]), threshold=4.0) == ()


def test_find_alarms_refuses_a_threshold_of_nothing():
    with pytest.raises(ParameterError, match="above 0; it is 0"):
        find_alarms(made.hourly([1.0]), scored([1.0]), threshold=0)


def test_find_alarms_refuses_scores_of_other_series():
    with pytest.raises(ParameterError, match=r"shape \(1, 2\), the series \(1, 1\)"):
        find_alarms(made.hourly([1.0]), scored([1.0, 2.0]))
