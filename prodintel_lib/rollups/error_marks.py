"""What went wrong in services, by their logs and spans: each failure taken at one place.

A span in which an error was logged is left to the log record; what callers and spans around it repeat is left out. What
counts as one failure is said in rollups.error_events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from prodintel_lib.rollups.expressions import SERVER_KIND, is_failed, log_level, route_label
from prodintel_lib.rollups.log_masks import mask_message

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG: Final = "log"
SPAN: Final = "span"
MESSAGE_CHARS: Final = 2000
# A trace names what was thrown at its end in some languages and at its beginning in others.
STACK_END_CHARS: Final = 6000
_US_PER_MS: Final = 1000
_CLIENT_ERROR: Final = 400
_STATUS: Final = "^[0-9]{3}$"
# Crawlers, scanners and probes name themselves; programs that may be a customer's (curl, a language's library) do not
# count as one.
_BOT_AGENT: Final = (
    "(?i)(bot[^a-z]|bot$|crawl|spider|slurp|scanner|nikto|sqlmap|nmap|masscan|zgrab|headless|uptime|pingdom|probe|"
    "monitor)"
)
SHARED: Final = (
    "origin", "level", "time_us", "end_us", "service_name", "service_version", "logger_name", "error_type", "message",
    "note", "stacktrace", "is_answer", "error_source", "field", "trace_id", "span_id", "session_id", "user_id", "route",
    "http_status", "browser_name", "geo_country_iso_code", "is_bot", "address",
)  # fmt: skip
"""The columns that errors have before their client is named."""


def null_text() -> nw.Expr:
    """Return a text that is not known."""
    return nw.lit(None).cast(nw.String)


def _ends(stack: nw.Expr) -> nw.Expr:
    """Return a text cut to its two ends where it is long."""
    both = nw.concat_str(
        stack.str.slice(0, STACK_END_CHARS), stack.str.slice(-STACK_END_CHARS, STACK_END_CHARS), separator="\n"
    )
    return nw.when(stack.str.len_chars() > 2 * STACK_END_CHARS).then(both).otherwise(stack)


def class_of(name: str = "error_type") -> nw.Expr:
    """Return the class of error where it is one: a status is none."""
    return nw.when(~nw.col(name).str.contains(_STATUS)).then(nw.col(name))


def take_logs(logs: nw.LazyFrame[Any], *, levels: Sequence[str]) -> nw.LazyFrame[Any]:
    """Return the log records of some levels, without what only their traces know."""
    thrown = ~nw.col("exception_message").is_null()
    said = nw.coalesce("body", "error_type").str.slice(0, MESSAGE_CHARS)
    # A record of several lines may hold its stack trace in the text.
    in_body = nw.when(nw.col("body").str.contains("\n")).then(nw.col("body"))
    told = logs.filter(~nw.col("time_us").is_null()).with_columns(log_level().alias("level"))
    return told.filter(nw.col("level").is_in(list(levels))).select(
        nw.lit(LOG).alias("origin"),
        "level",
        "time_us",
        nw.col("time_us").alias("end_us"),
        "service_name",
        "service_version",
        "logger_name",
        class_of().alias("error_type"),
        nw.when(thrown).then(nw.col("exception_message").str.slice(0, MESSAGE_CHARS)).otherwise(said).alias("message"),
        nw.when(thrown).then(said).alias("note"),
        _ends(nw.coalesce("exception_stacktrace", in_body)).alias("stacktrace"),
        nw.lit(value=False).alias("is_answer"),
        null_text().alias("error_source"),
        null_text().alias("field"),
        "trace_id",
        "span_id",
        "session_id",
        "user_id",
        null_text().alias("own_route"),
        nw.lit(None).cast(nw.Int64).alias("own_status"),
    )


def take_spans(spans: nw.LazyFrame[Any], error_logs: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the spans that failed by themselves, or were refused: each failure at one place only."""
    status = nw.col("http_response_status_code")
    refused = (nw.col("span_kind") == nw.lit(SERVER_KIND)) & (status >= _CLIENT_ERROR)
    thrown = ~nw.col("exception_message").is_null()
    bad = spans.filter(is_failed() | thrown | refused.fill_null(value=False))
    return _innermost(_not_logged(_not_repeated(bad, spans), error_logs)).select(
        nw.lit(SPAN).alias("origin"),
        nw.when(is_failed() | thrown).then(nw.lit("error")).otherwise(nw.lit("warning")).alias("level"),
        "time_us",
        (nw.col("time_us") + (nw.col("duration_ms") * _US_PER_MS).cast(nw.Int64)).alias("end_us"),
        "service_name",
        "service_version",
        null_text().alias("logger_name"),
        class_of().alias("error_type"),
        nw.coalesce(_said(), _answer()).str.slice(0, MESSAGE_CHARS).alias("message"),
        null_text().alias("note"),
        _ends(nw.col("exception_stacktrace")).alias("stacktrace"),
        _said().is_null().alias("is_answer"),
        null_text().alias("error_source"),
        null_text().alias("field"),
        "trace_id",
        "span_id",
        "session_id",
        "user_id",
        nw.when(~nw.col("http_route").is_null()).then(route_label()).alias("own_route"),
        status.alias("own_status"),
    )


def _said() -> nw.Expr:
    """Return what an exception or the instrumentation said of a span; null where neither said a word."""
    text = nw.coalesce("exception_message", "status_message")
    return nw.when(text.fill_null("") != nw.lit("")).then(text)


def _answer() -> nw.Expr:
    """Return in words how a span without a message failed: who was asked, what for, and what came of it."""
    callee = nw.coalesce("peer_service", "server_address", "db_system_name")
    to_other = nw.concat_str(nw.lit("call of "), callee, separator="")
    own = nw.when(~nw.col("http_route").is_null()).then(route_label()).otherwise(mask_message(nw.col("span_name")))
    is_call = (nw.col("span_kind") == nw.lit("client")).fill_null(value=False)
    subject = nw.coalesce(nw.when(is_call).then(to_other), own, nw.lit("a span without a name"))
    status = nw.col("http_response_status_code").cast(nw.String)
    ended = nw.coalesce(nw.concat_str(nw.lit("answered "), status, separator=""), nw.lit("failed"))
    return nw.concat_str(subject, ended, separator=" ")


def _not_repeated(bad: nw.LazyFrame[Any], spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Leave out calls that only repeat what a callee answered which sends spans itself."""
    is_echo = (
        (nw.col("span_kind") == nw.lit("client")).fill_null(value=False)
        & ~nw.col("http_response_status_code").is_null()
        & nw.col("exception_message").is_null()
    )
    callees = (
        spans.filter(nw.col("span_kind") == nw.lit(SERVER_KIND), ~nw.col("parent_span_id").is_null())
        .select("trace_id", nw.col("parent_span_id").alias("span_id"))
        .unique(subset=["trace_id", "span_id"])
    )
    calls = bad.filter(is_echo).join(callees, on=["trace_id", "span_id"], how="anti")
    return nw.concat([bad.filter(~is_echo), calls], how="vertical")


def _not_logged(bad: nw.LazyFrame[Any], error_logs: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Leave out spans in which an error was logged, and those whose exception their service logged in the trace."""
    in_trace = error_logs.filter(~nw.col("trace_id").is_null())
    in_span = in_trace.filter(~nw.col("span_id").is_null()).select("trace_id", "span_id")
    left = bad.join(in_span.unique(subset=["trace_id", "span_id"]), on=["trace_id", "span_id"], how="anti")
    by_words = in_trace.filter(~nw.col("note").is_null()).select(
        "trace_id", "service_name", nw.col("message").alias("exception_message")
    )
    by_class = in_trace.filter(~nw.col("error_type").is_null()).select(
        "trace_id", "service_name", _short_class(nw.col("error_type")).alias("_class")
    )
    keys = ["trace_id", "service_name"]
    named = left.join(
        by_words.unique(subset=[*keys, "exception_message"]), on=[*keys, "exception_message"], how="anti"
    ).with_columns(_short_class(class_of()).alias("_class"))
    return named.join(by_class.unique(subset=[*keys, "_class"]), on=[*keys, "_class"], how="anti").drop("_class")


def _short_class(name: nw.Expr) -> nw.Expr:
    """Return a class without its package: instrumentations differ in whether they write it."""
    return name.str.replace_all(r"^.*[.:\\]", "")


def _innermost(bad: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Leave out spans around another of the same service with the same exception."""
    keys = ["trace_id", "span_id", "service_name", "exception_message"]
    within = (
        bad.filter(~nw.col("exception_message").is_null(), ~nw.col("parent_span_id").is_null())
        .select("trace_id", nw.col("parent_span_id").alias("span_id"), "service_name", "exception_message")
        .unique(subset=keys)
    )
    return bad.join(within, on=keys, how="anti")


def with_traces(events: nw.LazyFrame[Any], spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add what the event's span and its trace know: route and status, user, session, whether a bot asked."""
    wanted = events.filter(~nw.col("trace_id").is_null()).select("trace_id").unique(subset=["trace_id"])
    known = spans.join(wanted, on="trace_id", how="semi")
    is_server = nw.col("span_kind") == nw.lit(SERVER_KIND)
    entry = (is_server & nw.col("parent_span_id").is_null()).fill_null(value=False)
    is_bot = (entry & nw.col("user_agent_original").str.contains(_BOT_AGENT)).fill_null(value=False)
    traces = (
        known.with_columns(
            nw.when(entry).then(route_label()).alias("trace_route"), is_bot.cast(nw.Int64).alias("trace_bot")
        )
        .group_by("trace_id")
        .agg(
            nw.col("user_id").max().alias("trace_user"),
            nw.col("session_id").max().alias("trace_session"),
            nw.col("trace_route").max(),
            nw.col("trace_bot").max(),
        )
    )
    of_span = known.filter(is_server).select(
        "trace_id",
        "span_id",
        nw.when(~nw.col("http_route").is_null()).then(route_label()).alias("span_route"),
        nw.col("http_response_status_code").alias("span_status"),
    )
    joined = events.join(of_span, on=["trace_id", "span_id"], how="left").join(traces, on="trace_id", how="left")
    return joined.with_columns(
        nw.coalesce("own_route", "span_route", "trace_route").alias("route"),
        nw.coalesce("own_status", "span_status").alias("http_status"),
        nw.coalesce("user_id", "trace_user").alias("user_id"),
        nw.coalesce("session_id", "trace_session").alias("session_id"),
        (nw.col("trace_bot").fill_null(0) == 1).alias("is_bot"),
        null_text().alias("browser_name"),
        null_text().alias("geo_country_iso_code"),
        null_text().alias("address"),
    ).select(*SHARED)
