import math

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH, read_cells
from prodintel_lib.rollups.request_bins import COARSE_ZERO


def counted(durations_ms):
    return np.unique(np.floor(np.log(durations_ms) / LOG_WIDTH).astype(np.int64), return_counts=True)


def test_read_cells_fills_holes_with_empty_cells():
    cells = read_cells(np.array([10, 12]), np.array([3.0, 1.0]))
    assert_array_equal(cells.counts, [3.0, 0.0, 1.0])
    assert_allclose(cells.edges, np.array([10, 11, 12, 13]) * LOG_WIDTH)
    assert cells.resolution_ms == 0.0


def test_read_cells_counts_zero_durations_with_the_shortest():
    cells = read_cells(np.array([COARSE_ZERO, 10]), np.array([4.0, 1.0]))
    assert_array_equal(cells.counts, [5.0])


def test_read_cells_of_nothing_but_zero_is_one_cell():
    cells = read_cells(np.array([COARSE_ZERO]), np.array([4.0]))
    assert_array_equal(cells.counts, [4.0])


def test_read_cells_sees_whole_milliseconds_and_gives_each_a_cell():
    cells = read_cells(*counted(np.repeat([1.0, 2.0, 3.0, 5.0], [10, 20, 30, 5])))
    assert cells.resolution_ms == 1.0
    assert_allclose(np.exp(cells.edges), [0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    assert_array_equal(cells.counts, [10.0, 20.0, 30.0, 0.0, 5.0])


def test_read_cells_sees_whole_milliseconds_by_uneven_cells_alone():
    chance = np.random.default_rng(1)
    whole = np.round(chance.lognormal(math.log(30), 0.3, 20_000))
    assert read_cells(*counted(whole[whole > 13])).resolution_ms == 1.0


def test_read_cells_sees_no_steps_in_continuous_durations():
    chance = np.random.default_rng(2)
    for median in (2.0, 30.0, 300.0):
        durations = chance.lognormal(math.log(median), 0.4, 20_000)
        assert read_cells(*counted(durations)).resolution_ms == 0.0
