"""Gauges and rates of counters, one row a series and bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us
from prodintel_lib.rollups.metric_points import build_metric_points

if TYPE_CHECKING:
    from typing import Any

METRIC_BUCKETS_KEYS: Final = (
    "bucket_us",
    "metric_name",
    "metric_unit",
    "service_name",
    "service_instance_id",
    "series",
)
METRIC_BUCKETS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "metric_name": pl.String(),
    "metric_unit": pl.String(),
    "service_name": pl.String(),
    "service_instance_id": pl.String(),
    "series": pl.String(),
    "is_rate": pl.Boolean(),
    "mean": pl.Float64(),
    "max": pl.Float64(),
    "last": pl.Float64(),
    "n": pl.Int64(),
}


def build_metric_buckets(metrics: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Sum up the points of each metric's series by bucket.

    Parameters
    ----------
    metrics : narwhals.LazyFrame
        The canonical table ``metrics``; histograms and summaries are passed over.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of METRIC_BUCKETS_SCHEMA, unordered, a row for each of METRIC_BUCKETS_KEYS that occurred:

        - ``series``: the point's own attributes, as metric_points.build_metric_points writes them
        - ``is_rate``: whether the values are rates; then their unit is ``metric_unit`` a second
        - ``mean``, ``max``, ``last``: of the bucket's points; of several points at the last moment the largest
        - ``n``: points
    """
    points = build_metric_points(metrics).with_columns(
        bucket_us(bucket_s).alias("bucket_us"), nw.col("metric_unit").fill_null("")
    )
    last_us = nw.col("time_us").max().over(*METRIC_BUCKETS_KEYS)
    marked = points.with_columns(nw.when(nw.col("time_us") == last_us).then(nw.col("value")).alias("_last"))
    return marked.group_by(*METRIC_BUCKETS_KEYS).agg(
        nw.col("is_rate").max(),
        nw.col("value").mean().alias("mean"),
        nw.col("value").max().alias("max"),
        nw.col("_last").max().alias("last"),
        nw.len().alias("n"),
    )
