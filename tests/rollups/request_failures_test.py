from prodintel_lib.engines import collect
from prodintel_lib.rollups.request_failures import (
    NO_STATUS,
    REQUEST_FAILURES_KEYS,
    REQUEST_FAILURES_SCHEMA,
    build_request_failures,
)

S = 1_000_000


def test_build_request_failures_counts_what_failed_and_what_was_refused(spans):
    order = {"service_name": "shop", "http_request_method": "POST", "http_route": "/orders"}
    rows = spans(
        {**order, "span_id": "a", "http_response_status_code": 503, "error_type": "503"},
        {**order, "span_id": "b", "http_response_status_code": 503, "error_type": "503", "time_us": 9 * S},
        {**order, "span_id": "c", "http_response_status_code": 404, "time_us": 10 * S},
        {**order, "span_id": "d", "http_response_status_code": 200},
        {**order, "span_id": "e", "status_code": "error"},
        {**order, "span_id": "f", "status_code": "error", "span_kind": "client"},
    )
    lazy = build_request_failures(rows, bucket_s=10)
    frame = collect(lazy, schema=REQUEST_FAILURES_SCHEMA, sort_by=REQUEST_FAILURES_KEYS)
    assert frame.rows() == [
        (0, "shop", "POST /orders", True, NO_STATUS, "", 1),
        (0, "shop", "POST /orders", True, 503, "503", 2),
        (10 * S, "shop", "POST /orders", True, 404, "", 1),
    ]
