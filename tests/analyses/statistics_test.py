import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.analyses.statistics import Proportion, cliffs_delta, cohens_h, find_abnormal_interval


@given(st.integers(0, 500), st.integers(1, 500))
def test_proportion_agrees_with_statsmodels(hits, n):
    from statsmodels.stats.proportion import proportion_confint

    hits = min(hits, n)
    low, high = proportion_confint(hits, n, method="wilson")
    part = Proportion.of(hits, n)
    assert (part.low, part.high) == pytest.approx((max(0, low), min(1, high)), abs=1e-12)


def test_proportion_of_nothing_knows_nothing():
    part = Proportion.of(0, 0)
    assert (part.low, part.high) == (0.0, 1.0)
    assert math.isnan(part.share)
    assert str(part) == "0 of 0"


def test_cohens_h_agrees_with_statsmodels():
    from statsmodels.stats.proportion import proportion_effectsize

    assert cohens_h(0.45, 0.01) == pytest.approx(proportion_effectsize(0.45, 0.01))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_cliffs_delta_agrees_with_counting_pairs(values, baseline):
    naive = sum((v > b) - (v < b) for v in values for b in baseline) / (len(values) * len(baseline))
    assert cliffs_delta(np.array(values, float), np.array(baseline, float)) == pytest.approx(naive)


def test_cliffs_delta_of_nothing_is_nan():
    assert math.isnan(cliffs_delta(np.array([]), np.array([1.0])))


def naive_interval(hits, totals):
    """Reference: every interval, one at a time."""

    def log_likelihood(h, n):
        return sum(part * math.log(part / n) for part in (h, n - h) if part)

    best = (0.0, -1, -1)
    for first in range(len(hits)):
        for last in range(first, len(hits)):
            h, n = sum(hits[first : last + 1]), sum(totals[first : last + 1])
            outer_h, outer_n = sum(hits) - h, sum(totals) - n
            if n and outer_n and h * outer_n > outer_h * n:
                ratio = log_likelihood(h, n) + log_likelihood(outer_h, outer_n) - log_likelihood(sum(hits), sum(totals))
                best = max(best, (ratio, -first, -last))
    return best


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9))
def test_find_abnormal_interval_agrees_with_trying_every_interval(buckets):
    hits = np.array([min(a, b) for a, b in buckets], dtype=np.int64)
    totals = np.array([max(a, b) for a, b in buckets], dtype=np.int64)
    found = find_abnormal_interval(hits, totals)
    ratio, _, _ = naive_interval(hits.tolist(), totals.tolist())
    if found is None:
        assert ratio < 1e-9 or (totals > 0).sum() < 3
    else:
        assert found.log_likelihood_ratio == pytest.approx(ratio, abs=1e-9)


def test_find_abnormal_interval_finds_a_raised_share():
    totals = np.full(60, 70)
    hits = np.zeros(60, dtype=np.int64)
    hits[30:45] = 21
    hits[5] = 1
    found = find_abnormal_interval(hits, totals)
    assert (found.first, found.last, found.inside.hits, found.inside.n) == (30, 44, 315, 1050)
    assert found.p_value < 1e-9


def test_find_abnormal_interval_is_not_significant_in_noise():
    random = np.random.default_rng(7)
    for _ in range(50):
        totals = random.poisson(40, 100)
        found = find_abnormal_interval(random.binomial(totals, 0.02), totals)
        assert found is None or found.p_value > 0.001


@pytest.mark.parametrize("hits", [[0, 0, 0], [5, 5, 5]])
def test_find_abnormal_interval_without_contrast_is_none(hits):
    assert find_abnormal_interval(np.array(hits), np.array([5, 5, 5])) is None
