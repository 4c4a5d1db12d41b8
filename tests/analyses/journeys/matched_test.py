import math

import numpy as np
import pytest

from prodintel_lib.analyses.journeys.matched import compare_matched
from prodintel_lib.analyses.statistics import adjust_for_many


def compare(*strata):
    return compare_matched(*(np.array(column, dtype=np.int64) for column in zip(*strata, strict=True)))


def test_compare_matched_of_one_stratum_is_the_plain_difference():
    found = compare((30, 100, 20, 200))
    assert found.matched == 100
    assert found.difference == pytest.approx(0.2)
    # For one table Sato's variance is a (n1 - a) / n1^3 + c (n0 - c) / n0^3 but for terms of a higher order.
    error = math.sqrt(0.3 * 0.7 / 100 + 0.1 * 0.9 / 200)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.02)
    assert found.p_value == pytest.approx(math.erfc(0.2 / error / math.sqrt(2)), rel=0.2)


def test_compare_matched_is_not_fooled_by_strata_with_other_risks():
    """Crude: 460 of 1,100 exposed and 190 of 1,100 unexposed; in either stratum the risk is the same."""
    found = compare((450, 1000, 45, 100), (10, 100, 100, 1000))
    assert found.difference == pytest.approx(0.0)
    assert found.p_value == pytest.approx(1.0)


def test_compare_matched_leaves_out_strata_without_comparison():
    found = compare((30, 100, 20, 200), (50, 50, 0, 0), (0, 0, 70, 70))
    assert found == compare((30, 100, 20, 200))


def test_compare_matched_of_nobody_says_nothing():
    found = compare((5, 10, 0, 0))
    assert (found.matched, found.p_value) == (0, 1.0)
    assert math.isnan(found.difference)


def test_compare_matched_covers_the_truth_as_often_as_it_says():
    chance = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        exposed, others = chance.integers(1, 8, 60), chance.integers(5, 40, 60)
        risk = chance.uniform(0.1, 0.5, 60)
        hits, other_hits = chance.binomial(exposed, risk + 0.2), chance.binomial(others, risk)
        found = compare_matched(hits, exposed, other_hits, others)
        inside += found.low <= 0.2 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_adjust_for_many_steps_up():
    assert adjust_for_many([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert adjust_for_many([]) == []
