"""Compare the exposed with the unexposed who are otherwise alike: stratum by stratum, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodintel_lib.analyses.statistics import Z95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MatchedDifference:
    """The difference of two risks over strata.

    Attributes
    ----------
    matched : int
        The exposed in strata that have unexposed too: only they are compared.
    difference : float
        Risk of the exposed less that of the unexposed; NaN where nobody is matched.
    low, high : float
        Its 95 % interval.
    p_value : float
        Two-sided, of no difference.
    """

    matched: int
    difference: float
    low: float
    high: float
    p_value: float


def compare_matched(
    hits: NDArray[np.int64], exposed: NDArray[np.int64], other_hits: NDArray[np.int64], others: NDArray[np.int64]
) -> MatchedDifference:
    """Estimate the common risk difference of many 2 x 2 tables.

    Parameters
    ----------
    hits, exposed : array of int, shape (strata,)
        Events among the exposed, and the exposed.
    other_hits, others : array of int, shape (strata,)
        The same of the unexposed.

    Notes
    -----
    The Mantel-Haenszel estimator of the risk difference with the variance of Sato: Sato (1989), Biometrics 45:1323,
    doi:10.2307/2531784, eq. 2, which holds for many small strata as well as for few large ones. A stratum with
    exposed only, or with unexposed only, says nothing.
    """
    usable = (exposed > 0) & (others > 0)
    a, n1, c, n0 = (part[usable].astype(np.float64) for part in (hits, exposed, other_hits, others))
    matched = int(n1.sum())
    if not matched:
        return MatchedDifference(0, math.nan, math.nan, math.nan, 1.0)
    n = n1 + n0
    weight = float((n1 * n0 / n).sum())
    difference = float(((a * n0 - c * n1) / n).sum()) / weight
    skew = (n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2
    spread = (a * (n0 - c) + c * (n1 - a)) / (2 * n)
    error = math.sqrt(max(0.0, difference * float(skew.sum()) + float(spread.sum()))) / weight
    p_value = math.erfc(abs(difference) / error / math.sqrt(2)) if error else float(difference == 0)
    low, high = max(-1.0, difference - Z95 * error), min(1.0, difference + Z95 * error)
    return MatchedDifference(matched, difference, low, high, p_value)


def adjust_for_many(p_values: Sequence[float]) -> list[float]:
    """Return the q values of many tests: the share of false findings if all with a q as small were believed.

    Notes
    -----
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x, step-up, as adjusted p values.

    Examples
    --------
    >>> adjust_for_many([0.01, 0.04, 0.03, 0.5])
    [0.04, 0.05333333333333334, 0.05333333333333334, 0.5]
    """
    count = len(p_values)
    q_values = [1.0] * count
    least = 1.0
    for rank, place in zip(range(count, 0, -1), sorted(range(count), key=lambda i: -p_values[i]), strict=True):
        least = min(least, p_values[place] * count / rank)
        q_values[place] = least
    return q_values
