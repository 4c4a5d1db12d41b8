"""Which time counts as healthy: what a monitor expects must not be learned from an outage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.rollups.request_bins import coarse_value_of
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.production import Production
    from prodintel_lib.windows import Window

MAX_P: Final = 1e-6
"""A bucket is no part of healthy time where so many bad requests come so rarely, over all buckets and routes."""

SLOW_RATIO: Final = 10.0
MIN_BAD: Final = 3
EDGE_S: Final = 30
"""What is found abnormal may have begun a little earlier, and end a little later."""


@dataclass(frozen=True, slots=True, eq=False)
class HealthyTime:
    """The requests of healthy buckets.

    Attributes
    ----------
    requests : polars.DataFrame
        Rows of request_bins, entry requests of the window only.
    buckets : array of int
        Starts of the healthy buckets that have requests, µs, increasing.
    bucket_us : int
    in_incidents, abnormal, recorded : int
        Buckets left out since an incident was open, since far more requests than usual failed or were slow, and all.
    """

    requests: pl.DataFrame
    buckets: NDArray[np.int64]
    bucket_us: int
    in_incidents: int
    abnormal: int
    recorded: int

    @property
    def says(self) -> str:
        """Say what counted, in a sentence."""
        width_min = self.bucket_us / US_PER_S / 60
        calm, open_, odd = (n * width_min for n in (len(self.buckets), self.in_incidents, self.abnormal))
        return (
            f"Healthy time: {calm:,.0f} of {self.recorded * width_min:,.0f} recorded minutes; {open_:,.1f} were in "
            f"open incidents, and in {odd:,.1f} more far more requests than usual failed or were slow."
        )

    def contains(self, times_us: pl.Series) -> pl.Series:
        """Say of each time whether it lies in a healthy bucket."""
        return (times_us // self.bucket_us * self.bucket_us).is_in(self.buckets.tolist())


def find_healthy_time(production: Production, window: Window) -> HealthyTime:
    """Find the buckets of a window in which production was healthy.

    Parameters
    ----------
    production : Production
        Its incidents and its requests.
    window : Window

    Notes
    -----
    A bucket is abnormal where the bad requests of some route in it are too many for the share that the route has in
    the better half of its buckets: the binomial tail, times the buckets tried (Bonferroni), is under MAX_P. Bad is
    what failed or took SLOW_RATIO times the route's median.
    """
    entries = production.requests.filter(
        pl.col("is_entry") & pl.col("bucket_us").is_between(window.start_us, window.end_us - 1)
    )
    every = np.unique(entries["bucket_us"].to_numpy())
    edge_us = max(EDGE_S * US_PER_S, production.bucket_us)
    open_ = np.zeros(len(every), dtype=np.bool_)
    for start_us, end_us in production.incidents.select("time_us", "end_time_us").iter_rows():
        # One without an end is open to the end of the window.
        open_ |= (every >= start_us - edge_us) & (every < (end_us or window.end_us) + edge_us)
    calm = entries.filter(pl.col("bucket_us").is_in(every[~open_].tolist()))
    abnormal = _abnormal(calm, every[~open_], edge_us)
    healthy = every[~open_][~abnormal]
    return HealthyTime(
        requests=entries.filter(pl.col("bucket_us").is_in(healthy.tolist())),
        buckets=healthy,
        bucket_us=production.bucket_us,
        in_incidents=int(open_.sum()),
        abnormal=int(abnormal.sum()),
        recorded=len(every),
    )


def _abnormal(requests: pl.DataFrame, buckets: NDArray[np.int64], edge_us: int) -> NDArray[np.bool_]:
    found = np.zeros(len(buckets), dtype=np.bool_)
    tried = max(1, requests.select("route", "bucket_us").n_unique())
    for _, rows in requests.group_by("route", maintain_order=True):
        for start_us in _improbable(rows, MAX_P / tried):
            found |= np.abs(buckets - start_us) <= edge_us
    return found


def _improbable(rows: pl.DataFrame, max_p: float) -> NDArray[np.int64]:
    """Return the buckets of a route with too many bad requests for what it has in the better half of them."""
    from scipy import special  # noqa: PLC0415 - scipy costs half a second to import

    values = np.nan_to_num(coarse_value_of(rows["bin"].to_numpy()))
    slow = values > SLOW_RATIO * _median(values, rows["requests"].to_numpy())
    # What fails may be slow as well: the larger of the two, a row at a time.
    bad = pl.Series(np.where(slow, rows["requests"].to_numpy(), rows["failed"].to_numpy()))
    counted = (
        rows.with_columns(bad.alias("bad"))
        .group_by("bucket_us")
        .agg(pl.col("requests").sum(), pl.col("bad").sum())
        .sort("bucket_us")
    )
    n, hits = counted["requests"].to_numpy(), counted["bad"].to_numpy()
    better = np.argsort(hits / n, kind="stable")[: max(1, len(n) // 2)]
    usual = (hits[better].sum() + 1) / (n[better].sum() + 2)
    tail = np.where(hits >= MIN_BAD, special.bdtrc(np.maximum(hits - 1, 0), n, usual), 1.0)
    found: NDArray[np.int64] = counted["bucket_us"].to_numpy()[tail < max_p]
    return found


def _median(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(counts[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
