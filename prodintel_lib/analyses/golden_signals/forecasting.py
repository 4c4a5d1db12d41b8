"""The counts of the steps to come, with an interval whose coverage was tried on the steps that are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

INTERVAL: Final = 0.8
CYCLES: Final = (1, 2, 4)
LAST_STEPS: Final = (1, 6, 30)
BACKTESTS: Final = 120
MIN_ERRORS: Final = 20
MIN_ORIGINS: Final = 6
PARTS_OF_HORIZON: Final = 3
ENOUGH_CYCLES: Final = 0.75
TINY: Final = 1e-12
ALIKE: Final = 4.0
"""Errors of a horizon's quarter are taken for one when their number decides how far out the interval's ends lie."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to foretell: the mean of so many cycles before, or of so many last steps where `period` is 0.

    Attributes
    ----------
    period : int
        Steps of a cycle; 0 for the level alone.
    terms : int
        Cycles, or steps, that are averaged.
    follows_level : bool
        Whether cycles are brought to the level of the last day.
    """

    period: int
    terms: int
    follows_level: bool = False

    def words(self, names: dict[int, str]) -> str:
        """Name it; `names` says what a period is called."""
        if not self.period:
            return "the last value" if self.terms == 1 else f"the mean of the last {self.terms} steps"
        cycle = names.get(self.period, "cycle")
        mean = (
            f"the same hour of the last {cycle}" if self.terms == 1 else f"the mean of the last {self.terms} {cycle}s"
        )
        return mean + (", at the present level" if self.follows_level else "")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The steps after a course.

    Attributes
    ----------
    values, low, high : array, shape (steps,)
        Counts; never below 0.
    method : Method
    coverage : float
        Of the backtested values, the share within the interval that the values before them had given; NaN where there
        were too few to try it.
    coverage_n : int
        Backtested values.
    """

    values: Vector
    low: Vector
    high: Vector
    method: Method
    coverage: float
    coverage_n: int


def forecast_counts(counts: Vector, *, steps: int, periods: Sequence[int], day: int) -> Forecast | None:
    """Foretell the counts of the next steps.

    Parameters
    ----------
    counts : array, shape (points,)
        By equal steps; NaN where nothing was recorded.
    steps : int
        How many to foretell.
    periods : sequence of int
        Cycles to try, in steps, each at least `steps` long; empty for the level alone.
    day : int
        Steps over which the present level is measured.

    Returns
    -------
    Forecast or None
        None where the known values leave too few errors to make an interval of.

    Notes
    -----
    Seasonal naive, averaged over cycles (Hyndman and Athanasopoulos 2021, Forecasting: Principles and Practice, third
    edition, section 5.2), with or without the present level; the one with the least mean absolute error over rolling
    origins is taken. The interval is made of its errors there, in units of ``sqrt(f + phi * f**2)``, the
    deviation of a count with mean f that is overdispersed by phi, by thirds of the horizon: split conformal
    prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116). Errors of neighbouring origins are alike, so that
    its promise does not hold to the letter: what held is measured, each origin judged by the errors known before it.
    """
    methods = [Method(period, k, follows) for period in periods for k in CYCLES for follows in (False, True)]
    methods = methods or [Method(0, k) for k in LAST_STEPS]
    origins = _origins(len(counts), steps)
    targets = origins[:, None] + 1 + np.arange(steps)[None, :]
    padded = np.concatenate([counts, np.full(steps, math.nan)])
    seen = padded[targets]
    best: tuple[float, Method, Vector] | None = None
    plain = _foretell(counts, methods[0], origins, steps, day)
    for method in methods:
        foretold = _foretell(counts, method, origins, steps, day)
        usable = np.isfinite(foretold) & np.isfinite(seen)
        if usable.sum() < MIN_ERRORS or usable.any(axis=1).sum() < MIN_ORIGINS:
            continue
        # Methods that need a longer past have fewer errors: each is set against the plainest where both have some.
        usable &= np.isfinite(plain)
        error = float(np.abs(seen - foretold)[usable].sum()) / max(float(np.abs(seen - plain)[usable].sum()), TINY)
        if best is None or error < best[0]:
            best = error, method, foretold
    if best is None:
        return None
    _, method, foretold = best
    ahead = _foretell(counts, method, np.array([len(counts) - 1]), steps, day)[0]
    if not np.isfinite(ahead).all():
        return None
    excess = _overdispersion(seen, foretold)
    bands = _bands(_scaled(seen, foretold, excess), np.full(1, len(counts)), targets)
    deviation = np.sqrt(ahead + excess * ahead**2)
    hits = _backtest(seen, foretold, targets, origins, excess)
    low, high = (np.maximum(0.0, ahead + part[0] * deviation) for part in bands)
    return Forecast(ahead, low, high, method, float(hits.mean()) if len(hits) else math.nan, len(hits))


def _origins(points: int, steps: int) -> NDArray[np.int64]:
    """Return the last known points of the backtests, evenly, those with a part of the horizon only too."""
    stride = max(1, points // BACKTESTS)
    return np.arange(points - 2, max(0, steps // 2), -stride, dtype=np.int64)[::-1]


def _foretell(counts: Vector, method: Method, origins: NDArray[np.int64], steps: int, day: int) -> Vector:
    """Return what is foretold at each origin for each step, shape (origins, steps)."""
    if not method.period:
        known = np.where(np.isfinite(counts), counts, 0.0)
        sums = np.concatenate([[0.0], np.cumsum(known)])
        numbers = np.concatenate([[0], np.cumsum(np.isfinite(counts))])
        first = np.maximum(0, origins + 1 - method.terms)
        n = numbers[origins + 1] - numbers[first]
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.where(n > 0, (sums[origins + 1] - sums[first]) / n, math.nan)
        return np.tile(level[:, None], (1, steps)).astype(np.float64)
    means = _means_of_cycles(counts, method, steps)
    foretold: Vector = means[origins[:, None] + 1 + np.arange(steps)[None, :]]
    if method.follows_level:
        foretold = foretold * _level_against(counts, means, origins, day)[:, None]
    return foretold


def _means_of_cycles(counts: Vector, method: Method, steps: int) -> Vector:
    """Return for each point, and `steps` beyond the last, the mean of the same point of the cycles before."""
    points = len(counts) + steps
    sums, numbers = np.zeros(points), np.zeros(points)
    for cycle in range(1, method.terms + 1):
        shift = cycle * method.period
        if shift >= points:
            break
        before = np.full(points, math.nan)
        before[shift : len(counts) + shift] = counts[: points - shift]
        sums += np.nan_to_num(before)
        numbers += np.isfinite(before)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A mean of one cycle where four were asked for is another method.
        means = np.where(numbers >= max(1, method.terms * ENOUGH_CYCLES), sums / numbers, math.nan)
    return np.asarray(means, dtype=np.float64)


def _level_against(counts: Vector, means: Vector, origins: NDArray[np.int64], day: int) -> Vector:
    """Return how the last day's counts stood to the means of the cycles before it; 1 where neither is known."""
    both = np.isfinite(counts) & np.isfinite(means[: len(counts)])
    seen = np.concatenate([[0.0], np.cumsum(np.where(both, counts, 0.0))])
    usual = np.concatenate([[0.0], np.cumsum(np.where(both, means[: len(counts)], 0.0))])
    first = np.maximum(0, origins + 1 - day)
    now, before = seen[origins + 1] - seen[first], usual[origins + 1] - usual[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(before > 0, now / before, 1.0)


def _overdispersion(seen: Vector, foretold: Vector) -> float:
    """Return by how much squared errors exceed the forecasts, in parts of the squared forecasts; 0 at least."""
    usable = np.isfinite(seen) & np.isfinite(foretold) & (foretold > 0)
    if not usable.any():
        return 0.0
    squares = (seen[usable] - foretold[usable]) ** 2
    return max(0.0, float((squares - foretold[usable]).sum() / (foretold[usable] ** 2).sum()))


def _scaled(seen: Vector, foretold: Vector, excess: float) -> Vector:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (seen - foretold) / np.sqrt(np.maximum(foretold + excess * foretold**2, 1.0))


def _bands(scaled: Vector, known_before: NDArray[np.int64], targets: NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Return the lower and upper ends of the scaled errors known at a time, by thirds of the horizon.

    Parameters
    ----------
    scaled : array, shape (origins, steps)
    known_before : array, shape (times,)
        Errors of targets before each of these points are known.
    targets : array, shape (origins, steps)

    Returns
    -------
    two arrays, shape (times, steps)
        NaN where fewer than MIN_ERRORS errors are known.
    """
    steps = scaled.shape[1]
    low, high = (np.full((len(known_before), steps), math.nan) for _ in range(2))
    edges = np.linspace(0, steps, min(PARTS_OF_HORIZON, steps) + 1).round().astype(np.int64)
    for start, end in pairwise(edges.tolist()):
        errors, at = scaled[:, start:end].ravel(), targets[:, start:end].ravel()
        kept = np.isfinite(errors)
        errors, at = errors[kept], at[kept]
        for row, time in enumerate(known_before):
            before = at < time
            known = np.sort(errors[before])
            if len(known) >= MIN_ERRORS:
                below = math.floor(_part_below(at[before], steps) * len(known))
                low[row, start:end], high[row, start:end] = known[below], known[-1 - below]
    return low, high


def _part_below(targets: NDArray[np.int64], steps: int) -> float:
    """Return the share of errors to leave out at either end, the less the fewer independent ones there are."""
    worth = (int(targets.max()) - int(targets.min()) + 1) / (steps / ALIKE)
    return max(0.0, (worth + 1) * (1 - INTERVAL) / 2 - 1) / worth


def _backtest(
    seen: Vector, foretold: Vector, targets: NDArray[np.int64], origins: NDArray[np.int64], excess: float
) -> NDArray[np.bool_]:
    """Return whether each known value lay within the interval that the errors before its origin give."""
    scaled = _scaled(seen, foretold, excess)
    low, high = _bands(scaled, origins + 1, targets)
    tried = np.isfinite(scaled) & np.isfinite(low)
    return ((scaled >= low) & (scaled <= high))[tried]
