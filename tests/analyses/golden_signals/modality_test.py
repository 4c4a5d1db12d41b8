import numpy as np
from numpy.testing import assert_allclose

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH, read_cells
from prodintel_lib.analyses.golden_signals.modality import excess_of_two, fit_one_mode, p_value_of_one_mode


def cells_of(durations_ms):
    bins, counts = np.unique(np.floor(np.log(durations_ms) / LOG_WIDTH).astype(np.int64), return_counts=True)
    return read_cells(bins, counts.astype(np.float64))


def naive_excess(shares, widths, levels):
    """All pairs of intervals, one level after the other."""
    best = 0.0
    n = len(shares)
    for level in levels:
        gains = shares - level * widths
        sums = {(a, b): gains[a:b].sum() for a in range(n) for b in range(a + 1, n + 1)}
        one = max(0.0, *sums.values())
        pairs = [first + second for (_, b), first in sums.items() for (c, _), second in sums.items() if c >= b]
        best = max(best, max(one, *pairs) - one)
    return best


def test_excess_of_two_is_that_of_all_pairs_of_intervals():
    chance = np.random.default_rng(3)
    shares = chance.dirichlet(np.full(8, 0.5), size=5)
    widths = chance.uniform(0.5, 2.0, 8)
    levels = np.linspace(0.01, 0.4, 7)
    assert_allclose(excess_of_two(shares, widths, levels), [naive_excess(row, widths, levels) for row in shares])


def test_excess_of_two_is_nothing_for_one_mode():
    shares = np.array([[0.1, 0.2, 0.4, 0.2, 0.1]])
    assert_allclose(excess_of_two(shares, np.ones(5), np.linspace(0, 0.5, 20)), [0.0], atol=1e-12)


def test_fit_one_mode_flattens_the_valley():
    fitted = fit_one_mode(np.array([0.4, 0.1, 0.1, 0.3, 0.1]), np.ones(5))
    assert_allclose(fitted, [0.4, 0.5 / 3, 0.5 / 3, 0.5 / 3, 0.1])


def test_fit_one_mode_keeps_what_has_one():
    shares = np.array([0.1, 0.3, 0.4, 0.2])
    assert_allclose(fit_one_mode(shares, np.ones(4)), shares)


def test_p_value_of_one_mode_is_small_for_hits_and_misses_of_a_cache():
    chance = np.random.default_rng(4)
    mixed = np.concatenate([chance.lognormal(1, 0.4, 800), chance.lognormal(4, 0.4, 200)])
    assert p_value_of_one_mode(cells_of(mixed), n_effective=1000) == 0.005


def test_p_value_of_one_mode_counts_dependent_requests_less():
    chance = np.random.default_rng(5)
    mixed = np.concatenate([chance.lognormal(3, 0.4, 700), chance.lognormal(4.8, 0.4, 300)])
    assert p_value_of_one_mode(cells_of(mixed), n_effective=1000) <= 0.01
    assert p_value_of_one_mode(cells_of(mixed), n_effective=30) > 0.05


def test_p_value_of_one_mode_finds_no_more_than_its_level_in_one_mode():
    chance = np.random.default_rng(6)
    samples = [chance.lognormal(4, 0.6, 500) for _ in range(40)] + [
        10 * (1 + chance.pareto(1.5, 500)) for _ in range(40)
    ]
    small = sum(p_value_of_one_mode(cells_of(sample), n_effective=500, replicas=99) <= 0.05 for sample in samples)
    # Of 80 tests at 5 %, 10 or more are found one time in a hundred.
    assert small < 10


def test_p_value_of_one_mode_of_two_cells_is_one():
    assert p_value_of_one_mode(read_cells(np.array([5, 6]), np.array([50.0, 50.0])), n_effective=100) == 1.0
