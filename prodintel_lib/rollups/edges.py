"""The service graph: who calls whom, how often, how long, how well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.calls import build_calls
from prodintel_lib.rollups.expressions import bucket_us

if TYPE_CHECKING:
    from typing import Any

EDGE_KEYS: Final = ("caller", "dependency", "call_kind")
EDGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "caller": pl.String(),
    "dependency": pl.String(),
    "call_kind": pl.String(),
    "has_own_spans": pl.Boolean(),
    "calls": pl.Int64(),
    "failed": pl.Int64(),
    "duration_ms_sum": pl.Float64(),
    "duration_ms_p50": pl.Float64(),
    "duration_ms_p95": pl.Float64(),
    "duration_ms_p99": pl.Float64(),
    "duration_ms_max": pl.Float64(),
}


def build_edges(spans: nw.LazyFrame[Any], *, bucket_s: int | None = None) -> nw.LazyFrame[Any]:
    """Sum up calls by caller and dependency.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    bucket_s : int, optional
        Width of a bucket, seconds; without it the edges are over all the time.

    Returns
    -------
    narwhals.LazyFrame
        Columns of EDGES_SCHEMA, unordered, one row for each of EDGE_KEYS that occurred (and ``bucket_us``, the start of
        the bucket in µs since the epoch, where `bucket_s` is given):

        - ``dependency``, ``call_kind``: see calls.build_calls
        - ``has_own_spans``: whether the dependency sent spans of its own for at least one of the calls
        - ``calls``, ``failed``: calls that began in the bucket, and those of them that failed for the caller
        - ``duration_ms_*``: sum, exact linear quantiles and maximum as the caller saw them, ms
    """
    duration = nw.col("duration_ms")
    calls = build_calls(spans).with_columns(
        nw.col("failed").cast(nw.Int64), nw.col("has_own_spans").cast(nw.Int64).alias("answered")
    )
    keys = list(EDGE_KEYS)
    if bucket_s is not None:
        calls = calls.with_columns(bucket_us(bucket_s).alias("bucket_us"))
        keys = ["bucket_us", *keys]
    edges = calls.group_by(*keys).agg(
        nw.len().alias("calls"),
        nw.col("failed").sum(),
        nw.col("answered").max(),
        duration.sum().alias("duration_ms_sum"),
        duration.quantile(0.50, interpolation="linear").alias("duration_ms_p50"),
        duration.quantile(0.95, interpolation="linear").alias("duration_ms_p95"),
        duration.quantile(0.99, interpolation="linear").alias("duration_ms_p99"),
        duration.max().alias("duration_ms_max"),
    )
    return edges.with_columns((nw.col("answered") > 0).alias("has_own_spans")).drop("answered")
