"""The time each service spends itself: its spans less what they wait for, and the time lost between two services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us, operation

if TYPE_CHECKING:
    from typing import Any

OWN_TIME_KEYS: Final = ("bucket_us", "service_name", "operation", "callee")
OWN_TIME_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "service_name": pl.String(),
    "operation": pl.String(),
    "callee": pl.String(),
    "spans": pl.Int64(),
    "own_ms": pl.Float64(),
    "own_log": pl.Float64(),
    "own_log_squares": pl.Float64(),
}


def build_own_time(spans: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Sum the own time of spans by bucket, service and operation.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of OWN_TIME_SCHEMA, unordered, one row for each of OWN_TIME_KEYS that occurred:

        - ``operation``: the route's template, or the span's name; empty where it has neither
        - ``callee``: the other service that has a child under these spans; empty where none has. Their own time is then
          what was lost on the way to it and back.
        - ``spans``; ``own_ms``: the sum of their durations less those of their children, each at least zero
        - ``own_log``, ``own_log_squares``: the sums of ``log(1 + own time in ms)`` and of its square, from which a mean
          and a deviation follow that a few slow spans do not decide

    Notes
    -----
    Children that overlap are taken off twice: own time is a lower bound where calls are made at once.
    """
    known = spans.filter(~nw.col("service_name").is_null())
    children = (
        known.filter(~nw.col("parent_span_id").is_null())
        .group_by("trace_id", "parent_span_id")
        .agg(
            nw.col("duration_ms").sum().alias("children_ms"),
            nw.col("service_name").min().alias("least"),
            nw.col("service_name").max().alias("most"),
        )
        .rename({"parent_span_id": "span_id"})
    )
    joined = known.join(children, on=["trace_id", "span_id"], how="left")
    own_ms = nw.col("duration_ms") - nw.col("children_ms").fill_null(0.0)
    other = (
        nw.when(nw.col("least") != nw.col("service_name"))
        .then(nw.col("least"))
        .when(nw.col("most") != nw.col("service_name"))
        .then(nw.col("most"))
        .otherwise(nw.lit(""))
    )
    prepared = joined.with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        nw.when(own_ms > 0).then(own_ms).otherwise(nw.lit(0.0)).alias("own_ms"),
        operation().fill_null("").alias("operation"),
        other.fill_null("").alias("callee"),
    ).with_columns((nw.col("own_ms") + 1.0).log().alias("own_log"))
    return prepared.group_by(*OWN_TIME_KEYS).agg(
        nw.len().alias("spans"),
        nw.col("own_ms").sum(),
        nw.col("own_log").sum(),
        (nw.col("own_log") * nw.col("own_log")).sum().alias("own_log_squares"),
    )
