import numpy as np
import pytest

from prodintel_lib.analyses.localisation.expectation import expect_bad


def test_expect_bad_keeps_rates_of_large_cells():
    codes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=np.int32)
    before = np.full(4, 100_000.0)
    bad = np.array([1000.0, 2000.0, 4000.0, 8000.0])
    expected, reference = expect_bad(codes, np.full(4, 1000.0), bad, before)
    assert expected.tolist() == pytest.approx([10, 20, 40, 80], rel=0.001)
    assert reference.tolist() == before.tolist()


def test_expect_bad_draws_a_small_cell_to_its_attributes():
    codes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=np.int32)
    before = np.array([100_000.0, 100_000.0, 100_000.0, 1.0])
    bad = np.array([1000.0, 2000.0, 4000.0, 0.0])
    expected, _ = expect_bad(codes, np.full(4, 1000.0), bad, before)
    assert expected[3] == pytest.approx(80, rel=0.1)


def test_expect_bad_gives_a_new_release_the_rate_of_its_other_attributes():
    codes = np.array([[0, 0, 1], [0, 1, 1]], dtype=np.int32)
    expected, reference = expect_bad(
        codes, np.array([500.0, 500.0, 1000.0]), np.array([1000.0, 100.0, 0.0]), np.array([10_000.0, 10_000.0, 0.0])
    )
    assert expected[2] == pytest.approx(10, rel=0.1)
    assert reference.tolist() == [10_000.0, 10_000.0, 10_000.0]


def test_expect_bad_without_bad_events_before_expects_next_to_none():
    codes = np.zeros((1, 1), dtype=np.int32)
    expected, _ = expect_bad(codes, np.array([1000.0]), np.array([0.0]), np.array([9999.0]))
    assert 0 < expected[0] < 0.2


def test_expect_bad_never_expects_more_than_all():
    codes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=np.int32)
    expected, _ = expect_bad(
        codes, np.full(4, 100.0), np.array([98.0, 99.0, 99.0, 100.0]), np.array([100.0, 100.0, 100.0, 100.0])
    )
    assert expected.max() <= 99.9
