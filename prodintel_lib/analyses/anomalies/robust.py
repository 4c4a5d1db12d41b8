"""The plain rules: z-score, robust z-score, percentile and fixed limits, for all series at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies.model import Streaming
from prodintel_lib.analyses.anomalies.seasonal import forecast_level, mean_before
from prodintel_lib.analyses.anomalies.tails import refits
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Unit

MIN_POINTS: Final = 30
FLOOR_OF_LEVEL: Final = 0.005
"""Half a per cent of the level is a sensor's resolution, not a deviation."""
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True)
class ZScore(Streaming):
    """Deviations from the mean of the days before, in standard deviations."""

    window_days: float = 7.0

    @property
    def name(self) -> str:
        """The name in results."""
        return "z-score"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "z"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values, window = series.levels, _points(series, self.window_days)
        # Squares of a large level would drown its deviations: both are taken from the first known value.
        base = _first_known(values)
        mean = mean_before(values - base, window=window)
        variance = np.maximum(mean_before((values - base) ** 2, window=window) - mean**2, 0.0)
        return _in_deviations(values, mean + base, np.sqrt(variance), window)


@dataclass(frozen=True)
class RobustZ(Streaming):
    """Deviations from the median of the days before, in scaled median absolute deviations."""

    window_days: float = 7.0

    @property
    def name(self) -> str:
        """The name in results."""
        return "robust z-score"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "z"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values, window = series.levels, _points(series, self.window_days)
        block = max(1, series.points_a_day // 24)
        centre = forecast_level(values, window=window, block=block)
        spread = _MAD_TO_SIGMA * forecast_level(np.abs(values - centre), window=window, block=block)
        return _in_deviations(values, centre, spread, window)


@dataclass(frozen=True)
class Percentile(Streaming):
    """Whether a point lies beyond a percentile of all that came before; the limit is what is expected."""

    percentile: float = 99.0

    def __post_init__(self) -> None:
        if not 50 < self.percentile < 100:
            raise ParameterError(
                f"A percentile must lie between 50 and 100; it is {self.percentile}.",
                hint="99 is the value a hundredth of the past went beyond.",
            )

    @property
    def name(self) -> str:
        """The name in results."""
        return "percentile"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "beyond"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values = series.levels
        limit = np.full(values.shape, math.nan)
        for begin, end in refits(values.shape[1]):
            ordered = np.sort(values[:, :begin], axis=1)
            known = np.count_nonzero(~np.isnan(ordered), axis=1)
            at = np.maximum(np.ceil(self.percentile / 100.0 * known).astype(np.int64) - 1, 0)
            limit[:, begin:end] = np.take_along_axis(ordered, at[:, None], axis=1)
        return np.where(np.isnan(values) | np.isnan(limit), math.nan, values > limit), limit


@dataclass(frozen=True)
class FixedThreshold(Streaming):
    """Whether a point lies outside of limits that somebody set; it needs no past."""

    upper: float = math.inf
    lower: float = -math.inf

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ParameterError(
                f"The lower limit must be below the upper one; they are {self.lower} and {self.upper}.",
                hint="swap them, or leave one out.",
            )

    @property
    def name(self) -> str:
        """The name in results."""
        return "fixed threshold"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "beyond"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values = series.levels
        beyond = (values > self.upper) | (values < self.lower)
        return np.where(np.isnan(values), math.nan, beyond), np.clip(values, self.lower, self.upper)


def _points(series: SeriesMatrix, days: float) -> int:
    return max(MIN_POINTS, round(days * series.points_a_day))


def _first_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    first = np.argmax(~np.isnan(values), axis=1)
    return np.nan_to_num(np.take_along_axis(values, first[:, None], axis=1))


def _in_deviations(
    values: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64], window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    share_known = mean_before((~np.isnan(values)).astype(np.float64), window=window)
    known = share_known * np.minimum(np.arange(values.shape[1]), window)
    floor = np.maximum(FLOOR_OF_LEVEL * np.abs(centre), 1e-9)
    score = np.abs(values - centre) / np.maximum(spread, floor)
    return np.where(known >= MIN_POINTS - 0.5, score, math.nan), centre
