"""How often the requests of pages fail, by what was asked for, who asked and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_errors import ERROR_TEXTS, STACK_CHARS, hour_local
from prodintel_lib.rollups.rum_sessions import OF_SESSION

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS: Final = "[0-9]+"
NUMBER: Final = "{n}"
SERVER_ERROR: Final = 500
ASKED_BY: Final = tuple(name for name in OF_SESSION if name != "utc_offset_min")
REQUEST_OUTCOMES_KEYS: Final = ("request", "hour_local", "user_is_new", *ASKED_BY)
REQUEST_OUTCOMES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "request": pl.String(),
    "hour_local": pl.Int64(),
    "user_is_new": pl.String(),
    **dict.fromkeys(ASKED_BY, pl.String()),
    "requests": pl.Int64(),
    "failed": pl.Int64(),
}


NETWORK_EVENTS_KEYS: Final = ("visitor_id", "time_us", "request", *ERROR_TEXTS)
NETWORK_EVENTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "visitor_id": pl.String(),
    "time_us": pl.Int64(),
    "request": pl.String(),
    **dict.fromkeys(ERROR_TEXTS, pl.String()),
}


def build_network_events(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """List the requests that failed and the errors of the network.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of NETWORK_EVENTS_SCHEMA, unordered, one row an event: ``request`` as build_request_outcomes names it,
        empty for an error; ERROR_TEXTS as rum_errors.build_session_errors has them, empty for a request.
    """
    is_request = nw.col("event_kind") == nw.lit("request")
    is_error = (nw.col("event_kind") == nw.lit("error")) & (nw.col("error_source").fill_null("") == nw.lit("network"))
    chosen = events.filter((is_request & _failed()) | is_error)
    texts = (
        nw.when(is_error).then(nw.col(name).fill_null("")).otherwise(nw.lit("")).alias(name)
        for name in ERROR_TEXTS
        if name != "field"
    )
    told = chosen.with_columns(
        nw.col("exception_stacktrace").str.slice(0, STACK_CHARS),
        nw.when(is_request).then(_request()).otherwise(nw.lit("")).alias("request"),
    )
    return told.with_columns(*texts, nw.lit("").alias("field")).select(*NETWORK_EVENTS_SCHEMA)


def _request() -> nw.Expr:
    path = nw.col("request_path").fill_null("").str.replace_all(NUMBERS, NUMBER)
    return nw.concat_str(nw.col("http_request_method").fill_null(""), path, separator=" ")


def _failed() -> nw.Expr:
    status = nw.col("http_response_status_code")
    return ((status >= SERVER_ERROR) | (status == 0)).fill_null(value=False) | ~nw.col("error_type").is_null()


def build_request_outcomes(events: nw.LazyFrame[Any], *, requests: Sequence[str]) -> nw.LazyFrame[Any]:
    """Count some requests and their failures.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``.
    requests : sequence of str
        Method and path, numbers in it replaced by NUMBER: ``GET /api/cart/{n}``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of REQUEST_OUTCOMES_SCHEMA, unordered, one row for each of REQUEST_OUTCOMES_KEYS that occurred; texts
        are empty where not known, ``user_is_new`` is ``new``, ``returning`` or empty. A request failed if it was
        answered 500 or more, or not at all, or names a class of error.
    """
    named = events.filter(nw.col("event_kind") == nw.lit("request")).with_columns(_request().alias("request"))
    is_new = nw.col("user_is_new")
    told = (
        nw.when(is_new.fill_null(value=False))
        .then(nw.lit("new"))
        .otherwise(nw.when(~is_new.is_null()).then(nw.lit("returning")).otherwise(nw.lit("")))
    )
    chosen = named.filter(nw.col("request").is_in(list(requests))).with_columns(
        nw.col(*ASKED_BY).fill_null(""),
        told.alias("user_is_new"),
        hour_local().alias("hour_local"),
        _failed().cast(nw.Int64).alias("failed"),
    )
    return chosen.group_by(*REQUEST_OUTCOMES_KEYS).agg(nw.len().alias("requests"), nw.col("failed").sum())
