"""What several rollups say of a span, as expressions that mean the same on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw

from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from typing import Any

SERVER_ERROR: Final = 500
SERVER_KIND: Final = "server"
ERROR_NUMBER: Final = 17
WARNING_NUMBER: Final = 13
_ERROR_WORDS: Final = "^(ERR|FATAL|CRIT|ALERT|EMERG|SEVERE|PANIC)"
_WARNING_WORDS: Final = "^WARN"


def is_failed() -> nw.Expr:
    """Whether a span failed: its status says so, it answered 500 or more, or it names a class of error."""
    return (
        (nw.col("status_code") == nw.lit("error")).fill_null(value=False)
        | (nw.col("http_response_status_code") >= SERVER_ERROR).fill_null(value=False)
        | ~nw.col("error_type").is_null()
    )


def operation() -> nw.Expr:
    """Return the route's template where the span has one, else its name."""
    return nw.coalesce("http_route", "span_name")


def route_label() -> nw.Expr:
    """Return what people call a route, method and template (``POST /api/orders``); without a template the span's name.

    It is how `slos` in prodintel.yaml name a route.
    """
    with_method = nw.concat_str(nw.col("http_request_method"), nw.col("http_route"), separator=" ", ignore_nulls=True)
    return nw.when(~nw.col("http_route").is_null()).then(with_method).otherwise(nw.col("span_name"))


def log_level() -> nw.Expr:
    """Return ``error``, ``warning`` or ``info`` for a log row.

    OpenTelemetry's number decides where there is one, else the text; a row with neither that names an exception is an
    error.
    """
    number, text = nw.col("severity_number"), nw.col("severity_text").fill_null("").str.to_uppercase()
    silent = number.is_null() & (text == nw.lit(""))
    is_error = (
        (number >= ERROR_NUMBER).fill_null(value=False)
        | (number.is_null() & text.str.contains(_ERROR_WORDS))
        | (silent & ~nw.col("error_type").is_null())
    )
    is_warning = (number >= WARNING_NUMBER).fill_null(value=False) | (
        number.is_null() & text.str.contains(_WARNING_WORDS)
    )
    return nw.when(is_error).then(nw.lit("error")).when(is_warning).then(nw.lit("warning")).otherwise(nw.lit("info"))


def bucket_us(bucket_s: int) -> nw.Expr:
    """Return the start of the bucket a row's time lies in, µs since the epoch."""
    width_us = bucket_s * US_PER_S
    return (nw.col("time_us") // width_us) * width_us


def with_entry_flag(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the server spans with ``is_entry``: whether the request came from outside the system.

    A user feels the request that enters. It has no parent, or one that sends no spans here (a browser, a load balancer
    that only passes the trace on). But a parent may also be missing because it was lost, or lies before the data. So a
    span whose parent is missing counts as an entry only where that is the rule for its operation: where no more of the
    operation's spans have their parent in the data than lack it.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``; parents of every kind are looked up in it.
    """
    servers = spans.filter(nw.col("span_kind") == SERVER_KIND)
    # Only parents somebody asks for: to tell all spans apart costs more than everything else here.
    wanted = servers.filter(~nw.col("parent_span_id").is_null()).select("trace_id", "parent_span_id")
    parents = (
        spans.select("trace_id", nw.col("span_id").alias("parent_span_id"))
        .join(wanted, on=["trace_id", "parent_span_id"], how="semi")
        .unique(subset=["trace_id", "parent_span_id"])
        .with_columns(nw.lit(1).cast(nw.Int64).alias("with_parent"))
    )
    # A span that is named as its own parent has none.
    is_root = nw.col("parent_span_id").is_null() | (nw.col("parent_span_id") == nw.col("span_id"))
    # Null keys do not group and join alike on every engine.
    keys = {"_service": nw.col("service_name").fill_null(""), "_operation": operation().fill_null("")}
    marked = servers.join(parents, on=["trace_id", "parent_span_id"], how="left").with_columns(
        nw.when(is_root).then(nw.lit(0)).otherwise(nw.col("with_parent").fill_null(0)).alias("with_parent"),
        is_root.cast(nw.Int64).alias("root"),
        *(expression.alias(name) for name, expression in keys.items()),
    )
    habits = marked.group_by(*keys).agg(
        (nw.len() - nw.col("root").sum()).alias("children"), nw.col("with_parent").sum().alias("called")
    )
    is_usual = nw.col("called") * 2 <= nw.col("children")
    from_outside = (nw.col("root") == 1) | ((nw.col("with_parent") == 0) & is_usual)
    return (
        marked.join(habits, on=list(keys), how="left")
        .with_columns(from_outside.alias("is_entry"))
        .drop("with_parent", "root", "children", "called", *keys)
    )
