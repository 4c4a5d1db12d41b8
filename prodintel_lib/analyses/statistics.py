"""The few statistics that every analysis shares: intervals, effect sizes, and the scan for an abnormal interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Z95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with its denominator and its 95 % interval.

    Examples
    --------
    >>> str(Proportion.of(38, 100))
    '38 of 100 (38.0 %, 95 % CI 29.1-47.8 %)'
    """

    hits: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Hits / n, or NaN where n is 0."""
        return self.hits / self.n if self.n else math.nan

    def __str__(self) -> str:
        if not self.n:
            return f"{self.hits} of 0"
        return (
            f"{self.hits:,} of {self.n:,} ({100 * self.share:.1f} %, "
            f"95 % CI {100 * self.low:.1f}-{100 * self.high:.1f} %)"
        )

    @classmethod
    def of(cls, hits: int, n: int) -> Proportion:
        """Count `hits` among `n` with Wilson's score interval.

        Notes
        -----
        Wilson (1927), doi:10.1080/01621459.1927.10502953, without continuity correction.
        """
        if n == 0:
            return cls(hits, 0, 0.0, 1.0)
        share, z2 = hits / n, Z95**2
        centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return cls(hits, n, max(0.0, centre - half), min(1.0, centre + half))


def cohens_h(share: float, baseline: float) -> float:
    """Return the effect size between two shares, signed; 0.2 is small, 0.5 medium, 0.8 large.

    Notes
    -----
    Cohen (1988), Statistical Power Analysis, section 6.2: the difference of arcsine-transformed shares.
    """
    return 2 * math.asin(math.sqrt(share)) - 2 * math.asin(math.sqrt(baseline))


def cliffs_delta(values: NDArray[np.float64], baseline: NDArray[np.float64]) -> float:
    """Return P(value > baseline) - P(value < baseline), from -1 to 1; NaN where a side is empty.

    Notes
    -----
    Cliff (1993), doi:10.1037/0033-2909.114.3.494. Computed by binary search in the sorted baseline, O(n log m).
    """
    if not len(values) or not len(baseline):
        return math.nan
    ordered = np.sort(baseline)
    below = np.searchsorted(ordered, values, side="left").sum()
    above = len(values) * len(ordered) - np.searchsorted(ordered, values, side="right").sum()
    return float((below - above) / (len(values) * len(ordered)))


@dataclass(frozen=True, slots=True)
class AbnormalInterval:
    """The interval of buckets ``[first, last]`` in which hits are most unlike the rest.

    Attributes
    ----------
    first, last : int
        Indices of buckets, both in.
    log_likelihood_ratio : float
        Of two rates (inside, outside) against one.
    p_value : float
        An upper bound: the chance of so great a ratio anywhere in the series if the rate never changed.
    inside, outside : Proportion
    """

    first: int
    last: int
    log_likelihood_ratio: float
    p_value: float
    inside: Proportion
    outside: Proportion


def find_abnormal_interval(hits: NDArray[np.int64], totals: NDArray[np.int64]) -> AbnormalInterval | None:
    """Find the interval in which the share of hits is raised the most, over all intervals.

    Parameters
    ----------
    hits, totals : array of int, shape (buckets,)
        Hits and trials by bucket of time; a bucket without trials counts for nothing.

    Returns
    -------
    AbnormalInterval or None
        None where there is nothing to compare: no hits, nothing but hits, or fewer than three buckets with trials.

    Notes
    -----
    The temporal scan statistic for the Bernoulli model: Kulldorff (1997), doi:10.1080/03610929708831995, eq. 1. The
    windows here are all O(buckets^2) intervals instead of circles, and in place of Monte Carlo replicas the p value is
    the union bound ``intervals * exp(-ratio)``, which is conservative and needs no random numbers.
    """
    hit_total, total = int(hits.sum()), int(totals.sum())
    if hit_total in {0, total} or int((totals > 0).sum()) < 3:
        return None
    hit_sums = np.concatenate([[0], np.cumsum(hits)])
    sums = np.concatenate([[0], np.cumsum(totals)])
    inside_hits = hit_sums[None, 1:] - hit_sums[:-1, None]
    inside = sums[None, 1:] - sums[:-1, None]
    ratio = _bernoulli_ratio(inside_hits, inside, hit_total, total)
    first, last = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    found = float(ratio[first, last])
    if found <= 0:
        return None
    inner = Proportion.of(int(inside_hits[first, last]), int(inside[first, last]))
    outer = Proportion.of(hit_total - inner.hits, total - inner.n)
    intervals = len(hits) * (len(hits) + 1) / 2
    return AbnormalInterval(int(first), int(last), found, min(1.0, intervals * math.exp(-found)), inner, outer)


def _bernoulli_ratio(hits: NDArray[np.int64], n: NDArray[np.int64], hit_total: int, total: int) -> NDArray[np.float64]:
    """Return the log likelihood ratio of each interval, 0 where its rate is not above the rest's."""
    outer_hits, outer = hit_total - hits, total - n
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (
            _log_likelihood(hits, n)
            + _log_likelihood(outer_hits, outer)
            - _log_likelihood(np.float64(hit_total), np.float64(total))
        )
        raised = (n > 0) & (outer > 0) & (hits * outer > outer_hits * n)
    upper = np.triu(np.ones(ratio.shape, dtype=bool))
    return np.where(raised & upper, ratio, 0.0)


def _log_likelihood(hits: NDArray[np.int64] | np.float64, n: NDArray[np.int64] | np.float64) -> NDArray[np.float64]:
    """Return hits*log(share) + misses*log(1-share) with 0*log(0) = 0."""
    misses = n - hits
    share = hits / n
    good = np.where(hits > 0, hits * np.log(np.where(hits > 0, share, 1.0)), 0.0)
    bad = np.where(misses > 0, misses * np.log(np.where(misses > 0, 1 - share, 1.0)), 0.0)
    return np.asarray(good + bad, dtype=np.float64)


def adjust_for_many(p_values: Sequence[float]) -> list[float]:
    """Return the q values of many tests, in their order: the share of false findings if all as small were believed.

    Notes
    -----
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x, step-up, as adjusted p values.

    Examples
    --------
    >>> [round(q_value, 4) for q_value in adjust_for_many([0.01, 0.04, 0.03, 0.5])]
    [0.04, 0.0533, 0.0533, 0.5]
    """
    n = len(p_values)
    order = np.argsort(p_values)
    scaled = np.asarray(p_values, dtype=np.float64)[order] * n / np.arange(1, n + 1)
    ordered = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(ordered, 1.0)
    return [float(value) for value in adjusted]
