"""Counts judged in blocks, each by what was learned before it: what is surprising is not learned as it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from prodintel_lib.analyses.anomalies.predictive import (
    DISPERSION,
    DISPERSION_OF_TRAFFIC,
    MAX_PEARSON,
    PRIOR_HITS,
    score_counts,
    shrunk_dispersion,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix

MIN_POINTS: Final = 3
DAYS: Final = 7
BLOCK_GROWTH: Final = 20
"""A block is at most a twentieth of what is known, and two hours or twelve points: then what is learned is renewed."""
BLOCKS_A_DAY: Final = 12
MIN_BLOCK_POINTS: Final = 12
TOGETHER: Final = (1, 3, 6, 12)
"""Points judged together: four errors in a minute are nothing, and something in each of six."""
POINTS_A_RECORDING: Final = 10
EARLIER_POINTS: Final = 30
SURPRISING: Final = 3.0
LEARNED_DEVIATIONS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Trials:
    """Hits and exposure, both NaN where either is missing, and how they are to be judged.

    Attributes
    ----------
    hits, exposure : array, shape (series, points)
    is_ratio : bool
        Whether hits are a part of the exposure.
    day : int
        Points a day.
    is_traffic : bool
        Whether the counts are of what comes, not of what is met by what comes. Traffic wanders from minute to minute
        and comes in bunches: it is judged a point at a time.
    """

    hits: NDArray[np.float64]
    exposure: NDArray[np.float64]
    is_ratio: bool
    day: int
    is_traffic: bool

    @classmethod
    def of(cls, series: SeriesMatrix) -> Self:
        """Return the trials of counts (exposure 1 where none is given) or of a ratio."""
        hits = series.values
        exposure = np.ones(hits.shape) if series.exposure is None else series.exposure
        known = ~np.isnan(hits) & (exposure > 0)
        if series.kind == "ratio":
            # More hits than trials are a slip of who counted, as where the two end up in neighbouring buckets.
            hits = np.minimum(hits, np.maximum(exposure, 0.0))
        return cls(
            np.where(known, hits, math.nan),
            np.where(known, exposure, math.nan),
            series.kind == "ratio",
            series.points_a_day,
            series.exposure is None,
        )

    @property
    def together(self) -> tuple[int, ...]:
        """How many points are judged together."""
        return TOGETHER[:1] if self.is_traffic else TOGETHER

    def columns(self, columns: slice) -> Self:
        """Return some of the points."""
        return replace(self, hits=self.hits[:, columns].copy(), exposure=self.exposure[:, columns].copy())


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the recordings before had, shape (series, 1): it counts as a few points of this one.

    Attributes
    ----------
    hits, exposure, pearson, points : array, shape (series, 1)
    """

    hits: NDArray[np.float64]
    exposure: NDArray[np.float64]
    pearson: NDArray[np.float64]
    points: NDArray[np.float64]

    @classmethod
    def none(cls, rows: int) -> Self:
        """Return nothing at all."""
        return cls(*(np.zeros((rows, 1)) for _ in range(4)))

    @classmethod
    def of(cls, learned: Sequence[tuple[Trials, NDArray[np.float64]]]) -> Self:
        """Sum up recordings, of which hits as learned from and rates expected are known, and weigh them down."""
        rows = len(learned[0][1])
        hits, exposure, pearson, points, most = (np.zeros((rows, 1)) for _ in range(5))
        for trials, rates in learned:
            known = ~np.isnan(trials.hits)
            hits += np.nansum(trials.hits, axis=1, keepdims=True)
            exposure += np.nansum(np.where(known, trials.exposure, 0.0), axis=1, keepdims=True)
            points += known.sum(axis=1, keepdims=True)
            most += np.minimum(known.sum(axis=1, keepdims=True), POINTS_A_RECORDING)
            spread = pearson_of(trials.hits, trials.exposure, rates, np.full(rates.shape, math.inf), is_ratio=True)
            pearson += np.nansum(spread, axis=1, keepdims=True)
        weight = np.minimum(most, EARLIER_POINTS) / np.maximum(points, 1.0)
        return cls(weight * hits, weight * exposure, weight * pearson, weight * points)


class _Sums:
    """Sums from the first point on, of what has been learned so far."""

    def __init__(self, rows: int, points: int) -> None:
        self._sums = np.zeros((rows, points + 1))

    def add(self, begin: int, values: NDArray[np.float64]) -> None:
        end = begin + values.shape[1]
        self._sums[:, begin + 1 : end + 1] = self._sums[:, begin, None] + np.cumsum(np.nan_to_num(values), axis=1)

    def between(self, begin: int, end: int) -> NDArray[np.float64]:
        return np.asarray(self._sums[:, end, None] - self._sums[:, begin, None])

    def before(self, ends: NDArray[np.int64], width: int) -> NDArray[np.float64]:
        """Return the sums of `width` points before each of `ends`, of the points there are."""
        return np.asarray(self._sums[:, np.maximum(ends, 0)] - self._sums[:, np.maximum(ends - width, 0)])


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known of all points before a block."""

    earlier: Earlier
    hits: _Sums
    exposure: _Sums
    raw_hits: _Sums
    known: _Sums
    pearson: _Sums
    level_error: _Sums
    seasonal_error: _Sums
    seasonal_known: _Sums

    @classmethod
    def beginning(cls, earlier: Earlier, points: int) -> Self:
        return cls(earlier, *(_Sums(len(earlier.hits), points) for _ in range(8)))

    def points(self, first: int, until: int) -> NDArray[np.float64]:
        return self.known.between(first, until) + self.earlier.points


def learn_and_score(
    trials: Trials, earlier: Earlier
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Score each count by the counts before its block.

    Returns
    -------
    scores, rates, learned : array, shape (series, points)
        -log10 of the chance, the rate expected, and the hits as they were learned from. NaN until three points are
        known.

    Notes
    -----
    A point that scores above 3 is learned from as one three deviations from what was expected, so that an incident does
    not become the rule while it lasts, and one that was does not hide the next. What comes back at the same time of day
    is learned as it was: a rhythm is not a surprise twice, and a level that stays is known after a day.
    """
    rows, points = trials.hits.shape
    score, rates = np.full((rows, points), math.nan), np.full((rows, points), math.nan)
    learned, past, begin = trials.hits.copy(), _Past.beginning(earlier, points), 0
    while begin < points:
        end = min(points, begin + max(1, min(begin // BLOCK_GROWTH, _longest_block(trials.day))))
        block = slice(begin, end)
        forecast = _expect(past, trials, begin, end)
        rates[:, block] = forecast.rate
        score[:, block] = _score_together(past, trials, rates, block, forecast)
        now = trials.columns(block)
        learned[:, block] = _as_learned(now, forecast.rate, score[:, block], _spread(past, trials, begin, forecast)[0])
        _learn(past, now, learned[:, block], begin, forecast)
        begin = end
    return score, np.where(np.isnan(score), math.nan, rates), learned


def pearson_of(
    hits: NDArray[np.float64],
    exposure: NDArray[np.float64],
    rate: NDArray[np.float64],
    exposed: NDArray[np.float64],
    *,
    is_ratio: bool,
) -> NDArray[np.float64]:
    """Return each point's squared deviation over its variance, that of the learned rate included; at most 25."""
    expected = rate * exposure
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = expected * ((1.0 - rate) if is_ratio else 1.0) * (1.0 + exposure / exposed)
        return np.where(variance > 0, np.minimum((hits - expected) ** 2 / variance, MAX_PEARSON), math.nan)


def _longest_block(day: int) -> int:
    # A day back from the block's last point must lie before the block.
    return max(day // BLOCKS_A_DAY, MIN_BLOCK_POINTS if day == 1 else min(MIN_BLOCK_POINTS, day - 1))


def _window(day: int, begin: int) -> int:
    return max(0, begin - DAYS * day) if day > 1 else 0


@dataclass(frozen=True, slots=True)
class _Forecast:
    """What a block is to have: the rates of the week and of the time of day, the better one, and its exposure."""

    level: NDArray[np.float64]
    seasonal: NDArray[np.float64]
    is_seasonal: NDArray[np.bool_]
    rate: NDArray[np.float64]
    exposed: NDArray[np.float64]


def _expect(past: _Past, trials: Trials, begin: int, end: int) -> _Forecast:
    day, first = trials.day, _window(trials.day, begin)
    level, exposed = (np.repeat(each, end - begin, axis=1) for each in _level(past, trials, begin))
    cycles = min(DAYS, (begin + _longest_block(day)) // day) if day > 1 else 0
    # An hour around the same time of each day; a single point of low traffic says nothing.
    wide, at = max(1, day // 24), np.arange(begin, end)
    hits, exposure = np.zeros(level.shape), np.zeros(level.shape)
    for back in range(1, cycles + 1):
        ends = at - back * day + (wide + 1) // 2
        hits += past.raw_hits.before(ends, wide)
        exposure += past.exposure.before(ends, wide)
    seasonal = _rate(hits, exposure, is_ratio=trials.is_ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        level_error = past.level_error.between(first, begin) / past.known.between(first, begin)
        seasonal_error = past.seasonal_error.between(first, begin) / past.seasonal_known.between(first, begin)
    is_seasonal = ~np.isnan(seasonal) & (seasonal_error < level_error)
    rate = np.where(is_seasonal, seasonal, level)
    return _Forecast(level, seasonal, is_seasonal, rate, np.where(is_seasonal, exposure, exposed))


def _level(past: _Past, trials: Trials, until: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rate of the week before a point and the exposure it was learned from, shape (series, 1)."""
    first = _window(trials.day, until)
    exposed = past.exposure.between(first, until) + past.earlier.exposure
    hits = past.hits.between(first, until) + past.earlier.hits
    return _rate(hits, exposed, is_ratio=trials.is_ratio), exposed


def _rate(hits: NDArray[np.float64], exposed: NDArray[np.float64], *, is_ratio: bool) -> NDArray[np.float64]:
    # Half an event on each side of a ratio: never none, never all.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            exposed > 0, (hits + PRIOR_HITS) / (exposed + (2.0 * PRIOR_HITS if is_ratio else 0.0)), math.nan
        )


def _spread(
    past: _Past, trials: Trials, until: int, forecast: _Forecast
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first = _window(trials.day, until)
    points = past.points(first, until)
    rarer = np.minimum(forecast.rate, 1.0 - forecast.rate) if trials.is_ratio else forecast.rate
    with np.errstate(divide="ignore", invalid="ignore"):
        usual_exposure = (past.exposure.between(first, until) + past.earlier.exposure) / points
    pearson = past.pearson.between(first, until) + past.earlier.pearson
    prior = DISPERSION_OF_TRAFFIC if trials.is_traffic else DISPERSION
    return shrunk_dispersion(pearson, points, rarer * usual_exposure, prior=prior)


def _score_together(
    past: _Past, trials: Trials, rates: NDArray[np.float64], block: slice, forecast: _Forecast
) -> NDArray[np.float64]:
    """Score the points of a block alone and with those before them, the most surprised view deciding.

    A view of several points is judged by what was known before the first of them.
    """
    begin, end = block.start, block.stop
    margin = max(0, begin - max(trials.together) + 1)
    inside = slice(begin - margin, end - margin)
    hits, exposure, rate = (each[:, margin:end] for each in (trials.hits, trials.exposure, rates))
    known = ~np.isnan(hits)
    side = np.sign(hits - rate * exposure)[:, inside]
    best = np.full((len(hits), end - begin), math.nan)
    for width in trials.together:
        until = max(0, begin - width + 1)
        some_hits, some_exposure, expected = (
            _sum_until(np.nan_to_num(each), width)[:, inside] for each in (hits, exposure, rate * exposure)
        )
        some_exposure = np.where(some_exposure > 0, some_exposure, math.nan)
        level, exposed = _level(past, trials, until)
        some_rate = np.where(forecast.is_seasonal, expected / some_exposure, level)
        some = replace(forecast, rate=some_rate, exposed=np.where(forecast.is_seasonal, forecast.exposed, exposed))
        dispersion, freedom = _spread(past, trials, until, some)
        usual = some.rate * some_exposure / width
        # What moves a bucket of many events is not chance but load and caches, which last for some buckets.
        memory = width ** (usual / (2.0 * usual + 1.0))
        score = score_counts(
            some_hits, some_exposure, some.rate, some.exposed, dispersion * memory, freedom, is_ratio=trials.is_ratio
        )
        usable = known[:, inside] & (past.points(0, until) >= MIN_POINTS)
        if width > 1:
            usable &= np.sign(some_hits - some.rate * some_exposure) == side
        best = np.fmax(best, np.where(usable, score, math.nan))
    return best


def _sum_until(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the sums of the last `width` points at each point, that one included."""
    sums = np.cumsum(values, axis=1)
    sums[:, width:] -= sums[:, :-width].copy()
    return np.asarray(sums)


def _as_learned(
    now: Trials, rate: NDArray[np.float64], score: NDArray[np.float64], dispersion: NDArray[np.float64]
) -> NDArray[np.float64]:
    expected = rate * now.exposure
    share_left = np.maximum(1.0 - rate, 0.0) if now.is_ratio else 1.0
    spread = np.sqrt(dispersion * expected * share_left)
    reach = LEARNED_DEVIATIONS * np.maximum(spread, PRIOR_HITS)
    likely = np.clip(now.hits, expected - reach, expected + reach)
    return np.where(score > SURPRISING, np.maximum(likely, 0.0), now.hits)


def _learn(past: _Past, now: Trials, hits: NDArray[np.float64], begin: int, forecast: _Forecast) -> None:
    rates = now.hits / now.exposure
    seasonal_error = np.sqrt(np.abs(rates - forecast.seasonal))
    past.hits.add(begin, hits)
    past.raw_hits.add(begin, now.hits)
    past.exposure.add(begin, now.exposure)
    past.known.add(begin, (~np.isnan(hits)).astype(np.float64))
    past.pearson.add(begin, pearson_of(hits, now.exposure, forecast.rate, forecast.exposed, is_ratio=now.is_ratio))
    past.level_error.add(begin, np.sqrt(np.abs(rates - forecast.level)))
    past.seasonal_error.add(begin, seasonal_error)
    past.seasonal_known.add(begin, (~np.isnan(seasonal_error)).astype(np.float64))
