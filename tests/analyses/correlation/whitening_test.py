import numpy as np
import pytest

from prodintel_lib.analyses.correlation.whitening import MAX_ORDER, _levinson, whiten

from .made import noise, with_memory


def test_levinson_solves_yule_and_walkers_equations_of_every_row():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(3, 300)).cumsum(axis=1)
    series -= series.mean(axis=1, keepdims=True)
    covariance = np.array([[row[: 300 - lag] @ row[lag:] / 300 for lag in range(4)] for row in series])
    # So many windows that the highest order always has the least criterion.
    weights = _levinson(covariance, np.full(3, 1e9))
    for row in range(3):
        square = np.array([[covariance[row, abs(i - j)] for j in range(3)] for i in range(3)])
        assert weights[row] == pytest.approx(np.linalg.solve(square, covariance[row, 1:]))


def test_whiten_takes_out_what_the_past_foretells():
    course = with_memory(noise(0, 4000), 0.9)[None, :]
    left = whiten(course, np.ones_like(course, dtype=bool))[0]
    assert abs(np.corrcoef(course[0, 1:], course[0, :-1])[0, 1]) > 0.85
    assert [abs(float(np.mean(left[lag:] * left[:-lag]))) < 0.04 for lag in (1, 2, 3, 5)] == [True] * 4
    assert np.std(left) == pytest.approx(1.0, abs=1e-3)


def test_whiten_leaves_what_was_not_observed_at_zero():
    course = with_memory(noise(1, 300))[None, :]
    observed = np.ones_like(course, dtype=bool)
    observed[0, 100:150] = False
    left = whiten(np.where(observed, course, 0.0), observed)
    assert not left[0, 100:150].any()
    assert np.mean(left[observed] ** 2) == pytest.approx(1.0)


def test_whiten_a_constant_series_is_all_zero():
    assert not whiten(np.full((1, 50), 3.0), np.ones((1, 50), dtype=bool)).any()
    assert MAX_ORDER == 12
