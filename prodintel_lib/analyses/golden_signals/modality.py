"""Whether durations come in more than one group: a test of one mode against more, on counts in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.golden_signals.cells import Cells

    Vector = NDArray[np.float64]

REPLICAS: Final = 199
LEVELS: Final = 48
PEAKS_TRIED: Final = 12
SEED: Final = 20_000


def p_value_of_one_mode(cells: Cells, *, n_effective: float, replicas: int = REPLICAS) -> float:
    """Return the p value of the hypothesis that a density has one mode.

    Parameters
    ----------
    cells : Cells
        Counts on the scale of the logarithm.
    n_effective : float
        How many independent observations the counts are worth, at most their number.
    replicas : int
        The p value is at least ``1 / (replicas + 1)``.

    Notes
    -----
    The statistic is the excess mass of two intervals over that of one, the largest over all levels (Mueller and
    Sawitzki 1991, doi:10.1080/01621459.1991.10475089), which is twice the dip of Hartigan and Hartigan (1985,
    doi:10.1214/aos/1176346577). It is judged by replicas from the density with one mode that fits the counts best
    (Grenander's estimator to either side of the best mode), as Cheng and Hall (1998, doi:10.1111/1467-9868.00141) and
    Ameijeiras-Alonso et al. (2019, doi:10.1007/s11749-018-0611-5) do with smoothed ones, and not by the uniform one,
    which finds few. Here the data are counts: the replicas are multinomial and the excess mass is that of whole cells.
    """
    counts, widths = cells.counts, cells.widths
    n = max(1.0, min(n_effective, cells.n))
    if len(counts) < 3:
        return 1.0
    shares = counts / cells.n
    fitted = fit_one_mode(shares, widths)
    levels = np.quantile(fitted[fitted > 0] / widths[fitted > 0], np.linspace(0.0, 1.0, LEVELS))
    levels = np.unique(np.concatenate([levels / 2, levels]))
    seen = float(excess_of_two(shares[None, :], widths, levels)[0])
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(round(n), fitted / fitted.sum(), size=replicas) / round(n)
    return float((1 + (excess_of_two(drawn, widths, levels) >= seen).sum()) / (replicas + 1))


def excess_of_two(shares: Vector, widths: Vector, levels: Vector) -> Vector:
    """Return how much more mass two intervals hold above a level than one does, the largest over the levels.

    Parameters
    ----------
    shares : array, shape (samples, cells)
    widths : array, shape (cells,)
    levels : array, shape (levels,)
        Of density.

    Returns
    -------
    array, shape (samples,)
    """
    size = (len(shares), len(levels))
    open_one, one, open_two, two = (np.zeros(size) for _ in range(4))
    for cell, width in enumerate(widths):
        gain = shares[:, cell, None] - levels[None, :] * width
        np.maximum(open_two, one, out=open_two)
        open_two += gain
        np.maximum(two, open_two, out=two)
        np.maximum(open_one, 0.0, out=open_one)
        open_one += gain
        np.maximum(one, open_one, out=one)
    return np.asarray((np.maximum(two, one) - one).max(axis=1), dtype=np.float64)


def fit_one_mode(shares: Vector, widths: Vector) -> Vector:
    """Return the shares of the density with one mode that makes the given ones most likely; sums to 1.

    Notes
    -----
    Rises to a cell and falls after it: isotonic regression of the densities with the widths as weights is the maximum
    likelihood estimate to either side (Robertson, Wright and Dykstra 1988, Order Restricted Statistical Inference,
    section 7.2). The cell of the mode is the best of the densest ones.
    """
    density = shares / widths
    best, likelihood = shares, -np.inf
    for peak in np.argsort(-density, kind="stable")[:PEAKS_TRIED]:
        rising = _isotonic(density[: peak + 1], widths[: peak + 1])
        falling = _isotonic(density[peak:][::-1], widths[peak:][::-1])[::-1]
        # The peak's own cell bounds both sides.
        fitted = np.concatenate([rising[:-1], [max(rising[-1], falling[0])], falling[1:]]) * widths
        fitted = fitted / fitted.sum()
        seen = shares > 0
        value = float((shares[seen] * np.log(fitted[seen])).sum())
        if value > likelihood:
            best, likelihood = fitted, value
    return best


def _isotonic(values: Vector, weights: Vector) -> Vector:
    """Return the rising sequence with the least weighted squared distance (pool adjacent violators)."""
    means: list[float] = []
    sizes: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, size, length = value, weight, 1
        while means and means[-1] >= mean:
            mean = (mean * size + means[-1] * sizes[-1]) / (size + sizes[-1])
            size, length = size + sizes.pop(), length + lengths.pop()
            means.pop()
        means.append(mean)
        sizes.append(size)
        lengths.append(length)
    return np.repeat(means, lengths)
