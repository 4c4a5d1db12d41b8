"""Rows of spans, browsers and access logs as recorded requests: one form of path, query, headers and bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import polars as pl

from prodintel_lib.scenarios.recorded import HEADER_PREFIX, parse_json

if TYPE_CHECKING:
    from prodintel_lib.rollups.load_requests import LoadSource

MAX_PER_VISITOR: Final = 500
"""So many of a visitor's requests are looked at, the first ones: who sends more is a machine."""

_QUERY: Final = "request_query"
# Of a browser's request, where its source keeps no query but the whole address.
_ADDRESSES: Final = ("url.full", "http.url", "resource.url")
# What one visitor asked for at one moment is in the same order whatever engine read it.
_ORDER: Final = ("visitor", "time_us", "trace_id", "endpoint", "url_path", "url_query", "attributes")
_PLAIN_ROUTE: Final = "^/[A-Za-z0-9/_.~%+-]*$"
_OF_REQUEST: Final = "request"


def lay_flat(rows: pl.DataFrame, source: LoadSource) -> pl.DataFrame:
    """Bring recorded rows to what recorded.read_request takes.

    Parameters
    ----------
    rows : polars.DataFrame
        As load_requests makes them, with columns of the source's table.
    source : {"spans", "rum"}

    Returns
    -------
    polars.DataFrame
        By visitor and time, MAX_PER_VISITOR of each at most, without what names no method or path. ``attributes`` holds
        the captured headers alone; beside what read_request takes there are ``endpoint``, ``owner`` (the user of the
        visitor, else the visitor) and ``request_bytes``. A span without a path has its route's, where that is plain.
    """
    ordered = _with_address(rows, source).sort(_ORDER)
    capped = ordered.filter(pl.int_range(pl.len()).over("visitor") < MAX_PER_VISITOR)
    prefix = pl.concat_str("method", pl.lit(" "))
    in_route = pl.col("endpoint").str.slice(prefix.str.len_chars())
    user = pl.col("user_id").drop_nulls().first().over("visitor")
    named = capped.with_columns(
        pl.when(pl.col("endpoint").str.starts_with(prefix)).then(in_route).alias("http_route"),
        user.fill_null(pl.col("visitor")).alias("owner"),
        _headers(capped["attributes"]),
    )
    plain = pl.when(pl.col("http_route").str.contains(_PLAIN_ROUTE)).then("http_route")
    return named.select(
        "time_us",
        pl.col("duration_ms").fill_null(0.0),
        pl.col("visitor").alias("session_id"),
        pl.col("trace_id").fill_null(""),
        pl.col("method").alias("http_request_method"),
        "http_route",
        pl.coalesce("url_path", plain).alias("url_path"),
        "url_query",
        "http_response_status_code",
        "http_request_body",
        "http_response_body",
        "attributes",
        pl.col("failed").alias("bad"),
        "endpoint",
        "owner",
        "request_bytes",
    ).filter(pl.col("http_request_method") != "", pl.col("url_path").is_not_null())


def _with_address(rows: pl.DataFrame, source: LoadSource) -> pl.DataFrame:
    """Name path and query of what was asked for: of a browser's request they are not those of its page."""
    if source == "spans":
        return rows
    nothing = pl.lit(None, dtype=pl.String)
    own = pl.Series("_query", [_query_in(text) for text in rows["attributes"]], dtype=pl.String)
    is_request = pl.col("event_kind") == _OF_REQUEST
    return rows.with_columns(own).with_columns(
        pl.when(is_request).then("request_path").otherwise("url_path").alias("url_path"),
        pl.when(is_request).then("_query").otherwise("url_query").alias("url_query"),
        nothing.alias("http_request_body"),
        nothing.alias("http_response_body"),
    )


def _query_in(attributes: str | None) -> str | None:
    known = parse_json(attributes)
    if not isinstance(known, dict):
        return None
    if known.get(_QUERY):
        return str(known[_QUERY])
    address = next((str(known[name]) for name in _ADDRESSES if known.get(name)), "")
    try:
        return urlsplit(address).query or None
    except ValueError:
        return None


def _headers(attributes: pl.Series) -> pl.Series:
    """Leave of the attributes what was captured of the request's headers."""
    found = []
    for text in attributes:
        known = parse_json(text) if text is not None and HEADER_PREFIX in text else None
        headers = (
            {name: value for name, value in known.items() if name.startswith(HEADER_PREFIX)}
            if isinstance(known, dict)
            else {}
        )
        found.append(json.dumps(headers, sort_keys=True) if headers else None)
    return pl.Series("attributes", found, dtype=pl.String)
