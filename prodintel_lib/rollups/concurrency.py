"""How many requests were in flight, from their overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from typing import Any

CONCURRENCY_SCHEMA: Final[dict[str, pl.DataType]] = {"time_us": pl.Int64(), "in_flight": pl.Int64()}
US_PER_MS: Final = 1000


def build_concurrency(requests: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Sweep over the requests' starts and ends and count those in flight.

    Parameters
    ----------
    requests : narwhals.LazyFrame
        ``time_us`` (start, µs) and ``duration_ms``; entry requests, or any spans.

    Returns
    -------
    narwhals.LazyFrame
        ``time_us, in_flight``, unordered: a row for each time at which the number may change, with the number from that
        time on until the next. A request is in flight from its start, inclusive, to its end, exclusive; one that took
        no whole microsecond never is.
    """
    # Half a microsecond up, then down to a whole: engines round halves differently, but all cut alike.
    end_us = nw.col("time_us") + (nw.col("duration_ms") * US_PER_MS + 0.5).floor().cast(nw.Int64)
    starts = requests.select(nw.col("time_us"), nw.lit(1).cast(nw.Int64).alias("change"))
    ends = requests.select(end_us.alias("time_us"), nw.lit(-1).cast(nw.Int64).alias("change"))
    changes = nw.concat([starts, ends], how="vertical").group_by("time_us").agg(nw.col("change").sum())
    # One row a time, so that the running sum needs no tie-breaker.
    return changes.select(nw.col("time_us"), nw.col("change").cum_sum().over(order_by="time_us").alias("in_flight"))
