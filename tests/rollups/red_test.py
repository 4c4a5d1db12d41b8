from prodintel_lib.engines import collect
from prodintel_lib.rollups.red import RED_KEYS, RED_SCHEMA, build_red

S = 1_000_000


def red(spans, *, bucket_s=10):
    return collect(build_red(spans, bucket_s=bucket_s), schema=RED_SCHEMA, sort_by=RED_KEYS)


def test_build_red_counts_and_times_by_bucket_and_operation(spans):
    order = {"service_name": "shop", "http_request_method": "POST", "http_route": "/orders"}
    frame = red(
        spans(
            *({**order, "span_id": f"a{n}", "time_us": 10 * S + n, "duration_ms": float(n)} for n in range(1, 101)),
            {**order, "span_id": "b", "time_us": 20 * S - 1, "duration_ms": 500.0, "http_response_status_code": 503},
            {**order, "span_id": "c", "time_us": 20 * S, "duration_ms": 7.0},
            {"service_name": "shop", "span_id": "d", "time_us": 20 * S, "span_name": "tick"},
            {**order, "span_id": "e", "time_us": 20 * S, "span_kind": "client"},
        )
    )
    assert frame.rows() == [
        (10 * S, "shop", "POST", "/orders", True, 101, 1, 5550.0, 51.0, 96.0, 100.0, 500.0),
        (20 * S, "shop", None, "tick", True, 1, 0, 1.0, 1.0, 1.0, 1.0, 1.0),
        (20 * S, "shop", "POST", "/orders", True, 1, 0, 7.0, 7.0, 7.0, 7.0, 7.0),
    ]


def test_build_red_counts_every_way_to_fail(spans):
    frame = red(
        spans(
            {"span_id": "a", "status_code": "error"},
            {"span_id": "b", "http_response_status_code": 500},
            {"span_id": "c", "error_type": "timeout"},
            {"span_id": "d", "http_response_status_code": 404, "status_code": "unset"},
            {"span_id": "e", "status_code": "ok"},
        )
    )
    assert frame.select("requests", "failed").rows() == [(5, 3)]


def test_build_red_interpolates_quantiles(spans):
    frame = red(spans({"span_id": "a", "duration_ms": 10.0}, {"span_id": "b", "duration_ms": 20.0}))
    assert frame.select("duration_ms_p50", "duration_ms_p95", "duration_ms_p99").rows() == [(15.0, 19.5, 19.9)]


def test_build_red_keeps_entries_apart_from_inner_calls(spans):
    frame = red(
        spans(
            {"span_id": "a", "service_name": "gateway", "span_name": "GET /"},
            {"span_id": "b", "parent_span_id": "a", "service_name": "gateway", "span_kind": "client"},
            {"span_id": "c", "parent_span_id": "b", "service_name": "shop", "span_name": "GET /"},
            {"span_id": "d", "parent_span_id": None, "service_name": "shop", "span_name": "GET /"},
        )
    )
    assert frame.select("service_name", "is_entry", "requests").rows() == [
        ("gateway", True, 1),
        ("shop", False, 1),
        ("shop", True, 1),
    ]


def test_build_red_of_nothing_is_empty(spans):
    assert red(spans({"span_id": "a", "span_kind": "client"})).height == 0
