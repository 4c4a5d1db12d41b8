from prodintel_lib.engines import collect
from prodintel_lib.rollups.calls import CALLS_SCHEMA, build_calls

CALL = {"service_name": "orders", "span_kind": "client", "server_address": "10.0.0.1", "server_port": 80}


def dependencies(spans, *rows):
    calls = collect(build_calls(spans(*rows)), schema=CALLS_SCHEMA, sort_by=["span_id"])
    return calls.select("span_id", "dependency", "call_kind", "failed", "has_own_spans").rows()


def test_build_calls_names_whom_was_called(spans):
    assert dependencies(
        spans,
        {**CALL, "span_id": "a"},
        {"span_id": "b", "parent_span_id": "a", "service_name": "pay"},
        {**CALL, "span_id": "c", "peer_service": "card-processor", "server_port": 81},
        {**CALL, "span_id": "d", "db_system_name": "sqlite", "server_address": None},
        {**CALL, "span_id": "e", "server_port": 82, "http_response_status_code": 503},
        {**CALL, "span_id": "f", "span_kind": "producer", "server_address": None},
    ) == [
        ("a", "pay", "http", False, True),
        ("c", "card-processor", "http", False, False),
        ("d", "orders sqlite", "database", False, False),
        ("e", "10.0.0.1", "http", True, False),
        ("f", "unknown", "messaging", False, False),
    ]


def test_build_calls_that_never_arrived_went_to_whoever_answers_there(spans):
    assert dependencies(
        spans,
        {**CALL, "span_id": "a"},
        {"span_id": "b", "parent_span_id": "a", "service_name": "pay"},
        {**CALL, "span_id": "c", "error_type": "timeout"},
    ) == [("a", "pay", "http", False, True), ("c", "pay", "http", True, False)]


def test_build_calls_to_an_address_that_several_share_keep_the_address(spans):
    assert dependencies(
        spans,
        {**CALL, "span_id": "a"},
        {"span_id": "b", "parent_span_id": "a", "service_name": "pay"},
        {**CALL, "span_id": "c"},
        {"span_id": "d", "parent_span_id": "c", "service_name": "catalogue"},
        {**CALL, "span_id": "e", "error_type": "timeout"},
    ) == [
        ("a", "pay", "http", False, True),
        ("c", "catalogue", "http", False, True),
        ("e", "10.0.0.1", "http", True, False),
    ]


def test_build_calls_counts_a_call_once_whatever_its_parents_and_callees_are(spans):
    frame = spans(
        {**CALL, "span_id": "a", "parent_span_id": "b"},
        {"span_id": "b", "parent_span_id": "a", "service_name": "pay"},
        {"span_id": "c", "parent_span_id": "a", "service_name": "pay"},
        {**CALL, "span_id": "d", "parent_span_id": "d", "peer_service": "cards"},
        # The span id of another trace, and a callee without a caller.
        {"span_id": "e", "parent_span_id": "d", "trace_id": "u", "service_name": "stock"},
    )
    calls = collect(build_calls(frame), schema=CALLS_SCHEMA, sort_by=["span_id"])
    assert calls.select("span_id", "dependency", "has_own_spans").rows() == [("a", "pay", True), ("d", "cards", False)]
