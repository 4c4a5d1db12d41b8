"""What an error keeps to, said."""

import polars as pl

from prodintel_lib.analyses.localisation import locate_requests
from prodintel_lib.error_correlation.places import ErrorPlaces
from tests.located_shop import SHOP, met


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
