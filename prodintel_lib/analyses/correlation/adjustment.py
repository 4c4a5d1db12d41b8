"""What traffic and rhythm foretell of a series, and what they leave of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Vector = NDArray[np.float64]

HOUR_S: Final = 3600
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
MIN_CYCLES: Final = {DAY_S: 2, WEEK_S: 2}
HARMONICS: Final = {DAY_S: 6, WEEK_S: 8}
MIN_HOURS: Final = 12
MAX_TRAFFIC_PARTS: Final = 4
MIN_PART: Final = 0.01
WINDOWS_PER_REGRESSOR: Final = 12
FIT_CLIP: Final = 3.0
ROUNDS: Final = 8
PRIOR_DEVIATION: Final = 1.0
LEAST_MEAN: Final = 0.05
MAX_LOG_RATIO: Final = 8.0


def build_rhythm(windows: int, bucket_s: int) -> tuple[Matrix, str]:
    """Return the columns of what recurs, and of slow drift; and a sentence on which rhythms could be told.

    Returns
    -------
    columns : array, shape (windows, columns)
        One, time, its square, and the harmonics of the day and of the week where the history holds two of them.
    said : str
    """
    time_s = np.arange(windows) * float(bucket_s)
    place = np.linspace(-1.0, 1.0, windows)
    columns = [np.ones(windows), place, place**2]
    names = {DAY_S: "day", WEEK_S: "week"}
    found, short = [], []
    for period_s, cycles in MIN_CYCLES.items():
        if windows * bucket_s < cycles * period_s:
            short.append(names[period_s])
            continue
        angle = 2 * np.pi * time_s / period_s
        columns += [wave(k * angle) for k in range(1, HARMONICS[period_s] + 1) for wave in (np.sin, np.cos)]
        found.append(names[period_s])
    if windows * bucket_s >= MIN_HOURS * HOUR_S:
        found.insert(0, "hour")
    else:
        short.insert(0, "hour")
    took = f"The rhythm of the {' and the '.join(found)} was taken out." if found else ""
    left = f"The rhythm of the {' and the '.join(short)} was not: the history is too short." if short else ""
    return np.column_stack(columns), f"{took} {left}".strip()


def traffic_parts(traffic: Matrix) -> Matrix:
    """Return the principal components of the logarithm of all traffic, the largest first.

    Parameters
    ----------
    traffic : array, shape (series, T)
        NaN where nothing was observed.

    Returns
    -------
    array, shape (T, parts)
        Deviations of unit size; no column where there is no traffic or it never changes.
    """
    windows = traffic.shape[1]
    logs = np.log1p(np.maximum(np.nan_to_num(np.unique(np.round(traffic, 6), axis=0), nan=0.0), 0.0))
    centred = logs - logs.mean(axis=1, keepdims=True) if len(logs) else logs
    spread = centred.std(axis=1)
    scaled = centred[spread > 0] / spread[spread > 0][:, None]
    if not len(scaled):
        return np.empty((windows, 0))
    _, sizes, parts = np.linalg.svd(scaled, full_matrices=False)
    large = sizes**2 >= MIN_PART * (sizes**2).sum()
    return np.asarray(parts[large][:MAX_TRAFFIC_PARTS].T * np.sqrt(windows), dtype=np.float64)


def traffic_columns(parts: Matrix) -> Matrix:
    """Return the components as regressors, the largest also squared and a bucket earlier and later.

    At most one regressor for WINDOWS_PER_REGRESSOR windows.
    """
    windows = parts.shape[0]
    if not parts.shape[1]:
        return np.empty((windows, 0))
    first = parts[:, :1]
    later, earlier = np.vstack([first[:1], first[:-1]]), np.vstack([first[1:], first[-1:]])
    columns = np.column_stack([first, first**2, later, parts[:, 1:2], earlier, parts[:, 2:]])
    return columns[:, : max(1, windows // WINDOWS_PER_REGRESSOR)]


def orthonormal(columns: Matrix) -> Matrix:
    """Return a constant column, then columns of unit deviation that span the rest, all at right angles."""
    windows = len(columns)
    constant = np.ones((windows, 1))
    basis, sizes, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    varied = basis[:, sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)] * np.sqrt(windows)
    return np.column_stack([constant, varied])


def adjust_level(values: Vector, observed: Mask, design: Matrix) -> Vector:
    """Return what a least-squares fit leaves of a level, on the scale of its logarithm where it is positive.

    Parameters
    ----------
    values : array, shape (T,)
    observed : array of bool, shape (T,)
    design : array, shape (T, columns)

    Notes
    -----
    The fit is repeated with what it left limited to three deviations, so that an incident does not become rhythm.
    Levels that reach zero go through the inverse hyperbolic sine instead, in units of their median.
    """
    seen = values[observed]
    unit = float(np.median(np.abs(seen[seen != 0]))) if np.any(seen != 0) else 1.0
    scores = np.log(seen) if np.all(seen > 0) else np.arcsinh(seen / unit)
    columns = design[observed]
    target = scores
    fitted = np.zeros_like(scores)
    for _ in range(2):
        fitted = columns @ _solve(columns.T @ columns, columns.T @ target)
        left = scores - fitted
        limit = FIT_CLIP * max(1.4826 * float(np.median(np.abs(left - np.median(left)))), 1e-12)
        target = fitted + np.clip(left, -limit, limit)
    found = np.zeros_like(values)
    found[observed] = scores - fitted
    return found


def adjust_count(counts: Vector, exposure: Vector, observed: Mask, design: Matrix) -> Vector:
    """Return how far each count is from what its exposure and the design foretell, in deviations.

    Parameters
    ----------
    counts, exposure : arrays, shape (T,)
    observed : array of bool, shape (T,)
        Where the exposure is above zero.
    design : array, shape (T, columns)
        As `orthonormal` makes it: the first column is one.

    Notes
    -----
    A Poisson regression with the logarithm of the exposure as offset, by reweighted least squares; coefficients but
    the constant have a normal prior of unit deviation (columns have unit deviation), so that five events do not fit
    thirty columns. Nothing is cut off: errors that come in clusters would then seem to grow less than their traffic,
    and all of them would be left with the same bursts. The residual is Pearson's, with a negative
    binomial's variance ``mean + phi mean^2`` by the method of moments; means below 0.05 count as
    0.05, or one rare event at night would outweigh all others.
    """
    n, columns = counts[observed], design[observed]
    offset = np.log(exposure[observed])
    prior = np.full(columns.shape[1], 1 / PRIOR_DEVIATION**2)
    prior[0] = 1e-9
    weights = np.zeros(columns.shape[1])
    weights[0] = np.log((n.sum() + 0.5) / exposure[observed].sum())
    mean = np.exp(columns @ weights + offset)
    phi = 0.0
    for _ in range(ROUNDS):
        phi = _excess(n, mean)
        share = mean / (1 + phi * mean)
        step = (n - mean) / np.maximum(mean, 1e-9)
        gradient = columns.T @ (share * step) - prior * weights
        weights = weights + _solve((columns.T * share) @ columns + np.diag(prior), gradient)
        linear = columns @ weights
        middle = float(np.median(linear))
        mean = np.exp(np.clip(linear, middle - MAX_LOG_RATIO, middle + MAX_LOG_RATIO) + offset)
    floor = np.maximum(mean, LEAST_MEAN)
    found = np.zeros_like(counts)
    found[observed] = (n - mean) / np.sqrt(floor + _excess(n, mean) * floor**2)
    return found


def without_hours(series: Matrix, observed: Mask, bucket_s: int) -> Matrix:
    """Take out of every row what recurs at the same place of every hour, where twelve hours and more were seen."""
    windows = series.shape[1]
    if windows * bucket_s < MIN_HOURS * HOUR_S or bucket_s >= HOUR_S:
        return series
    phases = (np.arange(windows) * bucket_s) % HOUR_S // bucket_s
    n = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    limit = FIT_CLIP * np.sqrt((series**2).sum(axis=1, keepdims=True) / n)
    left = series.copy()
    for phase in np.unique(phases):
        there = phases == phase
        # The median knows a job that runs every hour; of rare events it knows nothing, and the limited mean does.
        middle = np.median(series[:, there], axis=1, keepdims=True)
        away = np.clip(series[:, there] - middle, -limit, limit) * observed[:, there]
        usual = middle + away.sum(axis=1, keepdims=True) / np.maximum(observed[:, there].sum(axis=1, keepdims=True), 1)
        left[:, there] -= usual
    return np.where(observed, left, 0.0)


def _excess(counts: Vector, mean: Vector) -> float:
    return max(0.0, float(((counts - mean) ** 2 - mean).sum() / max(float((mean**2).sum()), 1e-12)))


def _solve(square: Matrix, right: Vector) -> Vector:
    ridge = 1e-9 * np.trace(square) * np.eye(len(square))
    return np.asarray(np.linalg.solve(square + ridge, right), dtype=np.float64)
