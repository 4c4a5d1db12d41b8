"""Percentiles of durations from bins, with intervals and only where enough requests lie beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH
from prodintel_lib.rollups.request_bins import COARSE_ZERO, NO_BIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MIN_BEYOND: Final = 5
_TAIL: Final = 0.025


def read_percentiles(
    hist: pl.DataFrame, quantiles: Mapping[str, float], *, by: Sequence[str], dispersion: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Read percentiles of each group from its bins.

    Parameters
    ----------
    hist : polars.DataFrame
        `by`, ``bin`` (of request_bins) and ``requests``; bins may come more than once.
    quantiles : mapping of name to quantile
    by : sequence of str
    dispersion : polars.DataFrame, optional
        `by` and ``dispersion``: how many times more a count of slow requests varies than that of independent ones.

    Returns
    -------
    polars.DataFrame
        `by`, ``n`` and for each name ``<name>_ms``, ``<name>_low_ms``, ``<name>_high_ms``, ordered by `by`. Null where
        fewer than MIN_BEYOND requests lie beyond, and an end of an interval where the requests do not reach it.

    Notes
    -----
    The value of rank ``ceil(q n)``, requests of a bin spread evenly over its logarithm. The interval is that of two
    order statistics whose ranks are quantiles of Binomial(n, q) (Conover 1999, Practical Nonparametric Statistics,
    section 3.2), to the outer edges of their bins; n is divided by the dispersion (Kish 1965, Survey Sampling, section
    8.2), since requests of one moment are alike.
    """
    keys = list(by)
    counted = (
        hist.filter(pl.col("bin") > NO_BIN).group_by(*keys, "bin").agg(pl.col("requests").sum())
        .filter(pl.col("requests") > 0).sort(*keys, "bin")
    )  # fmt: skip
    groups = counted.group_by(keys, maintain_order=True).agg(
        pl.col("requests").sum().alias("n"), pl.len().alias("_rows")
    )
    if dispersion is not None:
        groups = groups.join(dispersion.select(*keys, "dispersion"), on=keys, how="left", maintain_order="left")
        groups = groups.with_columns(pl.col("dispersion").fill_null(1.0))
    else:
        groups = groups.with_columns(pl.lit(1.0).alias("dispersion"))
    n = groups["n"].to_numpy().astype(np.float64)
    worth = np.maximum(1.0, np.round(n / groups["dispersion"].to_numpy()))
    layout = _Layout(counted, groups["_rows"].to_numpy())
    columns = [pl.Series(name, values) for name, values in _columns(layout, quantiles, n, worth).items()]
    return groups.select(*keys, "n").with_columns(pl.col("n").cast(pl.Int64), *(c.fill_nan(None) for c in columns))


class _Layout:
    """The bins of all groups after each other."""

    def __init__(self, counted: pl.DataFrame, rows: NDArray[np.integer]) -> None:
        self.bins = counted["bin"].to_numpy()
        self.counts = counted["requests"].to_numpy().astype(np.float64)
        self.ends = np.cumsum(rows)
        self.starts = self.ends - rows
        self.sums = np.cumsum(self.counts)
        self.before = np.concatenate([[0.0], self.sums])[self.starts]

    def at(self, ranks: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Return value, lower and upper edge of the bin at each group's rank (from 1 to n); NaN at any other rank."""
        n = self.sums[self.ends - 1] - self.before
        there = (ranks >= 1) & (ranks <= n)
        wanted = self.before + np.clip(ranks, 1, n)
        row = np.minimum(np.searchsorted(self.sums, wanted - 0.25), len(self.sums) - 1)
        inside = (wanted - (self.sums[row] - self.counts[row]) - 0.5) / self.counts[row]
        bins = self.bins[row].astype(np.float64)
        is_zero = self.bins[row] == COARSE_ZERO
        return tuple(
            np.where(there, np.where(is_zero, 0.0, np.exp((bins + part) * LOG_WIDTH)), np.nan)
            for part in (inside, 0.0, 1.0)
        )


def _columns(
    layout: _Layout, quantiles: Mapping[str, float], n: NDArray[np.float64], worth: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    from scipy.stats import binom  # noqa: PLC0415 - costs a second to import

    columns = {}
    for name, q in quantiles.items():
        shows = n * (1 - q) >= MIN_BEYOND - 1e-9
        low, high = binom.ppf(_TAIL, worth, q), binom.ppf(1 - _TAIL, worth, q) + 1
        ranks = (
            np.ceil(n * q - 1e-9),
            np.floor(low * n / worth),
            np.where(high > worth, np.inf, np.ceil(high * n / worth)),
        )
        columns[f"{name}_ms"] = np.where(shows, layout.at(ranks[0])[0], np.nan)
        columns[f"{name}_low_ms"] = np.where(shows, layout.at(ranks[1])[1], np.nan)
        columns[f"{name}_high_ms"] = np.where(shows, layout.at(ranks[2])[2], np.nan)
    return columns
