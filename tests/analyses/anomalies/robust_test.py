import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from prodintel_lib.analyses.anomalies import FixedThreshold, Percentile, RobustZ, ZScore
from prodintel_lib.errors import ParameterError

from . import made, naive


def test_z_score_is_that_of_the_naive_loop():
    rows = made.rhythmic(2, days=6)
    scores = ZScore(window_days=2).score(made.hourly(rows))
    assert_allclose(scores.score, [naive.z_scores(list(row), 48, 30) for row in rows], rtol=1e-6)


def test_z_score_keeps_its_digits_at_a_large_level():
    row = 1e9 + np.tile([0.0, 2.0e7], 40)
    row[79] = 1e9 + 5.0e7
    # Mean 1e9 + 1e7, standard deviation 1e7.
    assert ZScore().score(made.hourly(row)).score[0, 79] == pytest.approx(4.0, rel=0.05)


def test_robust_z_is_not_moved_by_an_outage_in_its_past():
    row = np.tile([9.0, 10.0, 11.0], 60)
    row[100:110] = 500.0
    row[179] = 16.0
    plain, robust = (detector().score(made.hourly(row)).score[0, 179] for detector in (ZScore, RobustZ))
    assert plain < 1.0
    # Six from a median of 10, the deviations' median being 1.
    assert robust == pytest.approx(6 / 1.4826)


def test_percentile_names_its_limit():
    row = np.append(np.arange(100.0), [98.0, 98.5])
    scores = Percentile(percentile=99).score(made.hourly(row))
    assert_array_equal(scores.expected[0, 100:], [98.0, 98.0])
    assert_array_equal(scores.score[0, 100:], [0.0, 1.0])
    assert (scores.missing, scores.unlearned) == (0, 50)


def test_fixed_threshold_needs_no_past():
    scores = FixedThreshold(upper=10.0, lower=1.0).score(made.hourly([[0.5, 1.0, 10.0, 11.0, math.nan]]))
    assert_array_equal(scores.score, [[1.0, 0.0, 0.0, 1.0, math.nan]])
    assert (scores.missing, scores.unlearned) == (1, 0)


def test_fixed_threshold_refuses_limits_that_cross():
    with pytest.raises(ParameterError, match="they are 5 and 2"):
        FixedThreshold(upper=2, lower=5)


def test_percentile_refuses_a_share():
    with pytest.raises(ParameterError, match=r"between 50 and 100; it is 0\.99"):
        Percentile(percentile=0.99)
