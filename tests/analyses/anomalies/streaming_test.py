"""What every detector that goes on learning must do."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from prodintel_lib.analyses.anomalies import ChangePoints, Combined, Counts, FixedThreshold, Percentile, RobustZ, ZScore
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.windows import Window

from . import made

DETECTORS = [
    ZScore(),
    RobustZ(),
    Percentile(),
    FixedThreshold(upper=120.0),
    Counts(),
    ChangePoints(),
    Combined(),
    Combined(events=(Window(100 * made.HOUR_US, 110 * made.HOUR_US),)),
]
CUTS = (61, 200, 201, 350)


def matrices():
    rows = np.abs(made.rhythmic(5, days=16)).round()
    yield made.hourly(rows)
    yield made.hourly(rows, kind="count")
    yield made.hourly(rows, exposure=np.full(rows.shape, 1_000.0), kind="ratio")


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_score_uses_only_the_past(detector):
    for series in matrices():
        whole = detector.score(series)
        for cut in CUTS:
            changed = series.values.copy()
            changed[:, cut:] = 900.0 + np.arange(changed.shape[1] - cut)
            other = made.hourly(changed, exposure=series.exposure, kind=series.kind)
            for scores in (detector.score(other), detector.score(made.head(series, cut))):
                assert_array_equal(scores.score[:, :cut], whole.score[:, :cut])
                assert_array_equal(scores.expected[:, :cut], whole.expected[:, :cut])


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_fit_makes_history_of_the_points_before(detector):
    for series in matrices():
        whole = detector.score(series)
        rest = made.hourly(series.values)
        rest = type(series)(
            series.keys,
            series.time_us[150:],
            series.values[:, 150:],
            None if series.exposure is None else series.exposure[:, 150:],
            series.kind,
        )
        scores = detector.fit(made.head(series, 150)).score(rest)
        assert_array_equal(scores.score, whole.score[:, 150:])


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_explain_agrees_with_the_score(detector):
    for series in matrices():
        scores = detector.score(series)
        rows, columns = np.nonzero(~np.isnan(scores.score))
        for at in (0, len(rows) // 2, len(rows) - 1):
            parts = detector.explain(series, row=int(rows[at]), column=int(columns[at]))
            found = [part.score for part in parts if not math.isnan(part.score)]
            if series.kind != "level" and isinstance(detector, Combined):
                assert scores.score[rows[at], columns[at]] in found
            else:
                assert max(found) == scores.score[rows[at], columns[at]]


def test_fit_refuses_other_series():
    with pytest.raises(ParameterError, match="that are not the same"):
        ZScore().fit(made.hourly(np.ones((2, 40)))).score(made.hourly(np.ones((3, 40))))


def test_fit_refuses_a_history_that_overlaps():
    with pytest.raises(ParameterError, match="not before the first point"):
        ZScore().fit(made.hourly(np.ones((1, 1)))).score(made.hourly(np.ones((1, 40))))


def test_series_matrix_refuses_times_that_go_back():
    with pytest.raises(ParameterError, match=r"point 2 \(1\) does not come after 5"):
        type(made.hourly([1.0]))(("a",), np.array([0, 5, 1]), np.ones((1, 3)))


def test_series_matrix_refuses_values_of_another_shape():
    with pytest.raises(ParameterError, match=r"shape \(1, 2\).*\(1, 3\)"):
        type(made.hourly([1.0]))(("a",), np.array([0, 5]), np.ones((1, 3)))


def test_series_matrix_refuses_exposure_of_another_shape():
    with pytest.raises(ParameterError, match=r"exposure of shape \(1, 2\)"):
        made.hourly([1.0, 2.0], exposure=np.ones((1, 1)))


def test_series_matrix_refuses_a_ratio_without_trials():
    with pytest.raises(ParameterError, match="needs its exposure"):
        made.hourly([1.0, 2.0], kind="ratio")


def test_series_matrix_of_nothing_is_no_data():
    with pytest.raises(NoDataError, match="0 series of 3 points"):
        type(made.hourly([1.0]))((), np.array([0, 1, 2]), np.ones((0, 3)))


def test_step_is_that_of_the_first_points():
    times = np.cumsum(np.append(np.full(60, made.HOUR_US), np.full(100, 24 * made.HOUR_US)))
    series = type(made.hourly([1.0]))(("a",), times, np.ones((1, 160)))
    assert (series.step_us, series.points_a_day) == (made.HOUR_US, 24)


def test_levels_are_hits_per_trial():
    series = made.hourly([[1.0, 2.0, 1.0]], exposure=np.array([[4.0, 4.0, 0.0]]), kind="ratio")
    assert_array_equal(series.levels, [[0.25, 0.5, math.nan]])
