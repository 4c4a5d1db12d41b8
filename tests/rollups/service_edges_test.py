from prodintel_lib.engines import collect
from prodintel_lib.rollups.service_edges import SERVICE_EDGES_KEYS, SERVICE_EDGES_SCHEMA, build_service_edges


def test_build_service_edges_counts_answers_below_answers_of_others(spans):
    rows = spans(
        {"span_id": "a", "service_name": "web"},
        {"span_id": "b", "parent_span_id": "a", "service_name": "shop", "http_response_status_code": 500},
        {"span_id": "c", "parent_span_id": "a", "service_name": "shop"},
        {"span_id": "d", "parent_span_id": "c", "service_name": "shop"},
        {"span_id": "e", "parent_span_id": "d", "service_name": "shop", "span_kind": "internal"},
        {"span_id": "f", "parent_span_id": "e", "service_name": "pay", "span_kind": "consumer"},
        {"span_id": "g", "parent_span_id": "a", "service_name": "web", "span_kind": "client"},
        {"span_id": "h", "parent_span_id": "g", "service_name": "pay"},
        {"span_id": "i", "parent_span_id": "a", "trace_id": "other", "service_name": "pay"},
    )
    frame = collect(build_service_edges(rows), schema=SERVICE_EDGES_SCHEMA, sort_by=SERVICE_EDGES_KEYS)
    assert frame.rows() == [("shop", "pay", 1, 0), ("web", "shop", 2, 1)]
