"""Whether a course rises or falls, how fast, and how sure that is although neighbouring points are alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from prodintel_lib.analyses.statistics import Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

TrendWord = Literal["rising", "falling", "steady", "too few to say"]
MIN_POINTS: Final = 8
MAX_POINTS: Final = 400
SURE: Final = 0.01
MAX_MEMORY: Final = 0.98
ROUNDING: Final = 1e-18


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a course.

    Attributes
    ----------
    slope, low, high : float
        Change of the value for a unit of time, with its 95 % interval; NaN with fewer than MIN_POINTS points.
    level : float
        The line's value at the last point.
    p_value : float
        Of no trend at all; 1 where there are too few points.
    memory : float
        Correlation of neighbouring points once the line is taken away.
    n : int
        Points.
    """

    slope: float
    low: float
    high: float
    level: float
    p_value: float
    memory: float
    n: int

    def word(self, *, span: float, material: float) -> TrendWord:
        """Say it in a word.

        Parameters
        ----------
        span : float
            Units of time the course is long.
        material : float
            The change over the whole course that matters: a trend is told of from there on, and "steady" is said
            where the interval excludes it.
        """
        if self.n < MIN_POINTS:
            return "too few to say"
        if self.p_value <= SURE and abs(self.slope) * span >= material:
            return "rising" if self.slope > 0 else "falling"
        if max(abs(self.low), abs(self.high)) * span < material or (
            self.p_value <= SURE and abs(self.slope) * span < material
        ):
            return "steady"
        return "too few to say"


def find_trend(times: Vector, values: Vector) -> Trend:
    """Fit a line by the median of all slopes, and test it by ranks.

    Parameters
    ----------
    times, values : arrays, shape (points,)
        Times increasing, in any unit; NaN values are left out. More than MAX_POINTS points are thinned evenly.

    Notes
    -----
    Theil (1950) and Sen (1968, doi:10.1080/01621459.1968.10480934), with Sen's interval; Mann and Kendall's test. Both
    take points as independent: the variance of Kendall's S is multiplied by ``(1 + r) / (1 - r)``, the ratio of the
    number of points to the effective one of a first-order autoregression (Yue and Wang 2004,
    doi:10.1023/B:WARM.0000043140.61082.60, with one lag in place of all, which are too noisy in short courses). r is
    that of the residuals, raised by its own bias (Marriott and Pope 1954, doi:10.1093/biomet/41.3-4.390), not below 0.
    """
    there = np.isfinite(values)
    times, values = times[there].astype(np.float64), values[there]
    if len(values) > MAX_POINTS:
        kept = np.unique(np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(np.int64))
        times, values = times[kept], values[kept]
    n = len(values)
    if n < MIN_POINTS:
        level = float(values[-1]) if n else math.nan
        return Trend(math.nan, math.nan, math.nan, level, 1.0, math.nan, n)
    before, after = np.triu_indices(n, k=1)
    slopes = np.sort((values[after] - values[before]) / (times[after] - times[before]))
    slope = float(np.median(slopes))
    residuals = values - slope * times
    memory = _memory_of(residuals, float(np.square(values - values.mean()).sum()))
    ups = float(np.sign(values[after] - values[before]).sum())
    deviation = math.sqrt(_variance_of_s(values) * (1 + memory) / (1 - memory))
    if not deviation:
        return Trend(0.0, 0.0, 0.0, float(values[-1]), 1.0, memory, n)
    z = max(0.0, abs(ups) - 1) / deviation
    reach = Z95 * deviation
    low = slopes[max(0, math.floor((len(slopes) - reach) / 2))]
    high = slopes[min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))]
    level = float(np.median(residuals)) + slope * float(times[-1])
    return Trend(slope, float(low), float(high), level, math.erfc(z / math.sqrt(2)), memory, n)


def _memory_of(residuals: Vector, all_squares: float) -> float:
    centred = residuals - np.median(residuals)
    whole = float(centred @ centred)
    # What is left of a perfect line is rounding, which has a memory of its own.
    if whole <= ROUNDING * all_squares:
        return 0.0
    n = len(centred)
    seen = float(centred[1:] @ centred[:-1]) / whole
    return min(MAX_MEMORY, max(0.0, seen + (1 + 4 * max(seen, 0.0)) / n))


def _variance_of_s(values: Vector) -> float:
    n = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
