"""How requests ended that did not end well: by answer and class of error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us, is_failed, route_label, with_entry_flag

if TYPE_CHECKING:
    from typing import Any

REQUEST_FAILURES_KEYS: Final = ("bucket_us", "service_name", "route", "is_entry", "status", "error_type")
REQUEST_FAILURES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "service_name": pl.String(),
    "route": pl.String(),
    "is_entry": pl.Boolean(),
    "status": pl.Int64(),
    "error_type": pl.String(),
    "requests": pl.Int64(),
}
CLIENT_ERROR: Final = 400
NO_STATUS: Final = -1
"""Where nothing was answered, or no status was recorded."""


def build_request_failures(spans: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Count the requests that failed, and those refused with 400 to 499, by what was answered.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of REQUEST_FAILURES_SCHEMA, unordered, a row for each of REQUEST_FAILURES_KEYS that occurred; ``status``
        is NO_STATUS and ``error_type`` empty where none was recorded.
    """
    status = nw.col("http_response_status_code").fill_null(NO_STATUS)
    ended_badly = with_entry_flag(spans).filter(is_failed() | (status >= CLIENT_ERROR))
    prepared = ended_badly.with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        nw.col("service_name").fill_null(""),
        route_label().fill_null("").alias("route"),
        status.alias("status"),
        nw.col("error_type").fill_null(""),
    )
    return prepared.group_by(*REQUEST_FAILURES_KEYS).agg(nw.len().alias("requests"))
