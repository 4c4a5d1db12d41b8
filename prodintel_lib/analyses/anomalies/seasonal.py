"""What a point should have been, told from the points before it: the level, the same hour of other days and weeks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DAYS: Final = 7
WEEKS: Final = 3
MIN_DAYS: Final = 1
MIN_WEEKS: Final = 2
LEVEL_SAMPLE: Final = 512
BLOCKS_A_DAY: Final = 6
MIN_BLOCK_POINTS: Final = 12
ERROR_DAYS: Final = 28


def forecast_level(values: NDArray[np.float64], *, window: int, block: int) -> NDArray[np.float64]:
    """Forecast each point by the median of the `window` points before its block; NaN where there are none.

    Parameters
    ----------
    values : array, shape (series, points)
        NaN where missing.
    window : int
        Points to look back; more than 512 are thinned evenly.
    block : int
        Points that share one forecast, which uses nothing from the block itself.
    """
    forecast = np.full(values.shape, math.nan)
    for begin in range(1, values.shape[1], block):
        past = values[:, max(0, begin - window) : begin][:, ::-1]
        past = past[:, :: max(1, past.shape[1] // LEVEL_SAMPLE)]
        forecast[:, begin : begin + block] = median_of_known(past)[:, None]
    return forecast


def forecast_seasonal(values: NDArray[np.float64], *, period: int, cycles: int, min_cycles: int) -> NDArray[np.float64]:
    """Forecast each point by the median of the points one, two ... `cycles` periods earlier.

    NaN where fewer than `min_cycles` of them are known.
    """
    series, points = values.shape
    usable = min(cycles, (points - 1) // period)
    if usable < min_cycles:
        return np.full(values.shape, math.nan)
    earlier = np.full((usable, series, points), math.nan)
    for cycle in range(1, usable + 1):
        earlier[cycle - 1, :, cycle * period :] = values[:, : points - cycle * period]
    earlier.sort(axis=0)
    known = np.count_nonzero(~np.isnan(earlier), axis=0)
    low = np.take_along_axis(earlier, np.maximum(known - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(earlier, (known // 2).clip(max=usable - 1)[None], axis=0)[0]
    return np.where(known >= min_cycles, (low + high) / 2.0, math.nan)


def forecast_best(
    values: NDArray[np.float64], forecasts: Sequence[NDArray[np.float64]], *, window: int
) -> NDArray[np.float64]:
    """Forecast each point by the forecast that was nearest over the `window` points before it.

    The first of equals wins, and a forecast that was never tried loses. Errors are compared by the mean of their square
    roots, in which a few large ones do not decide.
    """
    best, least = forecasts[0].copy(), np.full(values.shape, math.inf)
    for forecast in forecasts:
        error = mean_before(np.sqrt(np.abs(values - forecast)), window=window)
        error[np.isnan(error) | np.isnan(forecast)] = math.inf
        better = error < least
        best[better], least[better] = forecast[better], error[better]
    return best


def mean_before(values: NDArray[np.float64], *, window: int) -> NDArray[np.float64]:
    """Return the mean of the known ones among the `window` points before each point; NaN where there are none."""
    known = ~np.isnan(values)
    sums = sum_before(np.where(known, values, 0.0), window)
    counts = sum_before(known.astype(np.float64), window)
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0.5, sums / counts, math.nan)


def mean_until(values: NDArray[np.float64], *, window: int) -> NDArray[np.float64]:
    """Return the mean of the known ones among the last `window` points, each point included; NaN at missing points."""
    shifted = np.concatenate([values, np.full((len(values), 1), math.nan)], axis=1)
    return np.where(np.isnan(values), math.nan, mean_before(shifted, window=window)[:, 1:])


def median_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row's median of what is known; NaN where nothing is."""
    if values.shape[1] and not np.isnan(values).any():
        # Two order statistics need no sorted row.
        middle = ((values.shape[1] - 1) // 2, values.shape[1] // 2)
        halves = np.partition(values, middle, axis=1)
        return np.asarray((halves[:, middle[0]] + halves[:, middle[1]]) / 2.0)
    ordered = np.sort(values, axis=1)
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    rows = np.arange(len(values))
    low, high = ordered[rows, np.maximum(known - 1, 0) // 2], ordered[rows, np.minimum(known // 2, values.shape[1] - 1)]
    return np.where(known > 0, (low + high) / 2.0, math.nan)


def sum_before(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the sum of the `window` points before each point; `values` has no NaN."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    last = np.arange(values.shape[1])
    return sums[:, last] - sums[:, np.maximum(last - window, 0)]
