"""When anything was recorded at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us

if TYPE_CHECKING:
    from typing import Any

RECORDED_SCHEMA: Final[dict[str, pl.DataType]] = {"bucket_us": pl.Int64(), "rows": pl.Int64()}


def build_recorded(table: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Count the rows of a table by bucket.

    Parameters
    ----------
    table : narwhals.LazyFrame
        Any with ``time_us``; rows without a time are left out.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of RECORDED_SCHEMA, unordered, a row for each bucket that has one.
    """
    timed = table.filter(~nw.col("time_us").is_null()).select(bucket_us(bucket_s).alias("bucket_us"))
    return timed.group_by("bucket_us").agg(nw.len().alias("rows"))
