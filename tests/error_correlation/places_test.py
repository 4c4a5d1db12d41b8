"""What an error keeps to, said."""

import polars as pl

from prodintel_lib.analyses.localisation import locate_requests
from prodintel_lib.error_correlation.places import ErrorPlaces


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


def test_error_places_say_where_and_escape_what_came_from_production():
    hostile = SHOP.with_columns(context_region=pl.col("context_region").replace("GB", "<b>GB"))
    found = locate_requests(hostile, met(hostile, route="/pay", context_region="<b>GB"))
    places = ErrorPlaces((("EP-1", "<i>KeyError", found),))
    assert "&lt;b&gt;GB" in places._repr_html_()
    assert "<i>KeyError" not in places._repr_html_()
    assert places.to_dicts()[0]["causes"][0]["bad"] == 120
    nothing = locate_requests(SHOP, SHOP["trace_id"].to_list()[::4])
    assert "No place stands out for KeyError" in ErrorPlaces((("EP-1", "KeyError", nothing),))._repr_html_()
    assert "can be told apart" in ErrorPlaces(())._repr_html_()
