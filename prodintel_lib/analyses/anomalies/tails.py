"""How unlikely a deviation is, told from the deviations before it: one scale for series of every kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAIL_SHARE: Final = 0.05
"""The largest deviations, to which the tail is fitted."""
MIN_HISTORY: Final = 50
REFIT_GROWTH: Final = 1.05
MIN_REFIT_POINTS: Final = 50
SAMPLE: Final = 512
"""Points from which the tail's threshold is taken: what lies beyond it is counted in the whole past."""
CLUSTER_GAP: Final = 12
PRIOR_CLUSTERS: Final = 2.0
SHAPE_PRIOR: Final = 10.0
MAX_SHAPE: Final = 0.5
MAX_SCORE: Final = 30.0
LEARNED_SCORE: Final = 8.0
"""What is rarer is learned from as if it were that: one reading gone wild must not blind the series for good."""
TINY: Final = 1e-150


def score_tails(deviations: NDArray[np.float64], *, floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score each deviation by how rarely the series' past went so far.

    Parameters
    ----------
    deviations : array, shape (series, points)
        Sizes of deviations, at least 0; NaN where a point is missing.
    floors : array, shape (series,)
        The smallest mean excess to believe in, for series that never moved.

    Returns
    -------
    array, shape (series, points)
        -log10 of the chance of a deviation at least as large, at most 30; NaN where the point is missing or fewer than
        50 points were known at the last fit before it.

    Notes
    -----
    Peaks over a threshold, as in Siffer et al. (2017), doi:10.1145/3097983.3098144, section 3: excesses over a high
    quantile follow a generalised Pareto distribution. Here its shape comes from the moments (Hosking & Wallis, 1987,
    doi:10.1080/00401706.1987.10488243, section 3), is drawn to 0 where clusters of excesses are few, and never
    falls below one over their number: the predictive tail of an exponential whose mean was learned from that few.
    The fit is renewed whenever the past has grown by a twentieth, with all of the past and nothing else; a deviation
    that scored above 8 is learned from as one of 8. Below the threshold the score only keeps the order.
    """
    scores, learned = np.full(deviations.shape, math.nan), deviations.copy()
    for begin, end in refits(deviations.shape[1]):
        now = deviations[:, begin:end]
        scores[:, begin:end], most = _score_block(learned[:, :begin], now, floors[:, None])
        learned[:, begin:end] = np.where(now > most, most, now)
    return scores


def refits(points: int) -> list[tuple[int, int]]:
    """Return the half-open stretches of points that are scored with one fit, made from all before the stretch."""
    stretches, begin = [], MIN_HISTORY
    while begin < points:
        end = min(points, max(begin + MIN_REFIT_POINTS, math.ceil(begin * REFIT_GROWTH)))
        stretches.append((begin, end))
        begin = end
    return stretches


def _score_block(
    past: NDArray[np.float64], now: NDArray[np.float64], floors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores, and the largest deviation of each series to learn from."""
    threshold = _threshold(past)
    known = np.count_nonzero(~np.isnan(past), axis=1, keepdims=True)
    # NaN compares as False: a missing point is no excess.
    beyond = past > threshold
    excess = np.where(beyond, past - threshold, 0.0)
    count = beyond.sum(axis=1, keepdims=True)
    mean = excess.sum(axis=1, keepdims=True) / np.maximum(count, 1)
    variance = np.maximum((excess * excess).sum(axis=1, keepdims=True) / np.maximum(count, 1) - mean**2, 0.0)
    clusters = _count_clusters(beyond)
    by_moments = 0.5 * (1.0 - mean**2 / np.maximum(variance, 1e-12 * mean**2 + TINY)).clip(0.0, 2.0 * MAX_SHAPE)
    shape = by_moments * clusters / (clusters + SHAPE_PRIOR)
    shape = np.maximum(shape, 1.0 / (clusters + PRIOR_CLUSTERS))
    scale = np.maximum(mean, floors) * (1.0 - shape)
    share = (count + 1.0) / (known + 2.0)
    tail = np.log10(1.0 + shape * np.maximum(now - threshold, 0.0) / scale) / shape
    at_threshold = -np.log10(share)
    body = at_threshold * np.minimum(now / np.maximum(threshold, floors), 1.0)
    scores = np.minimum(np.where(now > threshold, at_threshold + tail, body), MAX_SCORE)
    most = threshold + scale * (10.0 ** (shape * np.maximum(LEARNED_SCORE - at_threshold, 0.0)) - 1.0) / shape
    is_known = known >= MIN_HISTORY
    return np.where(is_known, scores, math.nan), np.where(is_known, most, math.inf)


def _threshold(past: NDArray[np.float64]) -> NDArray[np.float64]:
    stride = max(1, past.shape[1] // SAMPLE)
    sample = past[:, ::-1][:, ::stride]
    if not np.isnan(sample).any():
        rank = max(math.ceil((1.0 - TAIL_SHARE) * sample.shape[1]) - 1, 0)
        return np.partition(sample, rank, axis=1)[:, rank, None]
    # NaN sorts last, so the known values of a row are its first ones.
    ordered = np.sort(sample, axis=1)
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    at = np.maximum(np.ceil((1.0 - TAIL_SHARE) * known).astype(np.int64) - 1, 0)
    return np.nan_to_num(np.take_along_axis(ordered, at[:, None], axis=1))


def _count_clusters(beyond: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count runs of excesses, apart by more than twelve points: neighbours tell one story."""
    sums = np.cumsum(beyond, axis=1, dtype=np.int32)
    before = np.zeros_like(sums)
    before[:, 1:] = sums[:, :-1]
    earlier = np.zeros_like(sums)
    earlier[:, CLUSTER_GAP + 1 :] = sums[:, : -CLUSTER_GAP - 1]
    starts = beyond & (before == earlier)
    return np.asarray(starts.sum(axis=1, keepdims=True), dtype=np.float64)
