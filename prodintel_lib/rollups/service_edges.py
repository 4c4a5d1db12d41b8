"""Who calls whom, where nobody recorded the calls themselves: from the parents of what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import is_failed

if TYPE_CHECKING:
    from typing import Any

SERVICE_EDGES_KEYS: Final = ("caller", "dependency")
SERVICE_EDGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "caller": pl.String(),
    "dependency": pl.String(),
    "calls": pl.Int64(),
    "failed": pl.Int64(),
}
_CALLS: Final = ("client", "producer")
_ANSWERS: Final = ("server", "consumer")


def build_service_edges(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count what a service answered right below a span of another service.

    Sidecars, gateways and probes in the kernel record the answers of services and none of their calls: the parent of an
    answer is then the answer it was made for. Where a call lies between them, calls.build_calls counts it.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of SERVICE_EDGES_SCHEMA, unordered, a row a pair of different services; ``failed`` are answers that
        failed.
    """
    callers = spans.filter(~nw.col("span_kind").is_in(_CALLS).fill_null(value=False)).select(
        "trace_id", nw.col("span_id").alias("parent_span_id"), nw.col("service_name").alias("caller")
    )
    answers = spans.filter(nw.col("span_kind").is_in(_ANSWERS), ~nw.col("parent_span_id").is_null()).select(
        "trace_id",
        "parent_span_id",
        nw.col("service_name").alias("dependency"),
        is_failed().cast(nw.Int64).alias("failed"),
    )
    pairs = answers.join(callers, on=["trace_id", "parent_span_id"], how="inner").filter(
        nw.col("caller") != nw.col("dependency")
    )
    return pairs.group_by(*SERVICE_EDGES_KEYS).agg(nw.len().alias("calls"), nw.col("failed").sum())
