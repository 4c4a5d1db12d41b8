"""What every service logged, by severity and shape of message, and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us, log_level

if TYPE_CHECKING:
    from typing import Any

LOG_EVENTS_KEYS: Final = ("bucket_us", "service_name", "level", "shape")
LOG_EVENTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "service_name": pl.String(),
    "level": pl.String(),
    "shape": pl.String(),
    "rows": pl.Int64(),
    "messages": pl.Int64(),
    "first_us": pl.Int64(),
    "example": pl.String(),
    "example_error_type": pl.String(),
    "example_stacktrace": pl.String(),
    "example_attributes": pl.String(),
}
SHAPE_LENGTH: Final = 200
# In the order they apply: what varies from one message to the next without changing what is said.
_MASKS: Final = (
    ("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22,}", "<id>"),
    ("[0-9a-fA-F]{12,}", "<id>"),
    ("0x[0-9a-fA-F]+", "<n>"),
    ("[0-9]+([.:,][0-9]+)*", "<n>"),
)


def build_log_events(logs: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Count log rows by bucket, service, level and shape of the message.

    Parameters
    ----------
    logs : narwhals.LazyFrame
        The canonical table ``logs``.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LOG_EVENTS_SCHEMA, unordered, one row for each of LOG_EVENTS_KEYS that occurred:

        - ``service_name``: empty where the row names none
        - ``level``: ``error``, ``warning`` or ``info``: OpenTelemetry's number where there is one, else the text; a row
          that names an exception without either is an error
        - ``shape``: the first 200 characters of the message with numbers and ids masked
        - ``rows``; ``messages``: how many of their messages differ; ``first_us``: the time of the first
        - ``example_*``: the smallest text of each, so that every engine shows the same
    """
    message = nw.coalesce("body", "exception_message", "error_type").fill_null("")
    shape = message.str.slice(0, 2 * SHAPE_LENGTH)
    for pattern, mask in _MASKS:
        shape = shape.str.replace_all(pattern, mask)
    prepared = logs.filter(~nw.col("time_us").is_null()).with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        # Null keys do not group alike on every engine.
        nw.col("service_name").fill_null(""),
        log_level().alias("level"),
        message.alias("message"),
        shape.str.slice(0, SHAPE_LENGTH).alias("shape"),
    )
    return prepared.group_by(*LOG_EVENTS_KEYS).agg(
        nw.len().alias("rows"),
        nw.col("message").n_unique().alias("messages"),
        nw.col("time_us").min().alias("first_us"),
        nw.col("message").min().alias("example"),
        nw.col("error_type").min().alias("example_error_type"),
        nw.col("exception_stacktrace").min().alias("example_stacktrace"),
        nw.col("attributes").min().alias("example_attributes"),
    )
