"""What the next point may be, told from few points before it, with what they leave open."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies.seasonal import median_of_known
from prodintel_lib.analyses.anomalies.tails import MAX_SCORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIOR_HITS: Final = 0.5
PRIOR_POINTS: Final = 6.0
PRIOR_FREEDOM: Final = 20.0
DISPERSION: Final = 2.0
"""Of what requests meet, where little is known: failures come in small bunches, as somebody tries again."""
DISPERSION_OF_TRAFFIC: Final = 4.0
"""Of how many requests come: a visitor sends several."""
MAX_PEARSON: Final = 25.0
"""What one point may add to the dispersion: an outage must not hide the next one for a week."""
LARGE_FREEDOM: Final = 2_000.0
SMALL_DEVIATIONS: Final = 1.0


MIN_LEVELS: Final = 12
MAX_LEVELS: Final = 160
TAIL_INDEX: Final = 4.0
"""Heavier than most: a deviation ten times the largest of twenty has a chance of 5 in a million."""
REFIT_GROWTH: Final = 1.1


def score_levels(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score each of a series' first levels by how far out it is, against the farthest of the few before it.

    Parameters
    ----------
    values : array, shape (series, points)
        NaN where missing.

    Returns
    -------
    scores, expected : array, shape (series, points)
        -log10 of the chance, and the median before; NaN until 12 values are known, and from about 160 on.

    Notes
    -----
    Of n + 1 exchangeable values the last is the farthest with a chance of 1 in n + 1 (a conformal rank, Vovk et al.,
    2005, section 2.3); beyond the farthest seen, the chance is taken to fall with the fourth power of the distance from
    the median. Neither needs a shape or a spread, which twenty values of a gauge do not show. A series that has never
    moved may move: the rank alone counts there.
    """
    scores, expected = np.full(values.shape, math.nan), np.full(values.shape, math.nan)
    missing = np.isnan(values)
    # Known values first, each row in its own order: what is missing must not thin out the few there are.
    places = np.argsort(missing, axis=1, kind="stable")[:, :MAX_LEVELS]
    packed = np.take_along_axis(values, places, axis=1)
    packed_scores, packed_expected = np.full(packed.shape, math.nan), np.full(packed.shape, math.nan)
    begin = MIN_LEVELS
    while begin < packed.shape[1]:
        end = math.ceil(begin * REFIT_GROWTH)
        past, now = packed[:, :begin], packed[:, begin:end]
        centre = median_of_known(past)[:, None]
        farthest = np.max(np.abs(past - centre), axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(now - centre) / farthest
            beyond = TAIL_INDEX * np.log10(np.maximum(distance, 1.0))
        inside = np.where(farthest > 0, np.minimum(distance, 1.0), now != centre)
        packed_scores[:, begin:end] = math.log10(begin + 1.0) * inside + np.where(farthest > 0, beyond, 0.0)
        packed_expected[:, begin:end] = centre
        begin = end
    packed_scores[np.isnan(packed)] = packed_expected[np.isnan(packed)] = math.nan
    np.put_along_axis(scores, places, np.minimum(packed_scores, MAX_SCORE), axis=1)
    np.put_along_axis(expected, places, packed_expected, axis=1)
    return scores, expected


def shrunk_dispersion(
    pearson: NDArray[np.float64],
    points: NDArray[np.float64],
    expected: NDArray[np.float64],
    *,
    prior: float = DISPERSION,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the dispersion of counts and its degrees of freedom.

    Parameters
    ----------
    pearson : array
        The sum of Pearson's chi-squared of the points.
    points : array
        How many they were.
    expected : array
        The count that was expected of a point.
    prior : float
        The dispersion where there are no points.

    Notes
    -----
    Shrunk to the prior as if six points had shown it; at least 1. An empirical Bayes variance as Smyth (2004),
    doi:10.2202/1544-6115.1027, section 5, with a prior that is given, not estimated, and of which more is taken to be
    known (20 degrees of freedom) than it weighs, since it errs to the large side. Points of few events weigh less:
    chi-squared of one has the variance 2 + 1 / expected (McCullagh & Nelder, Generalized Linear Models, section
    4.4.5), not 2.
    """
    weight = 2.0 * expected / (2.0 * expected + 1.0)
    dispersion = (weight * pearson + PRIOR_POINTS * prior) / (weight * points + PRIOR_POINTS)
    return np.maximum(dispersion, 1.0), weight * points + PRIOR_FREEDOM


def score_counts(
    hits: NDArray[np.float64],
    exposure: NDArray[np.float64],
    rate: NDArray[np.float64],
    learned: NDArray[np.float64],
    dispersion: NDArray[np.float64],
    freedom: NDArray[np.float64],
    *,
    is_ratio: bool,
) -> NDArray[np.float64]:
    """Score each count by the chance of one at least as far out, -log10, two-sided.

    Parameters
    ----------
    hits, exposure : array, shape (series, points)
    rate : array
        Hits expected per exposure.
    learned : array
        The exposure that the rate was learned from.
    dispersion, freedom : array
        As `shrunk_dispersion` gives them.
    is_ratio : bool
        Whether hits are a part of the exposure.

    Returns
    -------
    array, shape (series, points)
        NaN where an argument is.

    Notes
    -----
    A gamma distribution of the rate, with the hits of the past as its shape, makes the next count negative binomial
    (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6). Events in bunches are a gamma of their own in each
    point, whose squared variation is added: a dispersion of d spreads as d times Poisson does. A ratio is taken by its
    rarer outcome as a count that spreads less by the share of the other one, which has the mean and the variance of the
    binomial; its tail is a little heavier. The tail's normal deviate is then read from Student's t, since the
    dispersion was estimated from few points: the F test of quasi-likelihood (McCullagh & Nelder, section 9.2).
    """
    if is_ratio:
        mirrored = rate > 0.5
        hits = np.where(mirrored, exposure - hits, hits)
        rate = np.where(mirrored, 1.0 - rate, rate)
        dispersion = dispersion * (1.0 - rate)
    rate, learned, dispersion, freedom = (
        np.broadcast_to(one, hits.shape) for one in (rate, learned, dispersion, freedom)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = (hits - rate * exposure) / np.sqrt(dispersion * rate * exposure * (1.0 + exposure / learned))
    return _score_where_far(hits, exposure, rate, learned, dispersion, freedom, deviations)


def _score_where_far(
    hits: NDArray[np.float64],
    exposure: NDArray[np.float64],
    rate: NDArray[np.float64],
    learned: NDArray[np.float64],
    dispersion: NDArray[np.float64],
    freedom: NDArray[np.float64],
    deviations: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Take the exact tail where a point is out of the ordinary; within a deviation the normal one will do."""
    from scipy.special import betainc, erfc  # noqa: PLC0415 - scipy costs half a second to import

    score = -np.log10(np.maximum(erfc(np.abs(deviations) / math.sqrt(2.0)), 10.0**-MAX_SCORE))
    far = np.abs(deviations) > SMALL_DEVIATIONS
    # Shares of rare outcomes spread less than counts: they are scaled until they spread as counts do.
    scale = np.minimum(dispersion[far], 1.0)
    count, mean = hits[far] / scale, rate[far] * exposure[far] / scale
    bunching = dispersion[far] / scale - 1.0
    shape = 1.0 / (bunching / mean + scale / (rate[far] * learned[far]))
    share = mean / (mean + shape)
    upper = np.where(count > 0, betainc(np.maximum(count, 1e-9), shape, share), 1.0)
    lower = betainc(shape, count + 1.0, 1.0 - share)
    p_value = np.clip(2.0 * np.minimum(upper, lower), 1e-300, 1.0)
    score[far] = score_with_freedom(p_value, freedom[far])
    return np.asarray(score, dtype=np.float64)


def score_with_freedom(p_value: NDArray[np.float64], freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log10 of two-sided chances, the normal deviate of each read from Student's t; at most 30."""
    from scipy.special import ndtri, stdtr  # noqa: PLC0415 - scipy costs half a second to import

    deviate = -ndtri(p_value / 2.0)
    heavier = np.where(freedom < LARGE_FREEDOM, 2.0 * stdtr(freedom, -deviate), p_value)
    return np.asarray(np.minimum(-np.log10(np.maximum(heavier, 10.0**-MAX_SCORE)), MAX_SCORE), dtype=np.float64)
