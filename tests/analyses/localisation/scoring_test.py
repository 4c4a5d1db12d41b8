import math

import numpy as np
import pytest

from prodintel_lib.analyses.localisation.scoring import (
    evidence_of,
    fold_of,
    lift_interval,
    log_likelihood,
    p_value_of,
    strength_of,
)


def array(*values):
    return np.array(values, dtype=np.float64)


def test_fold_of_turns_round_where_lower_is_worse():
    assert fold_of(array(19.5), array(4.5), 1).tolist() == [4.0]
    assert fold_of(array(4.5), array(19.5), -1).tolist() == [4.0]


def test_strength_of_is_excess_times_root_of_log_fold():
    assert strength_of(array(19.5), array(4.5), 1).tolist() == pytest.approx([15 * math.sqrt(math.log(4))])
    assert strength_of(array(4.5), array(19.5), -1).tolist() == pytest.approx([15 * math.sqrt(math.log(4))])
    assert strength_of(array(4.0, 5.0), array(5.0, 5.0), 1).tolist() == [0.0, 0.0]


def test_log_likelihood_takes_nothing_as_nothing():
    assert log_likelihood(array(0, 5, 0), array(5, 5, 0)).tolist() == [0.0, 0.0, 0.0]
    assert log_likelihood(array(1), array(4)).tolist() == pytest.approx([math.log(0.25) + 3 * math.log(0.75)])


def test_evidence_of_is_the_likelihood_ratio_of_two_samples():
    apart = 30 * math.log(0.3) + 70 * math.log(0.7) + 20 * math.log(0.1) + 180 * math.log(0.9)
    together = 50 * math.log(50 / 300) + 250 * math.log(250 / 300)
    found = evidence_of(array(30), array(100), array(10), array(200), 1)
    assert found.tolist() == pytest.approx([apart - together])


def test_evidence_of_is_none_in_the_good_direction_or_without_reference():
    assert evidence_of(array(5, 30), array(100, 100), array(10, 10), array(200, 0), 1).tolist() == [0.0, 0.0]
    assert evidence_of(array(5), array(100), array(10), array(200), -1)[0] > 0


def test_p_value_of_counts_every_combination_and_the_dispersion():
    assert p_value_of(20.0, tested=1000, dispersion=1.0) == pytest.approx(1000 * math.exp(-20))
    assert p_value_of(20.0, tested=1000, dispersion=2.0) == pytest.approx(1000 * math.exp(-10))
    assert p_value_of(0.0, tested=1000, dispersion=1.0) == 1.0


def test_lift_interval_is_walters():
    lift, low, high = lift_interval(20, 100, 10, 100, dispersion=1.0)
    assert lift == pytest.approx(20.5 / 10.5)
    half = 1.959963984540054 * math.sqrt(1 / 20.5 - 1 / 100.5 + 1 / 10.5 - 1 / 100.5)
    assert (low, high) == pytest.approx((lift * math.exp(-half), lift * math.exp(half)))
    wide = lift_interval(20, 100, 10, 100, dispersion=4.0)
    assert math.log(wide[2] / wide[1]) == pytest.approx(4 * half)


def test_lift_interval_exists_without_bad_events():
    lift, low, high = lift_interval(0, 50, 0, 50, dispersion=1.0)
    assert (lift, low < 1 < high) == (1.0, True)
