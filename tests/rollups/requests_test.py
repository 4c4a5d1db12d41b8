import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.windows import Window


def requests(frame, **options):
    return collect(build_requests(frame, **options), schema=REQUESTS_SCHEMA, sort_by=REQUESTS_KEYS)


def test_build_requests_lists_what_came_from_outside(spans):
    frame = requests(
        spans(
            {"span_id": "a", "trace_id": "t1", "user_id": "u1", "attributes": '{"cart":3}'},
            {"span_id": "b", "trace_id": "t1", "parent_span_id": "a", "span_kind": "client"},
            {"span_id": "c", "trace_id": "t1", "parent_span_id": "b", "service_name": "pay"},
            {"span_id": "d", "trace_id": "t2", "parent_span_id": "browser", "error_type": "timeout", "time_us": 5},
        )
    )
    assert frame.select("span_id", "user_id", "attributes", "failed", "time_us").rows() == [
        ("a", "u1", '{"cart":3}', False, 0),
        ("d", None, None, True, 5),
    ]


def test_build_requests_takes_a_parent_of_another_trace_for_none(spans):
    frame = requests(
        spans({"span_id": "a", "trace_id": "t1"}, {"span_id": "b", "trace_id": "t2", "parent_span_id": "a"})
    )
    assert frame["span_id"].to_list() == ["a", "b"]


def test_build_requests_leaves_out_an_inner_call_that_lost_its_parent(spans):
    inner = {"service_name": "pay", "http_route": "/charge", "http_request_method": "POST"}
    frame = requests(
        spans(
            {"span_id": "a", "service_name": "gateway"},
            {"span_id": "b", "parent_span_id": "a", **inner},
            {"span_id": "c", "parent_span_id": "a", **inner},
            {"span_id": "d", "parent_span_id": "lost", **inner},
            {"span_id": "e", **inner},
        )
    )
    assert frame["span_id"].to_list() == ["a", "e"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"http_request_method": "POST", "http_route": "/api/orders", "span_name": "x"}, "POST /api/orders"),
        ({"http_route": "/api/orders", "span_name": "x"}, "/api/orders"),
        ({"http_request_method": "POST", "span_name": "POST"}, "POST"),
        ({}, None),
    ],
)
def test_build_requests_names_the_route_as_slos_do(spans, row, expected):
    assert requests(spans({"span_id": "a", **row}))["route"].to_list() == [expected]


def test_build_requests_cuts_at_the_window_but_looks_for_parents_everywhere(spans):
    frame = requests(
        spans(
            {"span_id": "a", "time_us": 9},
            {"span_id": "b", "time_us": 10, "parent_span_id": "a", "service_name": "pay"},
            {"span_id": "c", "time_us": 10},
            {"span_id": "d", "time_us": 20},
        ),
        window=Window(10, 20),
    )
    assert frame["span_id"].to_list() == ["c"]


def test_build_requests_counts_each_request_once_whatever_its_parents_are(spans):
    rows = (
        {"span_id": "a", "span_name": "GET /a", "parent_span_id": "a"},
        {"span_id": "b", "span_name": "GET /b", "parent_span_id": "c"},
        {"span_id": "c", "span_name": "GET /c", "parent_span_id": "b"},
        {"span_id": "d", "span_name": "GET /d"},
        {"span_id": "e", "span_name": "GET /e"},
        {"span_id": "d", "span_name": "GET /d", "trace_id": "u"},
    )
    frame = collect(build_requests(spans(*rows)), schema=REQUESTS_SCHEMA, sort_by=REQUESTS_KEYS)
    assert frame.select("trace_id", "span_id").rows() == [("t", "a"), ("t", "d"), ("t", "e"), ("u", "d")]
