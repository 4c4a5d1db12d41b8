import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH, Cells, read_cells
from prodintel_lib.analyses.golden_signals.modes import find_modes, held_between, smooth_density


def cells_of(durations_ms):
    bins, counts = np.unique(np.floor(np.log(durations_ms) / LOG_WIDTH).astype(np.int64), return_counts=True)
    return read_cells(bins, counts.astype(np.float64))


def test_find_modes_says_where_two_groups_lie_and_what_they_hold():
    chance = np.random.default_rng(1)
    cells = cells_of(
        np.concatenate([chance.lognormal(math.log(5), 0.3, 8000), chance.lognormal(math.log(80), 0.3, 2000)])
    )
    fast, slow = find_modes(cells)
    assert (math.exp(fast.peak), math.exp(slow.peak)) == (pytest.approx(5, rel=0.1), pytest.approx(80, rel=0.1))
    assert fast.n / cells.n == pytest.approx(0.8, abs=0.01)
    assert fast.high == slow.low
    assert fast.n + slow.n == pytest.approx(cells.n)


def test_find_modes_finds_three():
    chance = np.random.default_rng(2)
    cells = cells_of(np.concatenate([chance.lognormal(math.log(m), 0.25, 3000) for m in (2, 20, 200)]))
    assert [round(mode.n / cells.n, 1) for mode in find_modes(cells)] == [0.3, 0.3, 0.3]


def test_find_modes_does_not_name_a_group_of_less_than_a_twentieth():
    chance = np.random.default_rng(3)
    cells = cells_of(np.concatenate([chance.lognormal(1, 0.3, 9700), chance.lognormal(5, 0.3, 300)]))
    assert find_modes(cells) == ()


def test_find_modes_of_one_mode_is_empty():
    chance = np.random.default_rng(4)
    assert find_modes(cells_of(chance.lognormal(3, 0.5, 20_000))) == ()


def test_smooth_density_integrates_to_one():
    grid, density = smooth_density(Cells(np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.0])), 0.1)
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=0.01)


def test_held_between_cuts_cells():
    cells = Cells(np.array([0.0, 1.0, 2.0]), np.array([4.0, 2.0]))
    assert_allclose(held_between(cells, 0.5, 1.5), [2.0, 1.0])
