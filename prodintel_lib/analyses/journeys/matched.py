"""Compare the exposed with the unexposed who are otherwise alike: stratum by stratum, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.analyses.matched import STRATUM_COLUMNS, two_sided_p
from prodintel_lib.analyses.matched import compare_matched as compare_strata

if TYPE_CHECKING:
    import numpy as np
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
    """Estimate the common risk difference of many 2 x 2 tables, with its p value.

    Parameters
    ----------
    hits, exposed : array of int, shape (strata,)
        Events among the exposed, and the exposed.
    other_hits, others : array of int, shape (strata,)
        The same of the unexposed.

    Notes
    -----
    The estimate, its interval and its p value are analyses.matched's.
    """
    counts = (exposed, hits, others, other_hits)
    strata = pl.DataFrame(dict(zip(STRATUM_COLUMNS, counts, strict=True))).with_columns(pl.lit(0).alias("one"))
    found = compare_strata(strata, by=["one"]).row(0, named=True)
    difference = found["difference"]
    if difference is None:
        return MatchedDifference(0, math.nan, math.nan, math.nan, 1.0)
    low, high = found["low"], found["high"]
    return MatchedDifference(
        int(found["matched_exposed"]), difference, low, high, two_sided_p(difference, low, high) or 0.0
    )
