import math
from itertools import pairwise

import numpy as np
from numpy.testing import assert_allclose

from prodintel_lib.analyses.anomalies.tails import refits, score_tails

from . import naive


def test_score_tails_is_that_of_the_naive_loop():
    chance = np.random.default_rng(3)
    deviations = np.abs(np.stack([chance.normal(0, 1, 400), chance.standard_t(2, 400), np.zeros(400)]))
    deviations[chance.random(deviations.shape) < 0.1] = math.nan
    deviations[:, 390] = [8.0, 80.0, 0.2]
    scores = score_tails(deviations, floors=np.array([0.01, 0.01, 0.1]))
    assert_allclose(
        scores, [naive.tails(list(row), f, refits(400)) for row, f in zip(deviations, [0.01, 0.01, 0.1], strict=True)]
    )


def test_score_tails_abstains_until_fifty_points_are_known():
    deviations = np.ones((1, 200))
    deviations[0, :60] = math.nan
    known = np.flatnonzero(~np.isnan(score_tails(deviations, floors=np.array([0.1]))[0]))
    # Stretches begin at 50, 100, 150: at 100 the past holds 40 known points, at 150 it holds 90.
    assert known.tolist() == list(range(150, 200))


def test_score_tails_of_normal_deviations_are_as_rare_as_they_say():
    deviations = np.abs(np.random.default_rng(0).normal(0, 1, (200, 3_000)))
    scores = score_tails(deviations, floors=np.full(200, 1e-9))[:, 1_000:]
    assert 0.7e-2 < (scores >= 2.0).mean() < 1.3e-2
    # The fit is wary of its few excesses: rarer than they say, not more frequent.
    assert 0.2e-3 < (scores >= 3.0).mean() < 1.3e-3


def test_score_tails_of_heavy_tails_do_not_shout():
    deviations = np.abs(np.random.default_rng(0).standard_t(3, (200, 3_000)))
    scores = score_tails(deviations, floors=np.full(200, 1e-9))[:, 1_000:]
    assert (scores >= 3.0).mean() < 3e-3


def test_score_tails_of_one_outage_do_not_hide_the_next():
    deviations = np.abs(np.random.default_rng(1).normal(0, 1, (1, 800)))
    deviations[0, [400, 700]] = [1e6, 20.0]
    assert score_tails(deviations, floors=np.array([0.01]))[0, 700] > 4.0


def test_refits_cover_each_point_once():
    stretches = refits(3_000)
    assert stretches[0] == (50, 100)
    assert all(before[1] == after[0] for before, after in pairwise(stretches))
    assert stretches[-1][1] == 3_000
    assert refits(50) == []
