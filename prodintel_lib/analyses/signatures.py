"""Failing requests grouped by how they failed: the route, what the user got, and the deepest error behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import number, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

MESSAGE_LENGTH: Final = 160
# Masks in the order they apply: what varies from request to request without changing what is said.
_MASKS: Final = (
    (r"0x[0-9a-fA-F]+", "<hex>"),
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}", "<id>"),
    (r"\b[0-9a-fA-F]{12,}\b", "<id>"),
    (r"[0-9]+(\.[0-9]+)?", "<n>"),
)


@dataclass(frozen=True, slots=True)
class Signatures:
    """Groups of bad requests, largest first.

    Attributes
    ----------
    groups : polars.DataFrame
        ``route, outcome, origin_service, error_type, message, requests, share, low, high, p50_ms, first_us,
        example_trace_id``. ``outcome`` is what the user got: a status, or ``slow``; ``origin_service`` is where the
        deepest error was recorded; ``message`` its text with what varies masked.
    bad_requests : int
        The denominator of ``share``.
    """

    groups: pl.DataFrame
    bad_requests: int

    def _repr_html_(self) -> str:
        rows = [
            [
                number(row["requests"]),
                percent(row["share"]),
                text(row["route"]),
                text(row["outcome"]),
                number(row["p50_ms"], digits=0, unit="ms"),
                text(row["origin_service"]),
                text(": ".join(part for part in (row["error_type"], row["message"]) if part) or None),
            ]
            for row in self.groups.head(12).iter_rows(named=True)
        ]
        shown = int(self.groups.head(12)["requests"].sum()) if self.groups.height else 0
        headers = ["Requests", "Share", "Route", "Users got", "Median", "Deepest error in", "Which says"]
        caption = f"{shown:,} of {self.bad_requests:,} bad requests in {self.groups.height} groups."
        return str(table(headers, rows, align="rrllrll", caption=caption))


def group_failures(requests: pl.DataFrame, error_spans: pl.DataFrame, *, window: Window) -> Signatures:
    """Group the bad requests of the window.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``time_us, trace_id, route, bad, failed, http_response_status_code, duration_ms``.
    error_spans : polars.DataFrame
        Spans with an error: ``trace_id, span_id, parent_span_id, time_us, service_name, error_type,
        exception_message, status_message``.
    """
    bad = (
        within(requests, window)
        .filter(pl.col("bad"))
        .select("time_us", "trace_id", "route", "duration_ms", describe_outcome().alias("outcome"))
    )
    joined = bad.join(find_deepest_errors(error_spans), on="trace_id", how="left")
    groups = (
        joined.group_by("route", "outcome", "origin_service", "error_type", "message")
        .agg(
            pl.len().cast(pl.Int64).alias("requests"),
            pl.col("duration_ms").median().alias("p50_ms"),
            pl.col("time_us").min().alias("first_us"),
            pl.col("trace_id").sort_by("time_us", "trace_id").first().alias("example_trace_id"),
        )
        .sort("requests", "route", "outcome", "message", descending=[True, False, False, False])
    )
    parts = [Proportion.of(n, bad.height) for n in groups["requests"]]
    return Signatures(
        groups.with_columns(
            pl.Series("share", [part.share for part in parts], dtype=pl.Float64),
            pl.Series("low", [part.low for part in parts], dtype=pl.Float64),
            pl.Series("high", [part.high for part in parts], dtype=pl.Float64),
        ),
        bad.height,
    )


def describe_outcome() -> pl.Expr:
    """Say what the user got: the status of a failed request, ``slow (200)`` of one that only took too long."""
    status = pl.col("http_response_status_code").cast(pl.String).fill_null("no answer")
    return pl.when(pl.col("failed")).then(status).otherwise(pl.concat_str(pl.lit("slow ("), status, pl.lit(")")))


def find_deepest_errors(error_spans: pl.DataFrame) -> pl.DataFrame:
    """Find, for each trace, the error that no other error lies under; the earliest where there are several.

    Returns
    -------
    polars.DataFrame
        One row a trace: ``trace_id, origin_service, error_type, message``.
    """
    message = pl.coalesce("exception_message", "status_message").fill_null("").str.split("\n").list.first()
    for pattern, mask in _MASKS:
        message = message.str.replace_all(pattern, mask)
    parents = error_spans.select("trace_id", pl.col("parent_span_id").alias("span_id")).drop_nulls().unique()
    return (
        error_spans.join(parents, on=["trace_id", "span_id"], how="anti")
        .sort("time_us", "span_id")
        .group_by("trace_id", maintain_order=True)
        .first()
        .select(
            "trace_id",
            pl.col("service_name").alias("origin_service"),
            "error_type",
            message.str.slice(0, MESSAGE_LENGTH).alias("message"),
        )
    )
