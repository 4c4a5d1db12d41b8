import math

import numpy as np
import pytest

from prodintel_lib.analyses.behaviour import mixture
from prodintel_lib.analyses.behaviour.mixture import Mixture, SessionCountsMatrix, count_features, fit_mixture

from .made import log_of


def test_count_features_counts_transitions_with_start_and_end_and_gaps_by_bin():
    data = count_features(log_of(("aab", [1.0, 5.0]), "b"))
    # By what came before: a -> a, a -> b; b -> END; START -> a, START -> b; then gaps of 1 s and of 5 s.
    assert data.counts[:, :5].toarray().tolist() == [[1, 1, 1, 1, 0], [0, 0, 1, 0, 1]]
    assert data.groups[:5].tolist() == [0, 0, 1, 2, 2]
    gaps = data.counts[:, 5:].toarray()
    assert gaps.sum(axis=1).tolist() == [2, 0]
    assert gaps.max() == 1
    assert set(data.groups[5:].tolist()) == {3}


def test_count_features_pools_endpoints_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(mixture, "MAX_ENDPOINTS", 2)
    data = count_features(log_of("aaab", "aac"))
    # b and c are one: a -> a, a -> other, other -> END, START -> a; no gap differs, so all are in one bin.
    assert data.counts[:, :4].toarray().tolist() == [[2, 1, 1, 1], [1, 1, 1, 1]]
    assert data.groups[:4].tolist() == [0, 0, 1, 2]


def test_fit_mixture_of_one_class_has_the_shares_of_all_sessions():
    data = count_features(log_of(*["ab"] * 300, *["aa"] * 100))
    fitted = fit_mixture(data, 1, rng=np.random.default_rng(0))
    shares = np.exp(fitted.log_shares[0])
    # a -> a 100, a -> b 300, a -> END 100.
    assert shares[:3] == pytest.approx([0.2, 0.6, 0.2], abs=0.005)
    assert fitted.weights.tolist() == [1.0]


def test_log_likelihood_is_that_of_the_sum_over_classes():
    from scipy.sparse import csr_matrix

    data = SessionCountsMatrix(csr_matrix(np.array([[2.0, 1.0]])), np.array([0, 0]))
    model = Mixture(np.array([0.25, 0.75]), np.log([[0.5, 0.5], [0.2, 0.8]]))
    expected = 0.25 * 0.5**3 + 0.75 * 0.2**2 * 0.8
    assert model.log_likelihood(data).tolist() == pytest.approx([math.log(expected)])
    assert model.posterior(data)[0].tolist() == pytest.approx([0.03125 / expected, 0.024 / expected])


def test_fit_mixture_tells_sessions_apart_that_share_their_endpoints():
    paths = ["abcabcabc"] * 60 + ["acbacbacb"] * 40
    data = count_features(log_of(*paths))
    fitted = fit_mixture(data, 2, rng=np.random.default_rng(3))
    labels = fitted.labels(data)
    assert len(set(labels[:60])) == len(set(labels[60:])) == 1
    assert labels[0] != labels[60]
    assert sorted(fitted.weights) == pytest.approx([0.4, 0.6], abs=0.02)


def test_fit_mixture_tells_classes_apart_by_their_gaps_alone():
    paths = [("aaaaaa", [1.0] * 5)] * 50 + [("aaaaaa", [90.0] * 5)] * 50
    data = count_features(log_of(*paths))
    labels = fit_mixture(data, 2, rng=np.random.default_rng(1)).labels(data)
    assert len(set(labels[:50])) == len(set(labels[50:])) == 1
    assert labels[0] != labels[50]


def test_fit_mixture_is_the_same_for_the_same_seed():
    data = count_features(log_of(*["ab", "cd", "abab", "cdc"] * 20))
    one, other = (fit_mixture(data, 2, rng=np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.log_shares, other.log_shares)


def test_fit_mixture_improves_on_a_split_of_the_smaller_one():
    data = count_features(log_of(*["abcabcabc"] * 50, *["acbacbacb"] * 50))
    rng = np.random.default_rng(2)
    one = fit_mixture(data, 1, rng=rng)
    two = fit_mixture(data, 2, rng=rng, smaller=one)
    assert two.log_likelihood(data).sum() > one.log_likelihood(data).sum() + 300
