"""Counts and ratios with their exposure: few events are no reason to shout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies.model import Streaming
from prodintel_lib.analyses.anomalies.seasonal import forecast_best, mean_before
from prodintel_lib.analyses.anomalies.tails import MAX_SCORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Unit

MIN_POINTS: Final = 30
MIN_DISPERSION_POINTS: Final = 30
PRIOR_HITS: Final = 0.5
MAX_PEARSON: Final = 25.0
"""What one point may add to the dispersion: an outage must not hide the next one for a week."""
DAYS: Final = 7


@dataclass(frozen=True)
class Counts(Streaming):
    """The chance of so many or so few events, given how many the past had per exposure.

    Notes
    -----
    Binomial for ratios, Poisson for counts, two-sided (the smaller tail, doubled). Events that come in bunches are
    fewer than they look: counts are divided by the dispersion the past shows (Pearson's chi-squared per point, at least
    1), the effective sample size of Rao & Scott (1992), doi:10.2307/2532311. The expected rate is that of the week
    before, or that of the same time of the days before, whichever was nearer; half an event is added to it.
    """

    @property
    def name(self) -> str:
        """The name in results."""
        return "counts"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "-log10 p"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        hits = series.values
        exposure = np.where(np.isnan(hits), math.nan, 1.0) if series.exposure is None else series.exposure
        exposure = np.where(exposure > 0, exposure, math.nan)
        hits = np.where(np.isnan(exposure), math.nan, hits)
        rate = _expected_rate(hits, exposure, series.points_a_day)
        if series.kind == "ratio":
            rate = np.minimum(rate, 1.0)
        expected = rate * exposure
        variance = expected * (1.0 - rate) if series.kind == "ratio" else expected
        with np.errstate(divide="ignore", invalid="ignore"):
            pearson = np.where(variance > 0, (hits - expected) ** 2 / variance, math.nan)
        pearson = np.minimum(pearson, MAX_PEARSON)
        dispersion = np.maximum(mean_before(pearson, window=DAYS * series.points_a_day), 1.0)
        trials = exposure if series.kind == "ratio" else None
        score = _score(hits, expected, trials, dispersion)
        learned = np.cumsum(~np.isnan(pearson), axis=1) > MIN_DISPERSION_POINTS
        return np.where(learned, score, math.nan), rate


def _expected_rate(hits: NDArray[np.float64], exposure: NDArray[np.float64], day: int) -> NDArray[np.float64]:
    window = max(MIN_POINTS, DAYS * day)
    level = _rate_before(hits, exposure, window)
    # An hour around the same time of each day; a single point of low traffic says nothing.
    wide = max(1, day // 24)
    pooled_hits, pooled_exposure = np.zeros(hits.shape), np.zeros(hits.shape)
    for back in range(1, min(DAYS, (hits.shape[1] - 1) // day) + 1):
        shift = back * day - (wide + 1) // 2
        for source, target in ((hits, pooled_hits), (exposure, pooled_exposure)):
            target[:, shift:] += np.nan_to_num(mean_before(source, window=wide))[:, : hits.shape[1] - shift]
    with np.errstate(divide="ignore", invalid="ignore"):
        seasonal = np.where(pooled_exposure > 0, (pooled_hits + PRIOR_HITS / wide) / pooled_exposure, math.nan)
    rates = np.where(np.isnan(hits), math.nan, hits / exposure)
    return forecast_best(rates, [level, seasonal], window=window)


def _rate_before(hits: NDArray[np.float64], exposure: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    points = np.minimum(np.arange(hits.shape[1]), window)
    known = points * mean_before((~np.isnan(hits)).astype(np.float64), window=window)
    with np.errstate(divide="ignore", invalid="ignore"):
        some = mean_before(hits, window=window) + PRIOR_HITS / known
        return np.where(known >= MIN_POINTS - 0.5, some / mean_before(exposure, window=window), math.nan)


def _score(
    hits: NDArray[np.float64],
    expected: NDArray[np.float64],
    trials: NDArray[np.float64] | None,
    dispersion: NDArray[np.float64],
) -> NDArray[np.float64]:
    from scipy.special import betainc, gammainc, gammaincc  # noqa: PLC0415 - scipy costs half a second to import

    effective, mean = hits / dispersion, expected / dispersion
    if trials is None:
        upper = np.where(effective > 0, gammainc(np.maximum(effective, 1e-9), mean), 1.0)
        lower = gammaincc(effective + 1.0, mean)
    else:
        share, others = expected / trials, np.maximum(trials - hits, 0.0) / dispersion
        upper = np.where(effective > 0, betainc(np.maximum(effective, 1e-9), others + 1.0, share), 1.0)
        lower = np.where(others > 0, betainc(np.maximum(others, 1e-9), effective + 1.0, 1.0 - share), 1.0)
    p_value = np.clip(2.0 * np.minimum(upper, lower), 10.0**-MAX_SCORE, 1.0)
    return np.where(np.isnan(hits) | np.isnan(expected), math.nan, -np.log10(p_value))
