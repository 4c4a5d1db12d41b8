"""Quantiles that can be added up: counts by bins of equal ratio, with a known error and the size of a small table.

Exact quantiles of groups keep every value in memory. A bin here holds values within 2 % of each other, so a quantile
read from the bins is within 1 % of the true one, and counts of parts (buckets, days) add up to those of the whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RELATIVE_ERROR: Final = 0.01
# A value v is in the bin floor(log(v) / log(GROWTH)); the bin's middle is at most RELATIVE_ERROR away from all of it.
GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH: Final = math.log(GROWTH)
# Zero and what is below a millionth of the unit: no latency, duration or shift is told apart there.
SMALLEST: Final = 1e-6
ZERO_BIN: Final = math.floor(math.log(SMALLEST) / _LOG_GROWTH) - 1


def bin_of(column: str) -> nw.Expr:
    """Return the bin of a column of numbers that are not negative; null where the value is null or NaN.

    Zero, and what is less than a millionth, has a bin of its own (ZERO_BIN) whose value is 0.
    """
    value = nw.col(column).cast(nw.Float64)
    positive = nw.when(value >= SMALLEST).then(value).otherwise(nw.lit(1.0))
    number = (positive.log() / _LOG_GROWTH).floor().cast(nw.Int64)
    return (
        nw.when(value.is_null())
        .then(nw.lit(None, dtype=nw.Int64))
        .when(value.is_nan())
        .then(nw.lit(None, dtype=nw.Int64))
        .when(value < SMALLEST)
        .then(nw.lit(ZERO_BIN, dtype=nw.Int64))
        .otherwise(number)
    )


def value_of(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the value a bin stands for: at most RELATIVE_ERROR from all that is in it."""
    middle = np.exp(bins * _LOG_GROWTH) * (1 + RELATIVE_ERROR)
    return np.where(bins <= ZERO_BIN, 0.0, middle)


def quantile(hist: pl.DataFrame, q: float, *, by: Sequence[str] = (), count: str = "count") -> pl.DataFrame:
    """Read a quantile of each group from its histogram.

    Parameters
    ----------
    hist : polars.DataFrame
        ``bin`` (as bin_of says), the counts, and the columns of `by`; bins may come more than once.
    q : float
        0 to 1.
    by : sequence of str
        Columns that tell the groups apart.
    count : str
        The column that holds the counts.

    Returns
    -------
    polars.DataFrame
        The columns of `by`, ``value`` and ``n``, in their order; a row a group that has a count.

    Raises
    ------
    ParameterError
        If `q` is not from 0 to 1.

    Notes
    -----
    The value of rank ``ceil(q * n)`` (at least 1) by the bins' middles: Masson, Rim and Lee, DDSketch (2019),
    doi:10.14778/3352063.3352135, section 2, without limit to the number of bins, since what is measured here spans few.
    """
    if not 0 <= q <= 1:
        raise ParameterError(f"A quantile is asked for at 0 to 1, not at {q}.", hint="write 0.95 for the 95th.")
    keys = list(by)
    counted = hist.drop_nulls("bin").group_by(*keys, "bin").agg(pl.col(count).sum().cast(pl.Int64).alias("_n"))
    counted = counted.filter(pl.col("_n") > 0).sort(*keys, "bin")
    rank, total = pl.col("_n").cum_sum(), pl.col("_n").sum()
    ranked = counted.with_columns(
        (rank.over(keys) if keys else rank).alias("_rank"), (total.over(keys) if keys else total).alias("n")
    )
    # Without the allowance 0.95 * 100 is a hair above 95, and its ceiling 96.
    wanted = (pl.col("n") * q - 1e-9).ceil().clip(lower_bound=1)
    found = ranked.filter(pl.col("_rank") >= wanted).unique(keys or None, keep="first", maintain_order=True)
    found = found if keys else found.head(1)
    values = pl.Series("value", value_of(found["bin"].to_numpy()), dtype=pl.Float64)
    return found.with_columns(values).select(*keys, "value", "n")
