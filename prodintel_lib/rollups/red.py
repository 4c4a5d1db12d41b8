"""Rate, errors, duration: what every service answered, by operation and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us, is_failed, operation, with_entry_flag

if TYPE_CHECKING:
    from typing import Any

RED_KEYS: Final = ("bucket_us", "service_name", "http_request_method", "operation", "is_entry")
RED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "service_name": pl.String(),
    "http_request_method": pl.String(),
    "operation": pl.String(),
    "is_entry": pl.Boolean(),
    "requests": pl.Int64(),
    "failed": pl.Int64(),
    "duration_ms_sum": pl.Float64(),
    "duration_ms_p50": pl.Float64(),
    "duration_ms_p95": pl.Float64(),
    "duration_ms_p99": pl.Float64(),
    "duration_ms_max": pl.Float64(),
}


def build_red(spans: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Count and time server spans by bucket, service and operation.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of RED_SCHEMA, unordered, one row for each of RED_KEYS that occurred:

        - ``bucket_us``: start of the bucket, µs since the epoch, UTC
        - ``operation``: the route's template, or the span's name
        - ``is_entry``: whether users feel it; see expressions.with_entry_flag
        - ``requests``, ``failed``: server spans that began in the bucket, and those of them that failed
        - ``duration_ms_*``: sum, exact linear quantiles and maximum of their durations, ms
    """
    duration = nw.col("duration_ms")
    prepared = with_entry_flag(spans).with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        operation().alias("operation"),
        is_failed().cast(nw.Int64).alias("failed"),
    )
    return prepared.group_by(*RED_KEYS).agg(
        nw.len().alias("requests"),
        nw.col("failed").sum(),
        duration.sum().alias("duration_ms_sum"),
        duration.quantile(0.50, interpolation="linear").alias("duration_ms_p50"),
        duration.quantile(0.95, interpolation="linear").alias("duration_ms_p95"),
        duration.quantile(0.99, interpolation="linear").alias("duration_ms_p99"),
        duration.max().alias("duration_ms_max"),
    )
