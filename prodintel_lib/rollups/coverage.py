"""How much of a table there is, and of what time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from typing import Any

COVERAGE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "rows": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
}


def build_coverage(table: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count a table's rows and find the first and the last time.

    Parameters
    ----------
    table : narwhals.LazyFrame
        Any with ``time_us``.

    Returns
    -------
    narwhals.LazyFrame
        One row with the columns of COVERAGE_SCHEMA; the times are null where there are no rows.
    """
    time_us = nw.col("time_us")
    return table.select(time_us.count().alias("rows"), time_us.min().alias("first_us"), time_us.max().alias("last_us"))
