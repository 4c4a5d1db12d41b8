"""The detector used by default: the level, the same hour of other days, and the best forecast, on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies.counts import Counts
from prodintel_lib.analyses.anomalies.model import Part, Streaming
from prodintel_lib.analyses.anomalies.seasonal import (
    BLOCKS_A_DAY,
    DAYS,
    ERROR_DAYS,
    MIN_BLOCK_POINTS,
    MIN_DAYS,
    MIN_WEEKS,
    WEEKS,
    forecast_best,
    forecast_level,
    forecast_seasonal,
    mean_until,
    median_of_known,
)
from prodintel_lib.analyses.anomalies.tails import MIN_HISTORY, score_tails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Unit
    from prodintel_lib.windows import Window

SMOOTH_POINTS: Final = 6
BLOCK_VALUES: Final = 1_000_000
"""Values worked on at once: a dozen matrices of that size are alive at a time."""
FLOOR_OF_LEVEL: Final = 0.005


@dataclass(frozen=True)
class Combined(Streaming):
    """Several views of each point, the most surprised one deciding.

    Parameters
    ----------
    events : tuple of Window
        Named events and holidays: neither learned from nor scored.

    Notes
    -----
    Views: the deviation from the median of the week before; from the median of the same time on up to seven days
    before; from whichever of these and the same time of up to three weeks before forecast best over four weeks; and
    the mean of the last six of those. Each becomes a tail probability by what the same view saw before
    (`score_tails`), so that no view needs a scale. The largest of -log10 p is taken: with four views, chance reaches a
    score up to four times as often as one view would. Counts and ratios must besides be unlikely by their number
    (`Counts`), or few events would shout.
    """

    events: tuple[Window, ...] = ()

    @property
    def name(self) -> str:
        """The name in results."""
        return "combined"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "-log10 p"

    def explain(self, series: SeriesMatrix, *, row: int, column: int) -> tuple[Part, ...]:
        """Return each view's own score of one point, with what it expected, largest first."""
        one, fitted = self._one(series, row, column)
        joined = one.after(fitted.history).without(self.events)
        value = float(joined.levels[0, -1])
        floors = _floors(joined.levels)
        parts = [
            Part(name, float(score_tails(np.abs(deviation), floors=floors)[0, -1]), value, float(expected[0, -1]))
            for name, deviation, expected in _views(joined)
        ]
        if joined.kind != "level":
            parts += Counts().explain(joined, row=0, column=len(joined.time_us) - 1)
        return tuple(sorted(parts, key=lambda part: -part.score if not math.isnan(part.score) else math.inf))

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        series = series.without(self.events)
        score, expected = np.empty(series.values.shape), np.empty(series.values.shape)
        size = max(1, BLOCK_VALUES // len(series.time_us))
        for first in range(0, len(series.keys), size):
            rows = slice(first, first + size)
            score[rows], expected[rows] = _score_rows(series.rows(rows))
        return score, expected


def _score_rows(series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    floors = _floors(series.levels)
    best = np.full(series.values.shape, -math.inf)
    best_expected = np.full(series.values.shape, math.nan)
    for _, deviation, expected in _views(series):
        score = score_tails(np.abs(deviation), floors=floors)
        higher = score > best
        best[higher], best_expected[higher] = score[higher], expected[higher]
    best[np.isneginf(best)] = math.nan
    if series.kind != "level":
        best = np.minimum(best, Counts().score(series).score)
    return best, best_expected


def _views(series: SeriesMatrix) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Give each view's name, its deviations and what it expected, shapes (series, points)."""
    values, day = series.levels, series.points_a_day
    block = max(MIN_BLOCK_POINTS, day // BLOCKS_A_DAY)
    level = forecast_level(values, window=7 * day, block=block)
    yield "level of the week", values - level, level
    daily = forecast_seasonal(values, period=day, cycles=DAYS, min_cycles=MIN_DAYS)
    yield "same time of day", values - daily, daily
    weekly = forecast_seasonal(values, period=7 * day, cycles=WEEKS, min_cycles=MIN_WEEKS)
    best = forecast_best(values, [level, daily, weekly], window=ERROR_DAYS * day)
    yield "best forecast", values - best, best
    yield f"best forecast, mean of {SMOOTH_POINTS}", mean_until(values - best, window=SMOOTH_POINTS), best


def _floors(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # From the first points alone, or the future would move the scores of the past.
    return np.maximum(FLOOR_OF_LEVEL * np.abs(np.nan_to_num(median_of_known(values[:, :MIN_HISTORY]))), 1e-9)
