"""Calls of dependencies: one row a client span, with whom it called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import is_failed

if TYPE_CHECKING:
    from typing import Any

CALLS_SCHEMA: Final = {
    "time_us": pl.Int64(),
    "duration_ms": pl.Float64(),
    "trace_id": pl.String(),
    "span_id": pl.String(),
    "parent_span_id": pl.String(),
    "caller": pl.String(),
    "caller_version": pl.String(),
    "dependency": pl.String(),
    "call_kind": pl.String(),
    "failed": pl.Boolean(),
    "http_response_status_code": pl.Int64(),
    "error_type": pl.String(),
    "has_own_spans": pl.Boolean(),
}
"""The result's columns for engines.collect; a call is told apart by ``trace_id, span_id``."""


def build_calls(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Find out whom each outgoing call went to.

    The dependency is the service whose span has the call as its parent; where the callee sent none, the name its owner
    gave (``peer_service``); else the one service that answers at the address that was called, as other calls show; for
    a database its system and owner; else the address.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.

    Returns
    -------
    narwhals.LazyFrame
        One row a call: ``time_us, duration_ms, trace_id, span_id, parent_span_id, caller, caller_version, dependency,
        call_kind`` (``http``, ``database``, ``messaging``), ``failed, http_response_status_code, error_type,
        has_own_spans``.
    """
    callees = (
        spans.filter(nw.col("span_kind").is_in(["server", "consumer"]), ~nw.col("parent_span_id").is_null())
        .group_by("trace_id", "parent_span_id")
        .agg(nw.col("service_name").min().alias("callee"))
        .rename({"parent_span_id": "span_id"})
    )
    calls = spans.filter(nw.col("span_kind").is_in(["client", "producer"])).join(
        callees, on=["trace_id", "span_id"], how="left"
    )
    # A call that timed out before it was taken in has no callee; whoever else answers there is meant.
    known = (
        calls.filter(~nw.col("callee").is_null(), ~nw.col("server_address").is_null(), ~nw.col("server_port").is_null())
        .group_by("server_address", "server_port")
        .agg(nw.col("callee").min().alias("resident"), nw.col("callee").max().alias("other"))
        .filter(nw.col("resident") == nw.col("other"))
        .drop("other")
    )
    calls = calls.join(known, on=["server_address", "server_port"], how="left")
    is_database = ~nw.col("db_system_name").is_null()
    kind = (
        nw.when(is_database)
        .then(nw.lit("database"))
        .when(nw.col("span_kind") == nw.lit("producer"))
        .then(nw.lit("messaging"))
        .otherwise(nw.lit("http"))
    )
    database = nw.concat_str(nw.col("service_name"), nw.col("db_system_name"), separator=" ", ignore_nulls=True)
    other = nw.coalesce("callee", "peer_service", "resident", "server_address", nw.lit("unknown"))
    return calls.select(
        "time_us",
        "duration_ms",
        "trace_id",
        "span_id",
        "parent_span_id",
        nw.col("service_name").alias("caller"),
        nw.col("service_version").alias("caller_version"),
        nw.when(is_database).then(database).otherwise(other).alias("dependency"),
        kind.alias("call_kind"),
        is_failed().alias("failed"),
        "http_response_status_code",
        "error_type",
        (~nw.col("callee").is_null()).alias("has_own_spans"),
    )
