import math

import numpy as np
import pytest

from prodintel_lib.analyses.anomalies import Counts

from . import made


def last_score(values, **options):
    return Counts().score(made.hourly(values, **options)).score[0, -1]


def test_counts_are_the_poisson_tail():
    row = np.full(201, 4.0)
    row[-1] = 12.0
    rate = 4.0 + 0.5 / 168
    tail = 1 - sum(math.exp(-rate) * rate**k / math.factorial(k) for k in range(12))
    assert last_score(row, kind="count") == pytest.approx(-math.log10(2 * tail), rel=1e-6)


def test_counts_of_a_ratio_are_the_binomial_tail():
    trials = np.full((1, 201), 20.0)
    hits = np.full((1, 201), 1.0)
    hits[0, -1] = 6.0
    share = (1.0 + 0.5 / 168) / 20
    tail = sum(math.comb(20, k) * share**k * (1 - share) ** (20 - k) for k in range(6, 21))
    assert last_score(hits, exposure=trials, kind="ratio") == pytest.approx(-math.log10(2 * tail), rel=1e-6)


def test_counts_of_silence_are_the_lower_tail():
    row = np.full(201, 4.0)
    row[-1] = 0.0
    assert last_score(row, kind="count") == pytest.approx(-math.log10(2 * math.exp(-(4.0 + 0.5 / 168))), rel=1e-6)


def test_counts_of_low_traffic_do_not_shout():
    hits, trials = np.zeros((1, 301)), np.full((1, 301), 2.0)
    hits[0, ::40] = 1.0
    hits[0, -1] = 1.0
    # One failure in two requests is half of them, and nothing out of the ordinary.
    assert last_score(hits, exposure=trials, kind="ratio") < 1.5
    assert last_score(50 * hits, exposure=50 * trials, kind="ratio") > last_score(hits, exposure=trials, kind="ratio")


def test_counts_that_come_in_bunches_weigh_less():
    chance = np.random.default_rng(1)
    plain = chance.poisson(10, 400).astype(float)
    bunched = 10.0 * chance.poisson(1, 400)
    plain[-1] = bunched[-1] = 40.0
    assert last_score(plain, kind="count") > 8.0
    assert last_score(bunched, kind="count") < 2.5


def test_counts_of_one_outage_do_not_hide_the_next():
    row = np.full(300, 4.0)
    row[[270, 299]] = [100_000.0, 2_000.0]
    # A rate that the outage raised for the week; its dispersion alone would make 2,000 nothing.
    assert last_score(row, kind="count") > 4.0


def test_counts_follow_the_hour_of_the_day():
    day = np.repeat([2.0, 60.0], 12)
    row = np.tile(day, 15)[: 14 * 24 + 1]
    row[-1] = 60.0
    assert last_score(row, kind="count") > 10.0
    row = np.tile(day, 15)[: 14 * 24 + 13]
    assert last_score(row, kind="count") < 0.5


def test_counts_abstain_on_a_short_past_and_without_exposure():
    scores = Counts().score(made.hourly(np.full(40, 3.0), kind="count"))
    assert np.isnan(scores.score[0, :31]).all()
    assert scores.unlearned == np.isnan(scores.score).sum()
    trials = np.full((1, 200), 10.0)
    trials[0, -1] = 0.0
    assert math.isnan(last_score(np.ones((1, 200)), exposure=trials, kind="ratio"))
