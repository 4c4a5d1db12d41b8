"""Errors in users' browsers, and who could have met them: one row a session, page and local hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import target
from prodintel_lib.rollups.rum_sessions import with_conversion_time
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN_HOUR: Final = -1
"""The local hour of an event whose client did not say how far its clock is from UTC."""

STACK_CHARS: Final = 4000
ERROR_TEXTS: Final = ("error_source", "error_type", "exception_message", "exception_stacktrace", "field")
SESSION_ERRORS_KEYS: Final = ("session_key", "route", "hour_local", *ERROR_TEXTS)
SESSION_ERRORS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "route": pl.String(),
    "hour_local": pl.Int64(),
    **dict.fromkeys(ERROR_TEXTS, pl.String()),
    "errors": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "first_view_no": pl.Int64(),
    "before_conversion": pl.Boolean(),
}
PAGE_VISITS_KEYS: Final = ("session_key", "route", "hour_local")
PAGE_VISITS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "route": pl.String(),
    "hour_local": pl.Int64(),
}
_HOUR_US: Final = 3600 * US_PER_S
_MINUTE_US: Final = 60 * US_PER_S
_DAY_HOURS: Final = 24


def hour_local() -> nw.Expr:
    """Return the hour of an event on the client's own clock, 0 to 23; UNKNOWN_HOUR where its offset is not known."""
    local_us = nw.col("time_us") + nw.col("utc_offset_min") * _MINUTE_US
    return ((local_us // _HOUR_US) % _DAY_HOURS).fill_null(UNKNOWN_HOUR).cast(nw.Int64)


def build_session_errors(session_events: nw.LazyFrame[Any], *, conversions: Sequence[str]) -> nw.LazyFrame[Any]:
    """Count the errors of each session by page, local hour and what they say.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for; may be empty.

    Returns
    -------
    narwhals.LazyFrame
        Columns of SESSION_ERRORS_SCHEMA, unordered, one row for each of SESSION_ERRORS_KEYS that occurred:

        - ``route`` and ERROR_TEXTS: empty where the source says nothing; stacks cut to STACK_CHARS
        - ``field``: of a validation error, what was acted on
        - ``errors``, ``first_us``, ``last_us``: how many, and when the first and the last
        - ``first_view_no``: the page view that had begun when the first came, 0 before any
        - ``before_conversion``: whether the first came before the session converted, if it ever did
    """
    errors = session_events.filter(nw.col("event_kind") == nw.lit("error"))
    field = nw.when(nw.col("error_source") == nw.lit("validation")).then(target())
    texts = errors.with_columns(
        nw.col("exception_stacktrace").str.slice(0, STACK_CHARS),
        field.alias("field"),
        hour_local().alias("hour_local"),
    )
    # Empty and not null: nulls do not group alike on every engine.
    filled = texts.with_columns(nw.col("route", *ERROR_TEXTS).fill_null(""))
    grouped = filled.group_by(*SESSION_ERRORS_KEYS).agg(
        nw.len().alias("errors"),
        nw.col("time_us").min().alias("first_us"),
        nw.col("time_us").max().alias("last_us"),
        nw.col("view_no").min().alias("first_view_no"),
    )
    return (
        with_conversion_time(grouped, session_events, conversions=conversions)
        .with_columns((nw.col("first_us") <= nw.col("converted_us")).fill_null(value=True).alias("before_conversion"))
        .select(*SESSION_ERRORS_SCHEMA)
    )


def build_page_visits(session_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """List the pages each session was on, and in which hours of the client's day: who could have met an error there.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it. Every kind of event counts, so that whoever met an error on a
        page is among those who were on it.

    Returns
    -------
    narwhals.LazyFrame
        Columns of PAGE_VISITS_SCHEMA, unordered, each combination once; ``route`` is empty where it is not known.
    """
    visits = session_events.select(
        "session_key", nw.col("route").fill_null("").alias("route"), hour_local().alias("hour_local")
    )
    return visits.unique(subset=list(PAGE_VISITS_KEYS))
