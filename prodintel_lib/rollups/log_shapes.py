"""The shapes of what was logged: every distinct masked line of every service, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.log_masks import clean_line, mask_line

if TYPE_CHECKING:
    from typing import Any

LOG_SHAPES_KEYS: Final = ("service_name", "shape")
LOG_SHAPES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "service_name": pl.String(),
    "shape": pl.String(),
    "rows": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "example": pl.String(),
    "example_last": pl.String(),
}


def build_log_shapes(events: nw.LazyFrame[Any], *, message: str = "message") -> nw.LazyFrame[Any]:
    """Count log lines by service and shape of the message.

    Parameters
    ----------
    events : narwhals.LazyFrame
        ``time_us``, ``service_name`` and the column `message`.
    message : str
        The column that holds the text.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LOG_SHAPES_SCHEMA, unordered, one row for each of LOG_SHAPES_KEYS that occurred:

        - ``service_name``: empty where the row names none
        - ``shape``: log_masks.mask_message of the text
        - ``rows``; ``first_us`` and ``last_us``: how many, when the first and the last
        - ``example`` and ``example_last``: the smallest and the largest first line, as they came but for blanks: what
          differs between them varies
    """
    return count_log_shapes(mask_log_lines(events, message=message))


def mask_log_lines(events: nw.LazyFrame[Any], *, message: str = "message") -> nw.LazyFrame[Any]:
    """Add ``line``, the first line of the column `message` cleaned, and ``shape``, that line masked.

    Masking is most of the work: where the pattern of each row is wanted too, keep what this returns, and join to it.
    """
    return events.with_columns(clean_line(nw.col(message)).alias("line")).with_columns(
        mask_line(nw.col("line")).alias("shape")
    )


def count_log_shapes(masked: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count lines that :func:`mask_log_lines` masked, as :func:`build_log_shapes` does."""
    # Null keys do not group alike on every engine.
    filled = masked.with_columns(nw.col("service_name").fill_null(""))
    return filled.group_by(*LOG_SHAPES_KEYS).agg(
        nw.len().alias("rows"),
        nw.col("time_us").min().alias("first_us"),
        nw.col("time_us").max().alias("last_us"),
        nw.col("line").min().alias("example"),
        nw.col("line").max().alias("example_last"),
    )
