import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from prodintel_lib.analyses.anomalies.predictive import (
    score_counts,
    score_levels,
    score_with_freedom,
    shrunk_dispersion,
)

from . import naive


def test_score_levels_is_that_of_the_naive_loop():
    chance = np.random.default_rng(5)
    rows = np.stack([chance.normal(10, 1, 200), chance.exponential(1, 200), np.full(200, 3.0)])
    rows[:2, 30] = 40.0
    rows[2, 100] = 4.0
    rows[:, 50:60] = math.nan
    scores, expected = score_levels(rows)
    assert_allclose(scores, [naive.level_scores(list(row)) for row in rows])
    assert expected[2, 20] == 3.0


@pytest.mark.parametrize("kind", ["normal", "t", "exponential", "rare", "walk", "trend"])
def test_score_levels_of_few_healthy_values_do_not_shout(kind):
    chance, shape = np.random.default_rng(6), (3_000, 50)
    rows = {
        "normal": chance.normal(0, 1, shape),
        "t": chance.standard_t(3, shape),
        "exponential": chance.exponential(1, shape),
        "rare": chance.poisson(0.1, shape).astype(float),
        "walk": np.cumsum(chance.normal(0, 1, shape), axis=1),
        "trend": np.arange(50) + chance.normal(0, 1, shape),
    }[kind]
    scores = score_levels(rows)[0]
    assert (scores[:, 12:] >= 4.0).mean() < 1e-3


def test_score_levels_of_a_gauge_that_never_moved_lets_it_move():
    row = np.full((1, 40), 5.0)
    row[0, 30] = 500.0
    assert score_levels(row)[0][0, 30] < 2.0


@pytest.mark.parametrize("hits", [0.0, 12.0, 30.0])
def test_score_counts_is_that_of_the_naive_tail(hits):
    rate, exposure, learned = (np.array([[value]]) for value in (10.5 / 4.0, 2.0, 4.0))
    dispersion, freedom = np.array([[1.5]]), np.array([[12.0]])
    score = score_counts(np.array([[hits]]), exposure, rate, learned, dispersion, freedom, is_ratio=False)
    assert score[0, 0] == pytest.approx(naive.count_score(hits, 2.0, 10.0, 4.0, 1.5, 12.0), rel=1e-6)


def test_shrunk_dispersion_is_the_prior_without_points_and_the_data_with_many():
    zero, many = np.array([[0.0]]), np.array([[10_000.0]])
    dispersion, freedom = shrunk_dispersion(zero, zero, np.array([[1.0]]))
    assert (dispersion[0, 0], freedom[0, 0]) == (2.0, 20.0)
    dispersion, freedom = shrunk_dispersion(4 * many, many, np.array([[100.0]]))
    assert dispersion[0, 0] == pytest.approx(4.0, abs=0.01)
    # Points of a hundredth of an event each say little about how it comes in bunches.
    assert shrunk_dispersion(zero, many, np.array([[0.01]]))[1][0, 0] == pytest.approx(20 + 10_000 * 0.02 / 1.02)


def test_score_with_freedom_is_students_tail():
    scores = score_with_freedom(np.array([2.6997960632602e-3, 1e-4]), np.array([5.0, 1e6]))
    assert_allclose(scores, [-math.log10(0.030099248), 4.0], rtol=1e-6)
