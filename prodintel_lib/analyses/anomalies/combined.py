"""The detector used by default: the level, the same hour of other days, and the best forecast, on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies.counts import score_counts_of
from prodintel_lib.analyses.anomalies.model import Part, Streaming
from prodintel_lib.analyses.anomalies.predictive import score_levels
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
from prodintel_lib.analyses.anomalies.stretches import find_stretches
from prodintel_lib.analyses.anomalies.tails import MIN_HISTORY, score_tails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Unit

SMOOTH_POINTS: Final = 6
BLOCK_VALUES: Final = 1_000_000
"""Values worked on at once: a dozen matrices of that size are alive at a time."""
FLOOR_OF_LEVEL: Final = 0.005
MEAN_OF_CHANCE: Final = 1.0 / math.log(10.0)
"""The mean of -log10 p where nothing but chance is at work."""
TRUSTED_HISTORY: Final = 150
"""Known points from which a series' own past alone decides; between 50 and this it does so by and by."""


@dataclass(frozen=True)
class Combined(Streaming):
    """Several views of each point, the most surprised one deciding.

    Notes
    -----
    Views: the deviation from the median of the week before; from the median of the same time on up to seven days
    before; from whichever of these and the same time of up to three weeks before forecast best over four weeks; and
    the mean of the last six of those. Each becomes a tail probability by what the same view saw before
    (`score_tails`), so that no view needs a scale. The largest of -log10 p is taken: with four views, chance reaches a
    score up to four times as often as one view would. Counts are judged as well by how
    rarely their own were as unlikely before, and must be unlikely by their number (`Counts`), or few events would
    shout. What has an exposure, ratios above all, is judged by its number alone, since one failure of
    five requests and of five hundred are not the same share; and then by how rarely the series' own past was as
    unlikely, which it often was where events come in larger bunches than `Counts` takes them for.

    Those views need 50 points. Until then counts and ratios are judged by their number alone and levels against the
    farthest of the values before (`score_levels`); until 150 points both have a say. A pause that parts two recordings
    (`find_stretches`) parts their histories.
    """

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
        stretches = self._stretches(series.until(column))
        last = joined.columns(stretches[-1])
        if stretches[-1].stop != len(joined.time_us):
            return ()
        value = float(last.levels[0, -1])
        floors = _floors(last)
        few, few_expected = _score_few(joined, stretches)
        parts = [Part(_name_of_few(joined), float(few[0, -1]), value, float(few_expected[0, -1]))]
        if joined.kind != "level":
            often = _score_by_own(few[:, stretches[-1]])
            parts.append(Part("counts, by those before", float(often[0, -1]), value, float(few_expected[0, -1])))
        if joined.exposure is None or joined.kind == "level":
            parts += [
                Part(name, float(score_tails(np.abs(deviation), floors=floors)[0, -1]), value, float(expected[0, -1]))
                for name, deviation, expected in _views(last)
            ]
        return tuple(sorted(parts, key=lambda part: -part.score if not math.isnan(part.score) else math.inf))

    def _stretches(self, series: SeriesMatrix) -> tuple[slice, ...]:
        return find_stretches(series.after(self.history), events=self.events)

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        score, expected = np.full(series.values.shape, math.nan), np.full(series.values.shape, math.nan)
        stretches = find_stretches(series, events=self.events)
        size = max(1, BLOCK_VALUES // len(series.time_us))
        for first in range(0, len(series.keys), size):
            rows = slice(first, first + size)
            score[rows], expected[rows] = _score_rows(series.rows(rows), stretches)
        return score, expected


def _score_rows(series: SeriesMatrix, stretches: tuple[slice, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    score, expected = _score_few(series, stretches)
    for columns in stretches:
        few, own = score[:, columns], series.columns(columns)
        if own.values.shape[1] <= MIN_HISTORY:
            continue
        if own.exposure is not None and own.kind != "level":
            many, many_expected = _score_by_own(few), expected[:, columns]
        else:
            many, many_expected = _score_many(own)
            if own.kind == "count":
                many = np.fmax(many, _score_by_own(few))
        known = np.cumsum(~np.isnan(own.levels), axis=1) - 1.0
        weight = np.clip((known - MIN_HISTORY) / (TRUSTED_HISTORY - MIN_HISTORY), 0.0, 1.0)
        if own.kind != "level":
            many = np.minimum(many, few)
        score[:, columns] = _mixed(few, many, weight)
        expected[:, columns] = np.where(np.isnan(many_expected), expected[:, columns], many_expected)
    return score, expected


def _mixed(few: NDArray[np.float64], many: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    mixed = weight * many + (1.0 - weight) * few
    return np.where(np.isnan(many), few, np.where(np.isnan(few), many, mixed))


def _score_few(series: SeriesMatrix, stretches: tuple[slice, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score by what needs little history: counts and ratios as such, levels against the farthest before."""
    if series.kind != "level":
        return score_counts_of(series, stretches)
    score, expected = np.full(series.values.shape, math.nan), np.full(series.values.shape, math.nan)
    for columns in stretches:
        score[:, columns], expected[:, columns] = score_levels(series.levels[:, columns])
    return score, expected


def _name_of_few(series: SeriesMatrix) -> str:
    return "first values" if series.kind == "level" else "counts"


def _score_by_own(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score how rarely a series' own counts were as surprising: where they often are, that surprise means little."""
    return score_tails(scores, floors=np.full(len(scores), MEAN_OF_CHANCE))


def _score_many(series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    floors = _floors(series)
    best = np.full(series.values.shape, -math.inf)
    best_expected = np.full(series.values.shape, math.nan)
    for _, deviation, expected in _views(series):
        score = score_tails(np.abs(deviation), floors=floors)
        higher = score > best
        best[higher], best_expected[higher] = score[higher], expected[higher]
    best[np.isneginf(best)] = math.nan
    return best, best_expected


def _views(series: SeriesMatrix) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Give each view's name, its deviations and what it expected, shapes (series, points).

    Deviations of counts are those of their square roots, which chance moves as far at night as at noon.
    """
    if series.kind == "count":
        rooted = replace(series, kind="level", values=np.sqrt(np.maximum(series.levels, 0.0)), exposure=None)
        for name, deviation, expected in _views(rooted):
            yield name, deviation, expected**2
        return
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


def _floors(series: SeriesMatrix) -> NDArray[np.float64]:
    # From the first points alone, or the future would move the scores of the past.
    first = np.abs(np.nan_to_num(median_of_known(series.levels[:, :MIN_HISTORY])))
    return np.maximum(FLOOR_OF_LEVEL * (np.sqrt(first) if series.kind == "count" else first), 1e-9)
