import numpy as np
import pytest

from prodintel_lib.analyses.correlation.adjustment import (
    DAY_S,
    adjust_count,
    adjust_level,
    build_rhythm,
    orthonormal,
    traffic_columns,
    traffic_parts,
    without_hours,
)

from .made import noise

EVERY = np.ones(600, dtype=bool)


def test_build_rhythm_says_which_rhythms_the_history_holds():
    columns, said = build_rhythm(2 * 1440, 60)
    assert columns.shape == (2880, 3 + 2 * 6)
    assert (
        said
        == "The rhythm of the hour and the day was taken out. The rhythm of the week was not: the history is too short."
    )
    columns, said = build_rhythm(100, 10)
    assert columns.shape == (100, 3)
    assert said == "The rhythm of the hour and the day and the week was not: the history is too short."


def test_traffic_parts_finds_the_one_course_that_all_traffic_has():
    course = np.exp(0.5 * noise(0, 200))
    parts = traffic_parts(np.array([1000 * course, 5000 * course, np.full(200, 7.0)]))
    assert parts.shape == (200, 1)
    assert abs(np.corrcoef(parts[:, 0], np.log(course))[0, 1]) > 0.999


def test_traffic_parts_has_no_column_where_there_is_no_traffic():
    assert traffic_parts(np.empty((0, 50))).shape == (50, 0)
    assert traffic_columns(np.empty((50, 0))).shape == (50, 0)


def test_traffic_columns_are_few_where_windows_are():
    parts = traffic_parts(np.exp(np.array([noise(seed, 60) for seed in range(4)])))
    assert traffic_columns(parts).shape == (60, 5)


def test_adjust_level_leaves_nothing_of_a_level_that_is_a_power_of_its_traffic():
    load = 0.5 * noise(0, 600)
    design = orthonormal(np.column_stack([np.ones(600), load]))
    left = adjust_level(80 * np.exp(0.7 * load), EVERY, design)
    assert np.abs(left).max() < 1e-6


def test_adjust_level_does_not_take_an_incident_for_rhythm():
    place = np.arange(600)
    wave = np.sin(2 * np.pi * place / 600)
    design = orthonormal(np.column_stack([np.ones(600), wave]))
    values = np.exp(0.05 * noise(1, 600))
    values[100:130] *= 50
    left = adjust_level(values, EVERY, design)
    assert np.median(left[100:130]) > 0.85 * np.log(50)


def test_adjust_level_goes_on_where_a_level_reaches_zero():
    left = adjust_level(np.abs(np.sin(np.arange(600.0))).round(0), EVERY, np.ones((600, 1)))
    assert np.isfinite(left).all()
    assert abs(left.mean()) < 0.5


def test_adjust_count_leaves_noise_of_counts_that_grow_faster_than_traffic():
    rng = np.random.default_rng(0)
    load = 0.5 * noise(0, 600)
    exposure = 200 * np.exp(load)
    counts = rng.poisson(0.05 * exposure * np.exp(0.6 * load)).astype(float)
    design = orthonormal(np.column_stack([np.ones(600), load]))
    left = adjust_count(counts, exposure, EVERY, design)
    assert abs(np.corrcoef(left, load)[0, 1]) < 0.05
    assert np.std(left) == pytest.approx(1.0, abs=0.1)
    by_share_alone = adjust_count(counts, exposure, EVERY, np.ones((600, 1)))
    assert np.corrcoef(by_share_alone, load)[0, 1] > 0.3


def test_adjust_count_is_not_thrown_by_five_events_and_thirty_columns():
    counts = np.zeros(600)
    counts[[10, 11, 300, 301, 500]] = 1.0
    design = orthonormal(np.column_stack([np.ones(600), *[noise(seed, 600) for seed in range(30)]]))
    left = adjust_count(counts, np.full(600, 50.0), EVERY, design)
    assert set(np.argsort(left)[-5:]) == {10, 11, 300, 301, 500}


def test_without_hours_takes_out_a_job_that_runs_every_hour():
    windows = 24 * 60
    series = 0.1 * noise(4, windows)
    series[np.arange(windows) % 60 == 5] += 1.0
    left = without_hours(series[None, :], np.ones((1, windows), dtype=bool), 60)[0]
    at_five = left[np.arange(windows) % 60 == 5]
    assert series[np.arange(windows) % 60 == 5].mean() > 0.9
    assert abs(at_five.mean()) < 0.35


def test_without_hours_leaves_a_short_history_alone():
    series = noise(5, 60)[None, :]
    assert without_hours(series, np.ones((1, 60), dtype=bool), 60) is series
    assert DAY_S == 86_400
