"""Requests of a shop in which what went wrong keeps to a place that a test chooses."""

import polars as pl


def requests_of(*groups):
    """Requests by (how many, attributes); a trace and a session each, named in order."""
    rows = [attributes for n, attributes in groups for _ in range(n)]
    return pl.DataFrame(rows).with_columns(
        trace_id=pl.int_range(pl.len()).cast(pl.String), session_id=pl.int_range(pl.len()).cast(pl.String)
    )


def met(requests, **attributes):
    told = requests.filter(*(pl.col(name) == value for name, value in attributes.items()))
    return told["trace_id"].to_list()


SHOP = requests_of(
    (60, {"route": "/pay", "context_region": "GB", "context_device": "mobile"}),
    (60, {"route": "/pay", "context_region": "DE", "context_device": "mobile"}),
    (60, {"route": "/pay", "context_region": "GB", "context_device": "other"}),
    (60, {"route": "/cart", "context_region": "GB", "context_device": "mobile"}),
    (60, {"route": "/cart", "context_region": "DE", "context_device": "other"}),
)
