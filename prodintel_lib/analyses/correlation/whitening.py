"""Series without memory: what an autoregression foretells of the next value is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

MAX_ORDER: Final = 12
WINDOWS_PER_ORDER: Final = 10
FIT_CLIP: Final = 4.0


def whiten(series: Matrix, observed: NDArray[np.bool_]) -> Matrix:
    """Return the innovations of every row: unit variance, zero where nothing was observed.

    Two series that move slowly agree by chance for long stretches; their innovations do not.

    Parameters
    ----------
    series : array, shape (rows, T)
        Zero where nothing was observed.
    observed : array of bool, shape (rows, T)

    Notes
    -----
    Yule and Walker's equations by Levinson and Durbin's recursion (Box, Jenkins and Reinsel 1994, appendix A3.2), all
    rows at once, fitted to values limited to four deviations; each row takes the order of up to twelve with the least
    Akaike criterion. Both series of a pair are whitened by their own models, as Haugh (1976),
    doi:10.1080/01621459.1976.10480353, tests independence, not the second by the model of the first.
    """
    windows = series.shape[1]
    highest = max(0, min(MAX_ORDER, windows // WINDOWS_PER_ORDER))
    n = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    centred = np.where(observed, series - series.sum(axis=1, keepdims=True) / n, 0.0)
    limit = FIT_CLIP * np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
    covariance = _autocovariance(np.clip(centred, -limit, limit), highest)
    weights = _levinson(covariance, n[:, 0].astype(np.float64))
    left = centred.copy()
    for lag in range(1, highest + 1):
        left[:, lag:] -= weights[:, lag - 1 : lag] * centred[:, :-lag]
    left = np.where(observed, left, 0.0)
    left = np.where(observed, left - left.sum(axis=1, keepdims=True) / n, 0.0)
    size = np.sqrt((left**2).sum(axis=1, keepdims=True) / n)
    return np.where(size > 0, left / np.where(size > 0, size, 1.0), 0.0)


def _autocovariance(series: Matrix, highest: int) -> Matrix:
    windows = series.shape[1]
    return np.column_stack(
        [np.einsum("ij,ij->i", series[:, : windows - lag], series[:, lag:]) / windows for lag in range(highest + 1)]
    )


def _levinson(covariance: Matrix, n: NDArray[np.float64]) -> Matrix:
    """Solve every order up to the highest, and return each row's weights at the order of its least criterion."""
    rows, highest = covariance.shape[0], covariance.shape[1] - 1
    weights, chosen = np.zeros((rows, highest)), np.zeros((rows, highest))
    error = np.maximum(covariance[:, 0], 1e-300)
    least = n * np.log(error)
    for order in range(1, highest + 1):
        past = weights[:, : order - 1]
        foretold = np.einsum("ij,ij->i", past, covariance[:, order - 1 : 0 : -1]) if order > 1 else 0.0
        partial = np.clip((covariance[:, order] - foretold) / error, -0.999, 0.999)
        weights[:, : order - 1] = past - partial[:, None] * past[:, ::-1]
        weights[:, order - 1] = partial
        error = error * (1 - partial**2)
        criterion = n * np.log(error) + 2 * order
        better = criterion < least
        chosen = np.where(better[:, None], weights, chosen)
        least = np.where(better, criterion, least)
    return chosen
