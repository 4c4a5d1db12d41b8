import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.edges import EDGE_KEYS, EDGES_SCHEMA, build_edges

S = 1_000_000


def test_build_edges_sums_calls_by_caller_and_dependency(spans):
    call = {"service_name": "orders", "span_kind": "client", "server_address": "127.0.0.1"}
    frame = collect(
        build_edges(
            spans(
                {**call, "span_id": "a", "duration_ms": 10.0},
                {"span_id": "b", "parent_span_id": "a", "service_name": "pay"},
                {**call, "span_id": "c", "duration_ms": 30.0, "error_type": "timeout"},
                {"span_id": "d", "parent_span_id": "c", "service_name": "pay"},
                {**call, "span_id": "e", "duration_ms": 7.0, "peer_service": "card-processor"},
                {**call, "span_id": "f", "duration_ms": 1.0, "db_system_name": "sqlite"},
            )
        ),
        schema=EDGES_SCHEMA,
        sort_by=EDGE_KEYS,
    )
    assert frame.rows() == [
        ("orders", "card-processor", "http", False, 1, 0, 7.0, 7.0, 7.0, 7.0, 7.0),
        ("orders", "orders sqlite", "database", False, 1, 0, 1.0, 1.0, 1.0, 1.0, 1.0),
        ("orders", "pay", "http", True, 2, 1, 40.0, 20.0, 29.0, 29.8, 30.0),
    ]


def test_build_edges_keeps_buckets_apart(spans):
    call = {"service_name": "orders", "span_kind": "client", "peer_service": "pay"}
    frame = collect(
        build_edges(
            spans({**call, "span_id": "a", "time_us": 9 * S}, {**call, "span_id": "b", "time_us": 10 * S}), bucket_s=10
        ),
        schema={"bucket_us": pl.Int64(), "calls": pl.Int64()},
        sort_by=["bucket_us"],
    )
    assert frame.rows() == [(0, 1), (10 * S, 1)]
