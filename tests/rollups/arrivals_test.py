import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.arrivals import (
    ARRIVALS_KEYS,
    ARRIVALS_SCHEMA,
    PAYLOAD_SIZES_KEYS,
    PAYLOAD_SIZES_SCHEMA,
    build_arrivals,
    build_payload_sizes,
)
from prodintel_lib.rollups.histograms import ZERO_BIN
from prodintel_lib.rollups.load_requests import LOAD_REQUESTS_SCHEMA

S = 1_000_000


def requests(*rows):
    known = {"visitor": "v", "endpoint": "GET /", "method": "GET", "failed": False}
    whole = [{**known, **row} for row in rows]
    return nw.from_native(pl.LazyFrame(whole, schema=LOAD_REQUESTS_SCHEMA))


def test_build_arrivals_counts_seconds_and_buckets_of_each_endpoint_and_of_all():
    lazy = build_arrivals(
        requests(
            {"time_us": 0, "duration_ms": 2.0, "response_bytes": 100},
            {"time_us": S - 1, "duration_ms": 3.5, "response_bytes": 50},
            {"time_us": S // 2, "endpoint": "POST /", "failed": True},
            {"time_us": 5 * S, "response_bytes": 0},
            {"time_us": 10 * S},
        ),
        bucket_s=10,
    )
    frame = collect(lazy, schema=ARRIVALS_SCHEMA, sort_by=ARRIVALS_KEYS)
    assert frame.rows() == [
        (0, "", 4, 1, 10, 3, 150, 3, 5.5, 2),
        (0, "GET /", 3, 0, 5, 2, 150, 3, 5.5, 2),
        (0, "POST /", 1, 1, 1, 1, 0, 0, 0.0, 0),
        (10 * S, "", 1, 0, 1, 1, 0, 0, 0.0, 0),
        (10 * S, "GET /", 1, 0, 1, 1, 0, 0, 0.0, 0),
    ]


def test_build_arrivals_of_nothing_is_nothing():
    frame = collect(build_arrivals(requests()), schema=ARRIVALS_SCHEMA, sort_by=ARRIVALS_KEYS)
    assert frame.is_empty()


def test_build_payload_sizes_counts_known_and_unknown_sizes():
    lazy = build_payload_sizes(
        requests(
            {"time_us": 0, "response_bytes": 1000},
            {"time_us": 0, "response_bytes": 1001, "request_bytes": 0},
            {"time_us": 0},
        )
    )
    frame = collect(lazy, schema=PAYLOAD_SIZES_SCHEMA, sort_by=PAYLOAD_SIZES_KEYS)
    assert frame.rows() == [
        ("GET /", "request", None, 2, 0),
        ("GET /", "request", ZERO_BIN, 1, 0),
        ("GET /", "response", None, 1, 0),
        ("GET /", "response", 345, 2, 2001),
    ]
