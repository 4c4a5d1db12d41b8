"""How many log rows of which level each service wrote, by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us, log_level

if TYPE_CHECKING:
    from typing import Any

LOG_LEVELS_KEYS: Final = ("bucket_us", "service_name")
LOG_LEVELS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "service_name": pl.String(),
    "errors": pl.Int64(),
    "warnings": pl.Int64(),
    "rows": pl.Int64(),
}


def build_log_levels(logs: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Count log rows by bucket, service and level.

    Parameters
    ----------
    logs : narwhals.LazyFrame
        The canonical table ``logs``; rows without a time are left out.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LOG_LEVELS_SCHEMA, unordered, a row for each of LOG_LEVELS_KEYS that occurred: ``errors`` and
        ``warnings`` (expressions.log_level) of the ``rows``; ``service_name`` is empty where a row names none.
    """
    level = log_level()
    prepared = logs.filter(~nw.col("time_us").is_null()).with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        nw.col("service_name").fill_null(""),
        (level == nw.lit("error")).cast(nw.Int64).alias("errors"),
        (level == nw.lit("warning")).cast(nw.Int64).alias("warnings"),
    )
    return prepared.group_by(*LOG_LEVELS_KEYS).agg(
        nw.col("errors").sum(), nw.col("warnings").sum(), nw.len().alias("rows")
    )
