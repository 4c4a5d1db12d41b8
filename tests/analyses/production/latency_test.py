import math
import random

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from prodintel_lib.analyses.production import latency_percentiles
from prodintel_lib.analyses.production.latency import count_slow
from prodintel_lib.errors import MissingColumnsError, ParameterError
from prodintel_lib.rollups.request_bins import NO_BIN, coarse_value_of
from prodintel_lib.windows import Window

from .made import B, asked, made_production


def slow(cells, *, points, series=1, learn=None, day=8640):
    frame = pl.DataFrame(cells, schema=["row", "column", "bin", "requests"], orient="row")
    allowed = np.ones(points, dtype=bool) if learn is None else learn
    return count_slow(frame, shape=(series, points), points_a_day=day, learn=allowed)


def naive_slow(cells, *, points, window):
    """Count one series point by point: blocks, their percentiles, and the median of those before each point."""
    known, block, counted = [], [], []
    for column in range(points):
        here = [(bin_, n) for _, at, bin_, n in cells if at == column]
        total = sum(n for _, n in here)
        # Renewed with every block until fifty: the tests have fewer.
        past = sorted(known[-window:])
        usual = past[(len(past) - 1) // 2] if past else None
        is_scored = usual is not None and total
        counted.append(sum(n for bin_, n in here if bin_ > usual + 1) if is_scored else math.nan)
        block += [bin_ for bin_, n in here for _ in range(n)]
        if len(block) >= 30:
            known.append(sorted(block)[math.ceil(0.9 * len(block) - 1e-9) - 1])
            block = []
    return counted


def test_count_slow_compares_with_the_ninetieth_percentile_of_the_first_thirty():
    cells = [(0, 0, 40, 27), (0, 0, 50, 3), (0, 1, 41, 10), (0, 1, 42, 5), (0, 1, 60, 2), (0, 2, 41, 1)]
    values, exposure = slow(cells, points=4)
    assert_array_equal(values, [[math.nan, 7.0, 0.0, math.nan]])
    assert_array_equal(exposure, [[0.0, 17.0, 1.0, 0.0]])


def test_count_slow_waits_for_thirty_requests():
    values, exposure = slow([(0, column, 40, 10) for column in range(5)], points=5)
    assert_array_equal(values, [[math.nan, math.nan, math.nan, 0.0, 0.0]])
    assert exposure.tolist() == [[0.0, 0.0, 0.0, 10.0, 10.0]]


def test_count_slow_gives_what_the_naive_version_gives():
    chance = random.Random(3)
    cells = [
        (0, column, bin_, chance.randrange(1, 9))
        for column in range(60)
        for bin_ in sorted(chance.sample(range(35, 50), 3 if column < 30 else 6))
    ]
    for days in (1, 10):
        values, _ = slow(cells, points=65, day=days)
        assert_array_equal(values[0], naive_slow(cells, points=65, window=7 * days))


def test_count_slow_of_a_point_does_not_depend_on_later_ones():
    chance = random.Random(4)
    cells = [(0, column, chance.randrange(30, 50), chance.randrange(5, 40)) for column in range(200)]
    later = [(row, column, bin_ + (20 if column >= 100 else 0), n) for row, column, bin_, n in cells]
    values, exposure = slow(cells, points=200)
    changed, _ = slow(later, points=200)
    assert_array_equal(values[:, :100], changed[:, :100])
    assert (values[:, 100:] != changed[:, 100:]).any()
    cut, cut_exposure = slow([cell for cell in cells if cell[1] < 100], points=100)
    assert_array_equal(values[:, :100], cut)
    assert_array_equal(exposure[:, :100], cut_exposure)


def test_count_slow_forgets_an_incident_and_follows_a_release():
    def bin_of(column):
        return 55 if 100 <= column < 110 else 48 if column >= 300 else 40

    values, exposure = slow([(0, column, bin_of(column), 50) for column in range(700)], points=700)
    share = values[0] / np.maximum(exposure[0], 1)
    assert (share[1:100] == 0).all()
    assert (share[100:110] == 1).all()
    assert (share[110:300] == 0).all()
    assert (share[300:600] == 1).all()
    assert (share[640:] == 0).all()


def test_count_slow_does_not_learn_where_it_must_not():
    cells = [(0, 0, 60, 500), (0, 1, 40, 30), (0, 2, 45, 10)]
    values, _ = slow(cells, points=3, learn=np.array([False, True, True]))
    assert_array_equal(values, [[math.nan, math.nan, 10.0]])


def test_count_slow_leaves_out_requests_whose_duration_is_not_known():
    cells = [(0, 0, 40, 30), (0, 1, NO_BIN, 9), (0, 1, 50, 2), (1, 1, NO_BIN, 9)]
    values, exposure = slow(cells, points=2, series=2)
    assert_array_equal(values, [[math.nan, 2.0], [math.nan, math.nan]])
    assert exposure.tolist() == [[0.0, 2.0], [0.0, 0.0]]


def production_with_durations():
    rows = [
        *asked([3], route="GET /", bin=40, requests=95),
        *asked([4], route="GET /", bin=50, requests=5),
        *asked([3], route="GET /slow", bin=70, requests=1),
        *asked([3], route="GET /slow", bin=NO_BIN, requests=7),
        *asked([9], route="GET /slow", bin=90, requests=50),
        *asked([3], route="GET /unknown", bin=NO_BIN),
    ]
    return made_production(requests=rows)


def test_latency_percentiles_reads_each_group_and_says_of_how_many():
    window = Window(0, 5 * B)
    values = coarse_value_of(np.array([40, 50, 70])).tolist()
    production = production_with_durations()
    found = latency_percentiles(production, by=["route"], window=window, q=0.95)
    assert found.rows() == [("GET /", values[0], 100), ("GET /slow", values[2], 1)]
    assert latency_percentiles(production, by=["route"], window=window, q=0.951).rows()[0] == ("GET /", values[1], 100)
    assert latency_percentiles(production, window=window, q=1).rows() == [(values[2], 101)]
    assert latency_percentiles(production, window=Window(6 * B, 7 * B), q=0.5).rows() == []


def test_latency_percentiles_refuses_what_it_cannot_read():
    production = production_with_durations()
    with pytest.raises(ParameterError, match="not at 95"):
        latency_percentiles(production, window=Window(0, B), q=95)
    with pytest.raises(MissingColumnsError, match="needs column `operation`"):
        latency_percentiles(production, by=["operation"], window=Window(0, B), q=0.5)
