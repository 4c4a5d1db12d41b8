import math

import numpy as np

from prodintel_lib.analyses.anomalies import ChangePoints
from prodintel_lib.analyses.changepoints import find_change
from prodintel_lib.windows import Window

from . import made


def test_change_points_score_a_step_at_the_next_look():
    row = 10 + np.random.default_rng(1).normal(0, 0.2, 120)
    row[100:] += 5
    scores = ChangePoints(every=10, recent=10, past=100).score(made.hourly(row))
    looks = np.flatnonzero(~np.isnan(scores.score[0]))
    assert looks.tolist() == [19, 29, 39, 49, 59, 69, 79, 89, 99, 109, 119]
    assert scores.score[0, 109] > 6.0
    assert scores.score[0, 99] < 3.0
    assert abs(scores.expected[0, 109] - 10.0) < 0.3


def test_change_points_are_those_of_find_change():
    row = 10 + np.random.default_rng(1).normal(0, 0.2, 120)
    row[100:] += 1
    times = np.arange(120) * made.HOUR_US
    change = find_change(times[10:110], row[10:110], window=Window(int(times[100]), int(times[109]) + 1))
    scores = ChangePoints(every=10, recent=10, past=100).score(made.hourly(row))
    assert scores.score[0, 109] == -math.log10(change.p_value)


def test_change_points_do_not_look_where_the_point_is_missing():
    row = np.ones(40)
    row[29] = math.nan
    scores = ChangePoints(every=10, recent=5).score(made.hourly(row))
    assert np.flatnonzero(~np.isnan(scores.score[0])).tolist() == [9, 19, 39]
