"""Errors that were logged in the course of a request: one row a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import log_level

if TYPE_CHECKING:
    from typing import Any

TRACE_ERRORS_KEYS: Final = ("trace_id",)
TRACE_ERRORS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "trace_id": pl.String(),
    "time_us": pl.Int64(),
    "error_logs": pl.Int64(),
    "service_name": pl.String(),
    "error_type": pl.String(),
    "message": pl.String(),
}
MESSAGE_LENGTH: Final = 1000


def build_trace_errors(logs: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Find, for each trace in which an error was logged, the first one.

    Parameters
    ----------
    logs : narwhals.LazyFrame
        The canonical table ``logs``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of TRACE_ERRORS_SCHEMA, unordered, one row a trace:

        - ``error_logs``: rows of level error (see expressions.log_level) that name the trace
        - ``time_us, service_name, error_type, message``: of the first of them; among several of one time, the smallest
          text of each, so that every engine shows the same. The message is at most 1,000 characters
    """
    errors = logs.filter(~nw.col("trace_id").is_null(), log_level() == nw.lit("error")).with_columns(
        nw.coalesce("body", "exception_message", "error_type")
        .fill_null("")
        .str.slice(0, MESSAGE_LENGTH)
        .alias("message")
    )
    counted = errors.group_by("trace_id").agg(nw.len().alias("error_logs"), nw.col("time_us").min().alias("first_us"))
    first = errors.join(counted, on="trace_id", how="inner").filter(nw.col("time_us") == nw.col("first_us"))
    return first.group_by("trace_id").agg(
        nw.col("time_us").min(),
        nw.col("error_logs").min(),
        nw.col("service_name").min(),
        nw.col("error_type").min(),
        nw.col("message").min(),
    )
