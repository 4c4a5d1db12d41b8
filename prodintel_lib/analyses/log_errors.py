"""Errors in logs as evidence: requests that failed by their logs, and the messages that began or grew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.messages import find_error_class, find_error_text, mask_message

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

_SETTLED: Final = ("ok", "error")


def mark_failed_by_logs(requests: pl.DataFrame, trace_errors: pl.DataFrame) -> pl.DataFrame:
    """Count a request as failed where no span says how it ended and an error was logged in its trace.

    A request that was answered is judged by its answer: an error on the way that nobody met is not its failure.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``trace_id, failed, status_code, http_response_status_code``.
    trace_errors : polars.DataFrame
        Traces with an error among their logs (rollups.trace_errors): ``trace_id``.

    Returns
    -------
    polars.DataFrame
        The rows with ``failed`` brought up to date and ``failed_by_logs`` added.
    """
    settled = pl.col("http_response_status_code").is_not_null() | pl.col("status_code").is_in(_SETTLED).fill_null(
        value=False
    )
    logged = pl.col("trace_id").is_in(trace_errors["trace_id"].implode()).fill_null(value=False)
    return requests.with_columns((logged & ~settled & ~pl.col("failed")).alias("failed_by_logs")).with_columns(
        pl.col("failed") | pl.col("failed_by_logs")
    )


def group_log_errors(log_events: pl.DataFrame, *, window: Window, baseline: Window) -> pl.DataFrame:
    """Group errors in logs by service, class of exception and shape of the message.

    Parameters
    ----------
    log_events : polars.DataFrame
        Log rows by bucket, service, level and shape (rollups.log_events).
    window, baseline : Window
        A bucket belongs to where it begins.

    Returns
    -------
    polars.DataFrame
        ``service_name, error_type, message, rows, baseline_rows, first_us, per_minute, baseline_per_minute``: only
        groups that occur in the window, the one that grew the most first.
    """
    errors = log_events.filter(pl.col("level") == "error").with_columns(
        pl.coalesce("example_error_type", find_error_class(pl.col("example"))).alias("error_type"),
        mask_message(pl.col("shape")).alias("message"),
    )
    inside, before = (
        pl.col("bucket_us").is_between(part.start_us, part.end_us, closed="left") for part in (window, baseline)
    )
    return (
        errors.group_by("service_name", "error_type", "message")
        .agg(
            pl.col("rows").filter(inside).sum(),
            pl.col("rows").filter(before).sum().alias("baseline_rows"),
            pl.col("first_us").filter(inside).min(),
        )
        .filter(pl.col("rows") > 0)
        .with_columns(
            (pl.col("rows") / (window.duration_s / 60)).alias("per_minute"),
            (pl.col("baseline_rows") / (baseline.duration_s / 60)).alias("baseline_per_minute"),
        )
        .sort(
            pl.col("per_minute") - pl.col("baseline_per_minute"),
            "service_name",
            "message",
            descending=[True, False, False],
        )
    )


def find_first_logged_errors(trace_errors: pl.DataFrame) -> pl.DataFrame:
    """Describe the first error logged in each trace, in the words of signatures.find_deepest_errors.

    Returns
    -------
    polars.DataFrame
        One row a trace: ``trace_id, logged_in, logged_type, logged_message``.
    """
    return trace_errors.select(
        "trace_id",
        pl.col("service_name").alias("logged_in"),
        pl.coalesce("error_type", find_error_class(pl.col("message"))).alias("logged_type"),
        mask_message(find_error_text(pl.col("message"))).alias("logged_message"),
    )
