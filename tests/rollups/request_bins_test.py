import json

import numpy as np
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.request_bins import (
    COARSE_GROWTH,
    COARSE_ZERO,
    NO_BIN,
    REQUEST_BINS_KEYS,
    REQUEST_BINS_SCHEMA,
    build_request_bins,
    coarse_value_of,
)

S = 1_000_000
ORDER = {"service_name": "shop", "http_request_method": "POST", "http_route": "/orders", "service_version": "2"}


def bins(spans, *, bucket_s=10, limits_ms=None):
    lazy = build_request_bins(spans, bucket_s=bucket_s, limits_ms=limits_ms)
    return collect(lazy, schema=REQUEST_BINS_SCHEMA, sort_by=REQUEST_BINS_KEYS)


def with_attributes(own, **resource):
    return json.dumps({**own, "resource": resource, "scope": "flask"}, separators=(",", ":"))


def test_build_request_bins_counts_by_bucket_route_and_duration(spans):
    frame = bins(
        spans(
            {**ORDER, "span_id": "a", "time_us": 10 * S, "duration_ms": 1.0},
            {**ORDER, "span_id": "b", "time_us": 20 * S - 1, "duration_ms": 1.05, "http_response_status_code": 503},
            {**ORDER, "span_id": "c", "time_us": 20 * S, "duration_ms": 100.0},
            {**ORDER, "span_id": "d", "time_us": 20 * S, "span_kind": "client"},
        ),
        limits_ms={"POST /orders": 99.5, "GET /orders": 0.1},
    )
    assert frame.rows() == [
        (10 * S, "shop", "POST /orders", True, "", "2", "", 0, 2, 1, 2.05, 0),
        (20 * S, "shop", "POST /orders", True, "", "2", "", 57, 1, 0, 100.0, 1),
    ]


def test_build_request_bins_over_limit_is_exact_where_a_bin_is_not(spans):
    rows = [{**ORDER, "span_id": str(number), "duration_ms": 100.0 + number / 100} for number in range(5)]
    frame = bins(spans(*rows), limits_ms={"POST /orders": 100.01})
    assert frame.select("bin", "requests", "over_limit").rows() == [(57, 5, 3)]


@pytest.mark.parametrize(
    ("own", "region"),
    [
        ({"shop.region": "FR", "shop.cart.value": 1.5}, "FR"),
        ({"client.geo.country_iso_code": "DE"}, "DE"),
        ({"userRegion": "eu-west, Ireland", "x": 1}, "eu-west, Ireland"),
        ({"region": 7, "x": "y"}, "7"),
        ({"note": 'say "x.region":"ES" twice', "x": 1}, ""),
        ({"note": "the region", "x": "y"}, ""),
        ({"regional": "FR"}, ""),
        ({}, ""),
    ],
)
def test_build_request_bins_finds_the_region_among_the_own_attributes(spans, own, region):
    attributes = with_attributes(own, **{"cloud.region": "us-east-1"})
    assert bins(spans({**ORDER, "span_id": "a", "attributes": attributes}))["region"].to_list() == [region]


@pytest.mark.parametrize(
    ("own", "cache"),
    [({"cache.hit": True, "z": 1}, "true"), ({"shop.cache_status": "miss"}, "miss"), ({"cache.name": "hit"}, "")],
)
def test_build_request_bins_finds_the_state_of_the_cache(spans, own, cache):
    frame = bins(spans({**ORDER, "span_id": "a", "attributes": with_attributes(own)}))
    assert frame["cache"].to_list() == [cache]


def test_build_request_bins_writes_what_is_unknown_as_empty(spans):
    frame = bins(spans({"span_id": "a", "duration_ms": None}, {"span_id": "b", "duration_ms": 0.0}))
    assert frame.rows() == [
        (0, "", "", True, "", "", "", NO_BIN, 1, 0, 0.0, 0),
        (0, "", "", True, "", "", "", COARSE_ZERO, 1, 0, 0.0, 0),
    ]


def test_build_request_bins_tells_entries_from_inner_calls(spans):
    frame = bins(
        spans(
            {**ORDER, "span_id": "a"},
            {"span_id": "b", "parent_span_id": "a", "service_name": "pay", "span_name": "charge"},
        )
    )
    assert frame.select("service_name", "route", "is_entry").rows() == [
        ("pay", "charge", False),
        ("shop", "POST /orders", True),
    ]


def test_coarse_value_of_is_within_four_per_cent_of_all_a_bin_holds():
    numbers = np.array([-20, 0, 57, 120])
    lows, highs = COARSE_GROWTH**numbers, COARSE_GROWTH ** (numbers + 1.0)
    middles = coarse_value_of(numbers)
    assert np.allclose(middles / lows - 1, 0.04, atol=0.0004)
    assert np.allclose(1 - middles / highs, 0.04, atol=0.0004)
    assert coarse_value_of(np.array([COARSE_ZERO]))[0] == 0.0
    assert np.isnan(coarse_value_of(np.array([NO_BIN]))[0])
