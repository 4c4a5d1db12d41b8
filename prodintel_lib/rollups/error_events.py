"""Errors of logs, spans and browsers brought to one form, each failure counted once.

A failing request leaves many marks: an exception event on a span, on the span around it, in a log record, the status
its caller saw, and the error its caller made of that. What is left here is one row for each place at which something
went wrong and said so:

- a span in which an error was logged is counted as the log record: it says more;
- so is a span whose exception, by class or by text, was logged elsewhere in its trace by the same service;
- an exception that passes through nested spans of a service is counted where it is innermost;
- a call that only repeats the status of a callee which sends spans itself is the callee's failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.error_marks import (
    MESSAGE_CHARS,
    SHARED,
    STACK_END_CHARS,
    class_of,
    null_text,
    take_logs,
    take_spans,
    with_traces,
)
from prodintel_lib.rollups.log_masks import mask_message
from prodintel_lib.rollups.rum_errors import STACK_CHARS as BROWSER_STACK_CHARS
from prodintel_lib.rollups.rum_expressions import is_failed_request, target

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEFINITIONS_SCHEMA",
    "DEFINITION_KEYS",
    "ERROR_EVENTS_SCHEMA",
    "LEVELS",
    "STACK_END_CHARS",
    "build_error_definitions",
    "build_error_events",
    "build_error_rows",
]

BROWSER: Final = "browser"
REQUEST: Final = "request"
LEVELS: Final = ("error", "warning")
ERROR_EVENTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "origin": pl.String(),
    "level": pl.String(),
    "time_us": pl.Int64(),
    "end_us": pl.Int64(),
    "service_name": pl.String(),
    "service_version": pl.String(),
    "logger_name": pl.String(),
    "error_type": pl.String(),
    "message": pl.String(),
    "note": pl.String(),
    "stacktrace": pl.String(),
    "is_answer": pl.Boolean(),
    "error_source": pl.String(),
    "field": pl.String(),
    "trace_id": pl.String(),
    "span_id": pl.String(),
    "session_id": pl.String(),
    "user_id": pl.String(),
    "route": pl.String(),
    "http_status": pl.Int64(),
    "browser_name": pl.String(),
    "geo_country_iso_code": pl.String(),
    "client_key": pl.String(),
    "is_bot": pl.Boolean(),
}
DEFINITION_KEYS: Final = (
    "origin", "level", "service_name", "error_type", "is_answer", "http_status", "error_source", "field", "shape",
    "stack_shape",
)  # fmt: skip
DEFINITIONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    **{name: ERROR_EVENTS_SCHEMA[name] for name in DEFINITION_KEYS[:-2]},
    "shape": pl.String(),
    "stack_shape": pl.String(),
    "rows": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "example": pl.String(),
    "example_note": pl.String(),
    "example_stacktrace": pl.String(),
}
# These say that there is no such page or request: the path is the client's invention, and no route of the service.
_NO_ROUTE: Final = (400, 404, 405, 410, 414)


def build_error_events(
    logs: nw.LazyFrame[Any],
    spans: nw.LazyFrame[Any],
    rum_events: nw.LazyFrame[Any],
    *,
    levels: Sequence[str] = LEVELS,
    routes: nw.LazyFrame[Any] | None = None,
) -> nw.LazyFrame[Any]:
    """List the errors of the three tables, one row a failure; see the module's text for what is counted once.

    Parameters
    ----------
    logs, spans, rum_events : narwhals.LazyFrame
        The canonical tables, on one engine; for the joins between them, of the same time.
    levels : sequence of str
        Of log records: ``error``, ``warning``.
    routes : narwhals.LazyFrame, optional
        ``url_path, route``: templates learned from paths, for requests of `rum_events`.

    Returns
    -------
    narwhals.LazyFrame
        Columns of ERROR_EVENTS_SCHEMA, unordered. Texts are empty where nothing is known, since nulls do not group and
        join alike on every engine.

        - ``origin``: ``log``, ``span``, ``browser`` (an error event of `rum_events`) or ``request`` (a request of it
          that was answered 400 or more and names no trace: with one, the server's own spans and logs speak)
        - ``level``: ``error`` or ``warning``; an answer of 400 to 499 without an exception is a warning
        - ``time_us``, ``end_us``: of a span its beginning and its end; the end is when it is known to have failed
        - ``message``: what the exception says where one was thrown (``note`` is then the log record's own text), else
          the log's text, else the answer in words; ``is_answer`` marks the last
        - ``error_type``: the class; a status in its place is left out, ``http_status`` holds it, 0 where there is none
        - ``session_id, user_id, route``: of the event itself, else of its trace
        - ``client_key``: the user, else the session, else the address, else empty
        - ``is_bot``: whether its agent says so
    """
    logged = with_traces(take_logs(logs, levels=levels), spans)
    error_logs = take_logs(logs, levels=["error"])
    failed = with_traces(take_spans(spans, error_logs), spans)
    server_side = nw.concat([logged, failed], how="vertical")
    browser_side = nw.concat([_of_browsers(rum_events, routes), _of_requests(rum_events, routes)], how="vertical")
    return nw.concat([_in_form(server_side), _in_form(browser_side)], how="vertical")


def build_error_definitions(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count errors by what they say: the small frame that patterns are made from.

    Parameters
    ----------
    events : narwhals.LazyFrame
        As build_error_events makes it.

    Returns
    -------
    narwhals.LazyFrame
        Columns of DEFINITIONS_SCHEMA, unordered, a row for each of DEFINITION_KEYS that occurred:

        - ``shape``: the message masked by log_masks.mask_message; of browsers and of answers as it is
        - ``stack_shape``: the stack trace with its numbers masked; of browsers as it is
        - ``example*``: the smallest text of each, so that every engine shows the same
    """
    return _with_shapes(events).group_by(*DEFINITION_KEYS).agg(
        nw.len().alias("rows"),
        nw.col("time_us").min().alias("first_us"),
        nw.col("time_us").max().alias("last_us"),
        nw.col("message").min().alias("example"),
        nw.col("note").min().alias("example_note"),
        nw.col("stacktrace").min().alias("example_stacktrace"),
    )  # fmt: skip


def build_error_rows(events: nw.LazyFrame[Any], patterns: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Say of every error which pattern it is of.

    Parameters
    ----------
    events : narwhals.LazyFrame
        As build_error_events makes it.
    patterns : narwhals.LazyFrame
        DEFINITION_KEYS and ``pattern_no``, on the same engine.

    Returns
    -------
    narwhals.LazyFrame
        Columns of ERROR_EVENTS_SCHEMA and ``pattern_no``, unordered; errors of no pattern given are left out.
    """
    return (
        _with_shapes(events)
        .join(patterns, on=list(DEFINITION_KEYS), how="inner")
        .select(*ERROR_EVENTS_SCHEMA, "pattern_no")
    )


def _with_shapes(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    as_it_is = nw.col("is_answer") | (nw.col("origin") == nw.lit(BROWSER))
    numbers = nw.col("stacktrace").str.replace_all("0x[0-9a-fA-F]+|[0-9]+", "0")
    return events.with_columns(
        nw.when(as_it_is).then(nw.col("message")).otherwise(mask_message(nw.col("message"))).alias("shape"),
        nw.when(nw.col("origin") == nw.lit(BROWSER)).then(nw.col("stacktrace")).otherwise(numbers).alias("stack_shape"),
    )


def _in_form(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Fill what is not known, name the client, and bring the columns into their order."""
    texts = [
        name
        for name, dtype in ERROR_EVENTS_SCHEMA.items()
        if dtype == pl.String() and name not in {"client_key", "address", "is_bot"}
    ]
    filled = events.with_columns(
        *(nw.col(name).fill_null("").alias(name) for name in (*texts, "address")),
        nw.col("http_status").fill_null(0).cast(nw.Int64).alias("http_status"),
        nw.col("is_bot").fill_null(value=False).alias("is_bot"),
    )
    client = nw.lit("")
    for kind, name in (("address", "address"), ("session", "session_id"), ("user", "user_id")):
        named = nw.concat_str(nw.lit(kind), nw.col(name), separator=" ")
        client = nw.when(nw.col(name) != nw.lit("")).then(named).otherwise(client)
    return filled.with_columns(client.alias("client_key")).select(*ERROR_EVENTS_SCHEMA)


def _of_browsers(rum_events: nw.LazyFrame[Any], routes: nw.LazyFrame[Any] | None) -> nw.LazyFrame[Any]:
    errors = rum_events.filter(nw.col("event_kind") == nw.lit("error"))
    field = nw.when(nw.col("error_source") == nw.lit("validation")).then(target())
    return _of_rum(
        _with_route(errors, routes, path="url_path"),
        origin=BROWSER,
        given={
            "level": nw.lit("error"),
            "error_type": nw.col("error_type"),
            "message": nw.col("exception_message"),
            # As rum_errors cuts it: the pattern's id is then the one of the front-end errors.
            "stacktrace": nw.col("exception_stacktrace").str.slice(0, BROWSER_STACK_CHARS),
            "is_answer": nw.lit(value=False),
            "error_source": nw.col("error_source"),
            "field": field,
            "route": nw.col("route"),
        },
    )


def _of_requests(rum_events: nw.LazyFrame[Any], routes: nw.LazyFrame[Any] | None) -> nw.LazyFrame[Any]:
    failed = rum_events.filter(is_failed_request(), nw.col("trace_id").fill_null("") == nw.lit(""))
    status = nw.col("http_response_status_code")
    asked = nw.coalesce("request_path", "url_path")
    pathless = status.is_in(list(_NO_ROUTE)).fill_null(value=False)
    subject = nw.when(~pathless).then(nw.coalesce("route", mask_message(asked)))
    ended = nw.coalesce(
        nw.concat_str(nw.lit("answered "), status.cast(nw.String), separator=""), nw.lit("was not answered")
    )
    words = nw.concat_str(nw.col("http_request_method"), subject, ended, separator=" ", ignore_nulls=True)
    is_server_error = (status >= 500).fill_null(value=True)
    return _of_rum(
        _with_route(failed, routes, path="request_path"),
        origin=REQUEST,
        given={
            "level": nw.when(is_server_error).then(nw.lit("error")).otherwise(nw.lit("warning")),
            "error_type": class_of(),
            "message": words.str.slice(0, MESSAGE_CHARS),
            "stacktrace": null_text(),
            "is_answer": nw.lit(value=True),
            "error_source": null_text(),
            "field": null_text(),
            "route": nw.coalesce("route", "request_path", "url_path"),
        },
    )


def _with_route(events: nw.LazyFrame[Any], routes: nw.LazyFrame[Any] | None, *, path: str) -> nw.LazyFrame[Any]:
    """Add ``route``: of the source, else the learned one; of a page also its path, of a request null without one."""
    own = nw.col("http_route") if path == "url_path" else null_text()
    rest = nw.col("url_path") if path == "url_path" else null_text()
    if routes is None:
        return events.with_columns(nw.coalesce(own, rest).alias("route"))
    learned = routes.select(nw.col("url_path").alias(path), nw.col("route").alias("_learned"))
    joined = events.join(learned, on=path, how="left")
    return joined.with_columns(nw.coalesce(own, nw.col("_learned"), rest).alias("route")).drop("_learned")


def _of_rum(events: nw.LazyFrame[Any], *, origin: str, given: dict[str, nw.Expr]) -> nw.LazyFrame[Any]:
    plain = (
        "time_us", "service_name", "service_version", "trace_id", "session_id", "user_id", "browser_name",
        "geo_country_iso_code",
    )  # fmt: skip
    expressions = {
        **{name: nw.col(name) for name in plain},
        **given,
        "origin": nw.lit(origin),
        "end_us": nw.col("time_us"),
        "logger_name": null_text(),
        "note": null_text(),
        "span_id": null_text(),
        "http_status": nw.col("http_response_status_code"),
        "is_bot": ~nw.col("user_agent_synthetic_type").is_null(),
        # Where the address was not kept, the browser itself has to do.
        "address": nw.coalesce("client_address", "visitor_id"),
    }
    return events.select(*(expressions[name].alias(name) for name in SHARED))
