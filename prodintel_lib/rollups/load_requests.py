"""Requests as a load test sees them: when somebody asked for what, whatever recorded it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import narwhals as nw
import polars as pl

from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.expressions import SERVER_ERROR, is_failed, route_label, with_entry_flag
from prodintel_lib.rollups.rum_expressions import is_view

if TYPE_CHECKING:
    from collections.abc import Sequence

LoadSource = Literal["spans", "rum"]
Callers = Literal["people", "machines", "all"]

LOAD_REQUESTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "time_us": pl.Int64(),
    "visitor": pl.String(),
    "endpoint": pl.String(),
    "method": pl.String(),
    "duration_ms": pl.Float64(),
    "request_bytes": pl.Int64(),
    "response_bytes": pl.Int64(),
    "failed": pl.Boolean(),
}
UNKNOWN_ENDPOINT: Final = "unknown"
"""What a request is called that names neither a route nor a path: the empty name stands for all endpoints."""

# The sizes that OpenTelemetry's conventions name, the present one and the one before it; and an access log's.
_REQUEST_SIZE: Final = "http[.]request([.]body[.]size|_content_length)"
_RESPONSE_SIZE: Final = "http[.]response([.]body[.]size|_content_length)"
_LINE_SIZE: Final = "bytes"
_SYNTHETIC: Final = '[{,]"user_agent[.]synthetic[.]type":"'
# A number of more digits is no size, and would not fit.
_MAX_DIGITS: Final = 15
_BAD_STATUS: Final = 400


def load_requests(
    spans: nw.LazyFrame[Any],
    rum_events: nw.LazyFrame[Any],
    *,
    source: LoadSource,
    callers: Callers = "people",
    routes: nw.LazyFrame[Any] | None = None,
    keep: Sequence[str] = (),
) -> nw.LazyFrame[Any]:
    """Bring the requests that entered the system to one form.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``; read where `source` is ``spans``.
    rum_events : narwhals.LazyFrame
        The canonical table ``rum_events``; read where `source` is ``rum``.
    source : {"spans", "rum"}
        Entry server spans (expressions.with_entry_flag), or the rows of browsers and access logs that were requests to
        the server: requests, and page views that name their method. A view of a page that was already in the browser
        names none.
    callers : {"people", "machines", "all"}
        Machines are what names itself one (``user_agent_synthetic_type``, or the attribute of that name of a span).
    routes : narwhals.LazyFrame, optional
        ``url_path, route``: templates learned from paths, for ``rum``. A path without one is its own route.
    keep : sequence of str
        Columns of the source's table that the result has too, as they are.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LOAD_REQUESTS_SCHEMA, then those of `keep`, unordered, a row a request:

        - ``visitor``: the session, else the visitor or the user, else empty
        - ``endpoint``: method and route, ``POST /api/orders``; without a route the span's name; else UNKNOWN_ENDPOINT
        - ``duration_ms``: null where the source does not say it, as most access logs
        - ``request_bytes``, ``response_bytes``: sizes of bodies as the source says them; of a span that says none, the
          length of the body it captured, in characters; null where nothing is known
        - ``failed``: of a span as expressions.is_failed says; else answered 500 or more, not answered, or an error

    Raises
    ------
    ParameterError
        If `source` or `callers` is none of those.

    Notes
    -----
    Attributes are JSON that a reader of this library wrote; sizes are found by their text, since not every engine reads
    JSON.
    """
    if source not in get_args(LoadSource):
        raise ParameterError.unknown("source", source, known=get_args(LoadSource))
    if callers not in get_args(Callers):
        raise ParameterError.unknown("callers", callers, known=get_args(Callers))
    return _of_spans(spans, callers, keep) if source == "spans" else _of_rum(rum_events, callers, routes, keep)


def build_request_paths(rum_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count the paths that were asked for, to learn the templates of requests from.

    Parameters
    ----------
    rum_events : narwhals.LazyFrame
        The canonical table ``rum_events``.

    Returns
    -------
    narwhals.LazyFrame
        ``url_path, views, bad`` (those answered 400 or more), unordered, a row a path: what
        analyses.journeys.learn_routes takes. Paths with a template of their source and those of machines are left out.
    """
    asked = rum_events.filter(_is_request(), nw.col("user_agent_synthetic_type").is_null()).with_columns(
        _requested_path().alias("_path"), _given_route().alias("_given")
    )
    bad = (nw.col("http_response_status_code") >= _BAD_STATUS).fill_null(value=False).cast(nw.Int64)
    return (
        asked.filter(~nw.col("_path").is_null(), nw.col("_given").is_null())
        .select(nw.col("_path").alias("url_path"), bad.alias("bad"))
        .group_by("url_path")
        .agg(nw.len().alias("views"), nw.col("bad").sum())
    )


def _of_spans(spans: nw.LazyFrame[Any], callers: Callers, keep: Sequence[str]) -> nw.LazyFrame[Any]:
    entries = with_entry_flag(spans).filter(nw.col("is_entry"))
    named = nw.col("attributes").fill_null("").str.contains(_SYNTHETIC)
    return _of_callers(entries, named, callers).select(
        "time_us",
        nw.coalesce(nw.col("session_id"), nw.col("user_id"), nw.lit("")).alias("visitor"),
        nw.coalesce(route_label(), nw.lit(UNKNOWN_ENDPOINT)).alias("endpoint"),
        nw.col("http_request_method").fill_null("").alias("method"),
        "duration_ms",
        _size_or_length(_REQUEST_SIZE, "http_request_body").alias("request_bytes"),
        _size_or_length(_RESPONSE_SIZE, "http_response_body").alias("response_bytes"),
        is_failed().alias("failed"),
        *keep,
    )


def _of_rum(
    rum_events: nw.LazyFrame[Any], callers: Callers, routes: nw.LazyFrame[Any] | None, keep: Sequence[str]
) -> nw.LazyFrame[Any]:
    is_machine = ~nw.col("user_agent_synthetic_type").is_null()
    asked = _of_callers(rum_events.filter(_is_request()), is_machine, callers).with_columns(
        _requested_path().alias("_path")
    )
    if routes is None:
        learned = asked.with_columns(nw.col("_path").alias("_learned"))
    else:
        named = routes.select(nw.col("url_path").alias("_path"), nw.col("route").alias("_learned"))
        learned = asked.join(named, on="_path", how="left")
    route = nw.coalesce(_given_route(), nw.col("_learned"), nw.col("_path"))
    endpoint = nw.concat_str(nw.col("http_request_method"), route, separator=" ", ignore_nulls=True)
    status = nw.col("http_response_status_code")
    failed = ((status >= SERVER_ERROR) | (status == 0)).fill_null(value=False) | ~nw.col("error_type").is_null()
    return learned.select(
        "time_us",
        nw.coalesce(nw.col("session_id"), nw.col("visitor_id"), nw.col("user_id"), nw.lit("")).alias("visitor"),
        nw.when(route.is_null()).then(nw.lit(UNKNOWN_ENDPOINT)).otherwise(endpoint).alias("endpoint"),
        nw.col("http_request_method").fill_null("").alias("method"),
        "duration_ms",
        _first_size([_REQUEST_SIZE]).alias("request_bytes"),
        _first_size([_RESPONSE_SIZE, _LINE_SIZE]).alias("response_bytes"),
        failed.alias("failed"),
        *keep,
    )


def _of_callers(rows: nw.LazyFrame[Any], is_machine: nw.Expr, callers: Callers) -> nw.LazyFrame[Any]:
    if callers == "all":
        return rows
    return rows.filter(is_machine if callers == "machines" else ~is_machine)


def _is_request() -> nw.Expr:
    return (nw.col("event_kind") == nw.lit("request")) | (is_view() & ~nw.col("http_request_method").is_null())


def _requested_path() -> nw.Expr:
    """Return what was asked for: of a request its own path, of a view the page's."""
    return nw.when(is_view()).then(nw.col("url_path")).otherwise(nw.col("request_path"))


def _given_route() -> nw.Expr:
    """Return the template the source gives; of a request it is that of the page, and not of what was asked for."""
    return nw.when(is_view()).then(nw.col("http_route"))


def _first_size(names: Sequence[str]) -> nw.Expr:
    return nw.coalesce(*(_size(name) for name in names))


def _size_or_length(name: str, body: str) -> nw.Expr:
    return nw.coalesce(_size(name), nw.col(body).str.len_chars().cast(nw.Int64))


def _size(name: str) -> nw.Expr:
    """Return the whole number an attribute holds; null where there is none."""
    attributes = nw.col("attributes").fill_null("")
    until_value = f'[{{,]"{name}":"?'
    digits = attributes.str.replace_all(f"^.*{until_value}", "").str.replace_all("[^0-9].*$", "")
    is_there = attributes.str.contains(f"{until_value}[0-9]")
    return nw.when(is_there).then(digits.str.slice(0, _MAX_DIGITS)).cast(nw.Int64)
