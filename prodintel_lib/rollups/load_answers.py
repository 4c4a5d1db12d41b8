"""What requests were answered with and how long it took, counted by endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.histograms import bin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LOAD_ANSWERS_KEYS: Final[Sequence[str]] = ("endpoint", "method", "status", "failed", "bin")
LOAD_ANSWERS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "endpoint": pl.String(),
    "method": pl.String(),
    "status": pl.Int64(),
    "failed": pl.Boolean(),
    "bin": pl.Int64(),
    "requests": pl.Int64(),
}
NO_STATUS: Final = 0
"""Of a request that was not answered, or whose source does not say how."""

NO_DURATION: Final = -(1 << 31)
"""The bin of the requests whose duration is not known."""


def build_load_answers(requests: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count requests by endpoint, method, status and duration: a table as large as there are such kinds.

    Parameters
    ----------
    requests : narwhals.LazyFrame
        As load_requests.load_requests makes it, with ``http_response_status_code`` kept.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LOAD_ANSWERS_SCHEMA, unordered, a row for each of LOAD_ANSWERS_KEYS that occurred:

        - ``status``: NO_STATUS where there is none
        - ``bin``: of the duration in ms, as histograms.bin_of makes it; NO_DURATION where it is not known
    """
    # Null keys do not group alike on every engine.
    return (
        requests.select(
            "endpoint",
            "method",
            nw.col("http_response_status_code").cast(nw.Int64).fill_null(NO_STATUS).alias("status"),
            "failed",
            bin_of("duration_ms").fill_null(NO_DURATION).alias("bin"),
        )
        .group_by(*LOAD_ANSWERS_KEYS)
        .agg(nw.len().cast(nw.Int64).alias("requests"))
        .select(*LOAD_ANSWERS_SCHEMA)
    )
