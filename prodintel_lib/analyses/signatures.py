"""Failing requests grouped by how they failed: the route, what the user got, and the deepest error behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.log_errors import find_first_logged_errors
from prodintel_lib.analyses.messages import mask_message
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import Markup, number, paragraph, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

MAX_LOGGED: Final = 8


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
    logged : polars.DataFrame
        Errors in logs, whatever they belong to, the group that grew the most first (log_errors.group_log_errors).
    """

    groups: pl.DataFrame
    bad_requests: int
    logged: pl.DataFrame

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
        requests = table(headers, rows, align="rrllrll", caption=caption) if self.bad_requests else _no_bad_request()
        return str(requests + self._logged_table())

    def _logged_table(self) -> Markup:
        if self.logged.is_empty():
            return paragraph("No error was logged in the window.")
        rows = [
            [
                number(row["rows"]),
                number(row["per_minute"], digits=2),
                number(row["baseline_per_minute"], digits=2),
                number(row["baseline_rows"]),
                text(row["service_name"] or None),
                text(": ".join(part for part in (row["error_type"], row["message"]) if part) or None),
            ]
            for row in self.logged.head(MAX_LOGGED).iter_rows(named=True)
        ]
        total, groups = int(self.logged["rows"].sum()), self.logged.height
        caption = f"{total:,} errors in the logs of the window in {groups} groups; those that grew the most first."
        headers = ["Errors logged", "A minute", "A minute before", "n before", "Service", "Which says"]
        return table(headers, rows, align="rrrrll", caption=caption)


def _no_bad_request() -> Markup:
    return paragraph("No request of the window was bad.")


def group_failures(
    requests: pl.DataFrame,
    error_spans: pl.DataFrame,
    *,
    window: Window,
    trace_errors: pl.DataFrame,
    logged: pl.DataFrame,
) -> Signatures:
    """Group the bad requests of the window.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``time_us, trace_id, route, bad, failed, failed_by_logs, http_response_status_code,
        duration_ms``.
    error_spans : polars.DataFrame
        Spans with an error: ``trace_id, span_id, parent_span_id, time_us, service_name, error_type,
        exception_message, status_message``.
    trace_errors : polars.DataFrame
        The first error logged in each trace (rollups.trace_errors): it speaks where no span has an error.
    logged : polars.DataFrame
        Errors in logs by group (log_errors.group_log_errors).
    """
    bad = (
        within(requests, window)
        .filter(pl.col("bad"))
        .select("time_us", "trace_id", "route", "duration_ms", describe_outcome().alias("outcome"))
    )
    joined = _with_logged(bad.join(find_deepest_errors(error_spans), on="trace_id", how="left"), trace_errors)
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
        logged,
    )


def _with_logged(bad: pl.DataFrame, trace_errors: pl.DataFrame) -> pl.DataFrame:
    """Let the logs speak where no span does."""
    silent = pl.col("origin_service").is_null()
    columns = {"origin_service": "logged_in", "error_type": "logged_type", "message": "logged_message"}
    return bad.join(find_first_logged_errors(trace_errors), on="trace_id", how="left").with_columns(
        pl.when(silent).then(pl.col(logged)).otherwise(pl.col(name)).alias(name) for name, logged in columns.items()
    )


def describe_outcome() -> pl.Expr:
    """Say what the user got: the status of a failed request, ``slow (200)`` of one that only took too long."""
    answered = pl.col("http_response_status_code").cast(pl.String)
    asked = pl.col("http_request_method").is_not_null()
    status = pl.coalesce(answered, pl.when(asked).then(pl.lit("no answer")).otherwise(pl.lit("status not recorded")))
    failed = pl.when(pl.col("failed_by_logs")).then(pl.lit("error in its logs")).otherwise(status)
    return pl.when(pl.col("failed")).then(failed).otherwise(pl.concat_str(pl.lit("slow ("), status, pl.lit(")")))


def find_deepest_errors(error_spans: pl.DataFrame) -> pl.DataFrame:
    """Find, for each trace, the error that no other error lies under; the earliest where there are several.

    Returns
    -------
    polars.DataFrame
        One row a trace: ``trace_id, origin_service, error_type, message``.
    """
    message = pl.coalesce("exception_message", "status_message").fill_null("")
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
            mask_message(message).alias("message"),
        )
    )
