"""What sets some requests apart from all others of the same time."""

import polars as pl
import pytest

from prodintel_lib.analyses.localisation import locate_requests
from tests.located_shop import SHOP, met, requests_of


def test_locate_requests_finds_the_smallest_combination():
    found = locate_requests(SHOP, met(SHOP, route="/pay", context_region="GB"))
    assert [cause.attributes for cause in found.causes] == [{"region": "GB", "route": "/pay"}]
    assert found.causes[0].rate == 1.0
    assert found.causes[0].coverage == pytest.approx(1.0)


def test_locate_requests_names_nothing_where_an_error_is_met_everywhere():
    everywhere = SHOP.filter(pl.col("trace_id").cast(pl.Int64) % 4 == 0)["trace_id"].to_list()
    assert locate_requests(SHOP, everywhere).causes == ()


def test_locate_requests_of_no_request_or_no_attribute_is_none():
    assert locate_requests(SHOP, ["never seen"]) is None
    alike = requests_of((10, {"route": "/pay", "context_region": "GB"}))
    assert locate_requests(alike, ["1"]) is None


def test_locate_requests_passes_over_ids_and_what_is_seldom_known():
    named = SHOP.with_columns(
        context_basket=pl.col("trace_id"),
        context_campaign=pl.when(pl.col("trace_id") == "1").then(pl.lit("summer")),
    )
    found = locate_requests(named, met(named, route="/pay", context_region="GB"))
    assert set(found.dimensions) == {"route", "region", "device"}


def test_locate_requests_counts_a_session_once_however_often_it_met_the_error():
    few = requests_of((8, {"route": "/pay", "context_region": "GB"}), (8, {"route": "/pay", "context_region": "DE"}))
    traces = met(few, context_region="GB")
    assert locate_requests(few, traces).causes
    one = few.with_columns(
        session_id=pl.when(pl.col("context_region") == "GB").then(pl.lit("same")).otherwise("session_id")
    )
    assert locate_requests(one, traces).causes == ()
