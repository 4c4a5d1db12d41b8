import json

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.load_requests import LOAD_REQUESTS_SCHEMA, build_request_paths, load_requests
from prodintel_lib.tables import RUM_EVENTS, SPANS, conform

NO_SPANS = nw.from_native(pl.LazyFrame(schema=SPANS.schema))
NO_EVENTS = nw.from_native(pl.LazyFrame(schema=RUM_EVENTS.schema))
ORDER = {"http_request_method": "POST", "http_route": "/orders", "session_id": "s", "user_id": "u"}
VIEW = {"event_kind": "view", "http_request_method": "GET", "url_path": "/a"}
CALL = {"event_kind": "request", "http_request_method": "GET", "request_path": "/api/7", "http_route": "/page/{id}"}


def events(*rows):
    whole = [{"visitor_id": "v", "time_us": number, "user_bucket": 0, **row} for number, row in enumerate(rows)]
    return nw.from_native(conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS).lazy())


def of_spans(spans, **options):
    lazy = load_requests(spans, NO_EVENTS, source="spans", **options)
    return collect(lazy, schema=LOAD_REQUESTS_SCHEMA, sort_by=["time_us"])


def of_rum(rum_events, **options):
    lazy = load_requests(NO_SPANS, rum_events, source="rum", **options)
    return collect(lazy, schema=LOAD_REQUESTS_SCHEMA, sort_by=["time_us"])


def test_load_requests_of_spans_lists_entries_with_who_and_what(spans):
    sizes = {"http.request.body.size": 12, "http.response.body.size": 3400, "resource": {}}
    frame = of_spans(
        spans(
            {**ORDER, "span_id": "a", "attributes": json.dumps(sizes, separators=(",", ":")), "status_code": "error"},
            {"span_id": "b", "parent_span_id": "a", "service_name": "pay", "span_name": "charge"},
            {"span_id": "c", "time_us": 2, "duration_ms": 2.5, "span_name": "tick", "user_id": "u"},
            {"span_id": "d", "time_us": 3, "trace_id": "t2"},
        )
    )
    assert frame.rows() == [
        (0, "s", "POST /orders", "POST", 1.0, 12, 3400, True),
        (2, "u", "tick", "", 2.5, None, None, False),
        (3, "", "unknown", "", 1.0, None, None, False),
    ]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('{"http.response_content_length":71,"x":1}', 71),
        ('{"x":1,"http.response.body.size":"72"}', 72),
        ('{"http.response.body.size":12345678901234567890}', 123456789012345),
        ('{"http.response.body.size":null,"n":5}', None),
        ('{"note":"\\"http.response.body.size\\":9"}', None),
        (None, None),
    ],
)
def test_load_requests_reads_the_size_an_attribute_says(spans, attributes, size):
    frame = of_spans(spans({**ORDER, "span_id": "a", "attributes": attributes}))
    assert frame["response_bytes"].to_list() == [size]


def test_load_requests_takes_the_length_of_a_captured_body_where_no_size_is_said(spans):
    frame = of_spans(
        spans(
            {**ORDER, "span_id": "a", "http_request_body": '{"n":1}', "http_response_body": "{}"},
            {
                **ORDER,
                "span_id": "b",
                "time_us": 1,
                "http_response_body": "{}",
                "attributes": '{"http.response_content_length":9}',
            },
        )
    )
    assert frame.select("request_bytes", "response_bytes").rows() == [(7, 2), (None, 9)]


def test_load_requests_of_rum_takes_requests_and_views_that_were_fetched():
    frame = of_rum(
        events(
            {**VIEW, "http_response_status_code": 200, "attributes": '{"bytes":512,"protocol":"HTTP/1.1"}'},
            {**VIEW, "http_request_method": None},
            {**CALL, "http_response_status_code": 503, "session_id": "s", "duration_ms": 9.0},
            {**CALL, "http_response_status_code": 404},
            {**CALL, "http_response_status_code": 0, "visitor_id": None, "user_id": "u"},
            {**CALL, "request_path": None},
            {"event_kind": "action"},
        )
    )
    assert frame.rows() == [
        (0, "v", "GET /a", "GET", None, None, 512, False),
        (2, "s", "GET /api/7", "GET", 9.0, None, None, True),
        (3, "v", "GET /api/7", "GET", None, None, None, False),
        (4, "u", "GET /api/7", "GET", None, None, None, True),
        (5, "v", "unknown", "GET", None, None, None, False),
    ]


def test_load_requests_of_rum_uses_given_templates_for_views_and_learned_ones_for_both():
    routes = nw.from_native(pl.LazyFrame({"url_path": ["/api/7", "/a"], "route": ["/api/{id}", "/{name}"]}))
    frame = of_rum(events(VIEW, {**VIEW, "http_route": "/given"}, CALL), routes=routes)
    assert frame["endpoint"].to_list() == ["GET /{name}", "GET /given", "GET /api/{id}"]


@pytest.mark.parametrize(("callers", "times"), [("people", [0]), ("machines", [1]), ("all", [0, 1])])
def test_load_requests_tells_machines_apart(spans, callers, times):
    seen = of_rum(events(VIEW, {**VIEW, "user_agent_synthetic_type": "bot"}), callers=callers)
    marked = '{"user_agent.synthetic.type":"test"}'
    traced = of_spans(
        spans({**ORDER, "span_id": "a"}, {**ORDER, "span_id": "b", "time_us": 1, "attributes": marked}),
        callers=callers,
    )
    assert seen["time_us"].to_list() == traced["time_us"].to_list() == times


def test_load_requests_refuses_what_is_no_source():
    with pytest.raises(ParameterError, match=r"Unknown source `span`; known: rum, spans.[\s\S]*did you mean `spans`"):
        load_requests(NO_SPANS, NO_EVENTS, source="span")
    with pytest.raises(ParameterError, match="Unknown callers `bots`"):
        load_requests(NO_SPANS, NO_EVENTS, source="rum", callers="bots")


def test_build_request_paths_counts_what_has_no_template():
    lazy = build_request_paths(
        events(
            {**VIEW, "http_response_status_code": 404},
            VIEW,
            CALL,
            {**VIEW, "http_route": "/given"},
            {**VIEW, "user_agent_synthetic_type": "bot"},
        )
    )
    frame = collect(
        lazy, schema={"url_path": pl.String(), "views": pl.Int64(), "bad": pl.Int64()}, sort_by=["url_path"]
    )
    assert frame.rows() == [("/a", 2, 1), ("/api/7", 1, 0)]


def test_load_requests_keeps_columns_of_the_source(spans):
    kept = {**LOAD_REQUESTS_SCHEMA, "trace_id": pl.String()}
    of = load_requests(
        spans({**ORDER, "span_id": "a", "trace_id": "abc"}), NO_EVENTS, source="spans", keep=["trace_id"]
    )
    assert collect(of, schema=kept, sort_by=["time_us"])["trace_id"].to_list() == ["abc"]
    of = load_requests(NO_SPANS, events({**CALL, "trace_id": "def"}), source="rum", keep=["trace_id"])
    assert collect(of, schema=kept, sort_by=["time_us"])["trace_id"].to_list() == ["def"]
