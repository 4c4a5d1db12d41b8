"""What the baseline's rates make of today's traffic, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS: Final = 8
MAX_RATE: Final = 0.999


def expect_bad(
    codes: NDArray[np.int32],
    total: NDArray[np.float64],
    baseline_bad: NDArray[np.float64],
    baseline_total: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bad events to expect in each cell and the trials on which that rests.

    Parameters
    ----------
    codes : array of int32, shape (D, cells)
    total : array of float, shape (cells,)
        Trials of the time that is explained.
    baseline_bad, baseline_total : array of float, shape (cells,)

    Returns
    -------
    expected, reference : array of float, shape (cells,)

    Notes
    -----
    A single cell holds too few events for a rate of its own, and a release that did not exist before has none. So each
    cell's rate is drawn, with the weight of one bad event, towards a rate that is a product of one effect an
    attribute, fitted by iterative proportional scaling (Deming and Stephan 1940, doi:10.1214/aoms/1177731829) to the
    baseline's bad events; a value never seen before has no effect of its own. Each effect is damped by one event.
    The reference of a cell without a baseline is what its traffic would have been there.
    """
    overall = (baseline_bad.sum() + 0.5) / (baseline_total.sum() + 1.0)
    rate = np.full(len(total), overall)
    groups = [row - row.min() for row in codes]
    for _ in range(ROUNDS):
        for group in groups:
            fitted = np.bincount(group, baseline_total * rate)
            seen = np.bincount(group, baseline_bad)
            rate = np.minimum(rate * ((seen + 1.0) / (fitted + 1.0))[group], MAX_RATE)
    drawn = (baseline_bad + 1.0) / (baseline_total + 1.0 / rate)
    stand_in = total * (baseline_total.sum() / total.sum())
    return total * np.minimum(drawn, MAX_RATE), np.where(baseline_total > 0, baseline_total, stand_in)
