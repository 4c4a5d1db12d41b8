import itertools
import math

import pytest

from prodintel_lib.analyses.anomalies import confidence_of


def test_confidence_of_is_the_logistic_of_its_evidence():
    odds = -1.192 + 0.061 * 3 + 0.562 * 2 + 0.132 * 1 + 0.086 * 1.5
    assert confidence_of(8.0, 4, 1, 1.5) == pytest.approx(1 / (1 + math.exp(-odds)))


def test_confidence_of_a_lone_point_near_the_threshold_is_low():
    assert confidence_of(4.0, 1, 0, 1.0) < 0.35


def test_confidence_of_never_falls_with_more_evidence():
    grid = ((0.0, 3.0, 30.0), (0, 1, 50), (0, 1, 20), (0.0, 2.0, 9.0))
    for at in itertools.product(*(range(3) for _ in grid)):
        for changed in range(4):
            if at[changed] == 2:
                continue
            more = tuple(step + (place == changed) for place, step in enumerate(at))
            less, greater = (confidence_of(*(grid[i][step] for i, step in enumerate(steps))) for steps in (at, more))
            assert less <= greater


def test_confidence_of_is_never_certain():
    assert confidence_of(30.0, 10_000, 500, math.inf) == 0.95
