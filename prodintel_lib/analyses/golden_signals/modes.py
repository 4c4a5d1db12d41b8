"""The groups that durations come in: where each lies, how much of the traffic it holds."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.golden_signals.cells import Cells

    Vector = NDArray[np.float64]

MIN_SHARE: Final = 0.05
MIN_SEPARATION: Final = 2.0
DEEPEST_VALLEY: Final = 0.9
"""Between two modes the density must fall below this part of the lower one."""

NARROWER: Final = 0.8
WIDEST: Final = 1.2
MAX_MODES: Final = 4
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Mode:
    """One group of durations.

    Attributes
    ----------
    low, high : float
        Natural logarithms of milliseconds between which it lies; neighbouring modes touch.
    peak : float
        Where it is densest.
    n : float
    """

    low: float
    high: float
    peak: float
    n: float


def find_modes(cells: Cells) -> tuple[Mode, ...]:
    """Return the modes of a distribution that is known to have more than one, fastest first.

    Returns
    -------
    tuple of Mode
        At most MAX_MODES; empty where no two groups are apart enough to be told of.

    Notes
    -----
    Peaks of a kernel estimate whose bandwidth begins at Silverman's rule (1986, Density Estimation, eq. 3.31) and gets
    narrower until two groups pass: each with MIN_SHARE of all, Ashman's D above MIN_SEPARATION (Ashman, Bird and Zepf
    1994, doi:10.1086/117248; centres and spreads here are medians and median deviations of what lies between the
    valleys, not those of a fitted mixture), and a valley of less than DEEPEST_VALLEY of the lower peak.
    """
    bandwidth = usual_bandwidth(cells) * WIDEST
    while bandwidth >= LOG_WIDTH * NARROWER:
        grid, density = smooth_density(cells, bandwidth)
        found = _separated(cells, grid, density)
        if 2 <= len(found) <= MAX_MODES:
            return found
        bandwidth *= NARROWER
    return ()


def smooth_density(cells: Cells, bandwidth: float) -> tuple[Vector, Vector]:
    """Return a grid on the logarithm and the kernel estimate there; cells hold what they count evenly."""
    from scipy.special import ndtr  # noqa: PLC0415 - scipy costs half a second to import

    grid = np.arange(cells.edges[0] - 3 * bandwidth, cells.edges[-1] + 3 * bandwidth, LOG_WIDTH / 2)
    share = cells.counts / cells.n / cells.widths
    # A cell's even density under a Gaussian kernel is a difference of two normal distribution functions.
    steps = ndtr((grid[:, None] - cells.edges[None, :]) / bandwidth)
    return grid, (steps[:, :-1] - steps[:, 1:]) @ share


def usual_bandwidth(cells: Cells) -> float:
    """Return Silverman's bandwidth, at least the width of a bin."""
    mean = float((cells.counts @ cells.middles) / cells.n)
    deviation = math.sqrt(float(cells.counts @ (cells.middles - mean) ** 2) / cells.n)
    quartiles = np.interp([0.25, 0.75], np.cumsum(cells.counts) / cells.n, cells.edges[1:])
    spread = min(deviation, float(quartiles[1] - quartiles[0]) / 1.34) or deviation
    return max(LOG_WIDTH, float(0.9 * spread * cells.n**-0.2))


def _separated(cells: Cells, grid: Vector, density: Vector) -> tuple[Mode, ...]:
    """Cut at the valleys between peaks, and undo the least convincing cut until all that are left convince."""
    rises = np.diff(density)
    peaks = list(np.flatnonzero((rises[:-1] > 0) & (rises[1:] <= 0)) + 1)
    valleys = [int(a + np.argmin(density[a : b + 1])) for a, b in itertools.pairwise(peaks)]
    while valleys:
        cuts = [cells.edges[0], *(float(grid[at]) for at in valleys), cells.edges[-1]]
        modes = [
            _mode(cells, low, high, float(grid[peak])) for low, high, peak in zip(cuts, cuts[1:], peaks, strict=False)
        ]
        worst, margin = 0, math.inf
        for at, valley in enumerate(valleys):
            lower = min(density[peaks[at]], density[peaks[at + 1]])
            share = min(modes[at].n, modes[at + 1].n) / cells.n
            passes = min(
                share / MIN_SHARE,
                _ashman(cells, modes[at], modes[at + 1]) / MIN_SEPARATION,
                DEEPEST_VALLEY * lower / max(float(density[valley]), 1e-12),
            )
            if passes < margin:
                worst, margin = at, passes
        if margin >= 1:
            return tuple(modes)
        del valleys[worst]
        del peaks[worst if density[peaks[worst]] < density[peaks[worst + 1]] else worst + 1]
    return ()


def _mode(cells: Cells, low: float, high: float, peak: float) -> Mode:
    return Mode(low, high, peak, float(held_between(cells, low, high).sum()))


def held_between(cells: Cells, low: float, high: float) -> Vector:
    """Return how much of each cell's count lies between two logarithms, a cut cell by its part."""
    inside = np.minimum(cells.edges[1:], high) - np.maximum(cells.edges[:-1], low)
    return cells.counts * np.clip(inside / cells.widths, 0.0, 1.0)


def _ashman(cells: Cells, first: Mode, second: Mode) -> float:
    (one, spread_one), (two, spread_two) = (_centre(cells, mode) for mode in (first, second))
    return math.sqrt(2) * abs(two - one) / max(math.hypot(spread_one, spread_two), 1e-9)


def _centre(cells: Cells, mode: Mode) -> tuple[float, float]:
    """Return median and deviation of a group; no spread is less than that of an even cell."""
    weights = held_between(cells, mode.low, mode.high)
    if not weights.sum():
        return mode.peak, LOG_WIDTH
    median = _weighted_median(cells.middles, weights)
    deviation = _MAD_TO_SIGMA * _weighted_median(np.abs(cells.middles - median), weights)
    return median, max(deviation, LOG_WIDTH / math.sqrt(12))


def _weighted_median(values: Vector, weights: Vector) -> float:
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weights[order])
    return float(values[order][int(np.searchsorted(sums, sums[-1] / 2))])
