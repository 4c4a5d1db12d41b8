"""Spans, logs and metrics of OTLP/JSON; the values here were written by hand from the specification."""

import base64

import orjson
import pytest

from prodintel_lib.sources.otlp import read_otlp

START_US = 1_759_155_600_000_000
TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
TABLES = {
    "trace.json": ("spans", 1),
    "logs.json": ("logs", 1),
    "events.json": ("rum_events", 1),
    "metrics.json": ("metrics", 4),
}


def only(result, table):
    """Return the one row of a result, without what it does not have."""
    assert result.quarantined == ()
    assert result.kept == {table: 1}
    return {name: value for name, value in result.frames[table].row(0, named=True).items() if value is not None}


def reasons(result):
    return [(item.reason, item.line) for item in result.quarantined]


@pytest.mark.parametrize("name", TABLES)
def test_read_otlp_reads_the_specifications_examples(shared_data, stream, name):
    table, rows = TABLES[name]
    result = read_otlp(stream((shared_data / "formats" / "otlp" / name).read_bytes()))
    assert (result.kept, result.quarantined) == ({table: rows}, ())
    assert set(result.frames[table]["service_name"]) == {"my.service"}


def test_read_otlp_reads_a_span(stream, span, traces, attributes):
    made = span(
        parentSpanId="eee19b7ec3c1b173",
        status={"code": 2, "message": "boom"},
        traceState="a=b",
        attributes=attributes({"http.route": "/api/orders", "http.response.status_code": 503, "cart.items": 3}),
        links=[{"traceId": TRACE, "spanId": SPAN, "attributes": []}],
    )
    resource = {"service.name": "shop", "service.version": "2.4.2", "deployment.environment": "prod", "host.name": "h1"}
    row = only(read_otlp(stream(traces(made, resource=resource, scope={"name": "lib", "version": "1"}))), "spans")
    assert orjson.loads(row.pop("attributes")) == {
        "cart.items": 3,
        "links": [{"trace_id": TRACE, "span_id": SPAN, "attributes": {}}],
        "trace_state": "a=b",
        "resource": {"host.name": "h1"},
        "scope": "lib",
        "scope_version": "1",
    }
    assert row == {
        "time_us": START_US,
        "duration_ms": 1000.0,
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": "eee19b7ec3c1b173",
        "span_name": "POST /api/orders",
        "span_kind": "server",
        "status_code": "error",
        "status_message": "boom",
        "service_name": "shop",
        "service_version": "2.4.2",
        "deployment_environment_name": "prod",
        "http_route": "/api/orders",
        "http_response_status_code": 503,
    }


def test_read_otlp_reads_snake_case_names_and_numbers_as_numbers(stream):
    document = {
        "resource_spans": [
            {
                "scope_spans": [
                    {
                        "spans": [
                            {
                                "trace_id": TRACE.upper(),
                                "span_id": SPAN,
                                "parent_span_id": "0000000000000000",
                                "kind": "SPAN_KIND_CLIENT",
                                "start_time_unix_nano": 1759155600000000000,
                                "end_time_unix_nano": 1759155600000250000,
                                "status": {"code": "STATUS_CODE_OK"},
                                "attributes": [{"key": "a_b", "value": {"string_value": "c_d"}}],
                            }
                        ]
                    }
                ]
            }
        ]
    }
    assert only(read_otlp(stream(document)), "spans") == {
        "time_us": START_US,
        "duration_ms": 0.25,
        "trace_id": TRACE,
        "span_id": SPAN,
        "span_kind": "client",
        "status_code": "ok",
        "attributes": '{"a_b":"c_d"}',
    }


@pytest.mark.parametrize("padding", ["", "=="], ids=["unpadded", "padded"])
def test_read_otlp_reads_base64_ids(stream, span, traces, padding):
    trace_id = base64.b64encode(bytes.fromhex(TRACE)).decode().rstrip("=")
    span_id = base64.b64encode(bytes.fromhex(SPAN)).decode().rstrip("=")
    row = only(read_otlp(stream(traces(span(traceId=trace_id + padding, spanId=span_id + padding[:1])))), "spans")
    assert (row["trace_id"], row["span_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    ("kind", "old", "expected"),
    [
        (
            2,
            {"http.method": "GET", "http.status_code": 200, "http.target": "/p?x=1", "http.user_agent": "curl"},
            {
                "http_request_method": "GET",
                "http_response_status_code": 200,
                "url_path": "/p",
                "url_query": "x=1",
                "user_agent_original": "curl",
            },
        ),
        (
            2,
            {"net.host.name": "shop.example", "net.host.port": 80},
            {"server_address": "shop.example", "server_port": 80},
        ),
        (
            3,
            {"net.peer.name": "db.internal", "net.peer.port": 5432},
            {"server_address": "db.internal", "server_port": 5432},
        ),
        (
            3,
            {"http.url": "http://pay.example:8443/charge?a=b"},
            {"url_path": "/charge", "url_query": "a=b", "server_address": "pay.example", "server_port": 8443},
        ),
        (3, {"db.system": "redis", "db.statement": "GET k"}, {"db_system_name": "redis", "db_query_text": "GET k"}),
        (
            3,
            {"db.system.name": "redis", "db.query.text": "GET k"},
            {"db_system_name": "redis", "db_query_text": "GET k"},
        ),
        (3, {"peer.service": "pay"}, {"peer_service": "pay"}),
        (3, {"service.peer.name": "pay"}, {"peer_service": "pay"}),
        (2, {"enduser.id": "u1", "session.id": "s1"}, {"user_id": "u1", "session_id": "s1"}),
        (2, {"user.id": 17}, {"user_id": "17"}),
        (
            2,
            {"http.request.body.content": "{}", "http.response.body.content": "[]"},
            {"http_request_body": "{}", "http_response_body": "[]"},
        ),
        (2, {"http.status_code": "404"}, {"http_response_status_code": 404}),
        (2, {"http.status_code": 404.0}, {"http_response_status_code": 404}),
    ],
)
def test_read_otlp_knows_old_and_new_names(stream, span, traces, attributes, kind, old, expected):
    row = only(read_otlp(stream(traces(span(kind=kind, attributes=attributes(old)), resource={}))), "spans")
    given = {name: value for name, value in row.items() if name in expected}
    assert given == expected
    left = orjson.loads(row.get("attributes", "{}"))
    assert left == {key: value for key, value in old.items() if key == "http.url"}


def test_read_otlp_does_not_take_a_servers_peer_for_the_server(stream, span, traces, attributes):
    row = only(read_otlp(stream(traces(span(attributes=attributes({"net.peer.name": "10.0.0.9"}))))), "spans")
    assert "server_address" not in row
    assert orjson.loads(row["attributes"]) == {"net.peer.name": "10.0.0.9"}


@pytest.mark.parametrize("value", ["many", float("inf"), 2**63])
def test_read_otlp_keeps_a_number_it_cannot_take_as_an_attribute(stream, span, traces, value):
    pair = {
        "key": "http.status_code",
        "value": {"doubleValue": str(value)} if type(value) is float else {"stringValue": str(value)},
    }
    row = only(read_otlp(stream(traces(span(attributes=[pair])))), "spans")
    assert "http_response_status_code" not in row
    assert orjson.loads(row["attributes"]) == {"http.status_code": str(value)}


def test_read_otlp_takes_names_of_one_column_once_and_keeps_another_value(stream, span, traces, attributes):
    both = {"http.request.method": "GET", "http.method": "GET", "user.id": "new", "enduser.id": "old"}
    row = only(read_otlp(stream(traces(span(attributes=attributes(both))))), "spans")
    assert (row["http_request_method"], row["user_id"]) == ("GET", "new")
    assert orjson.loads(row["attributes"]) == {"enduser.id": "old"}


def test_read_otlp_fills_the_exception_columns_from_the_last_exception(stream, span, traces, attributes):
    events = [
        {
            "name": "exception",
            "timeUnixNano": "1759155600000001000",
            "attributes": attributes({"exception.type": "First"}),
        },
        {"name": "retry", "timeUnixNano": "0", "attributes": []},
        {
            "name": "exception",
            "timeUnixNano": "1759155600000002000",
            "attributes": attributes(
                {"exception.type": "PoolTimeout", "exception.message": "dry", "exception.stacktrace": "at x"}
            ),
        },
    ]
    row = only(read_otlp(stream(traces(span(events=events)))), "spans")
    assert (row["error_type"], row["exception_message"], row["exception_stacktrace"]) == ("PoolTimeout", "dry", "at x")
    kept = orjson.loads(row["attributes"])["events"]
    assert [(event["name"], event["time_us"]) for event in kept] == [
        ("exception", START_US + 1),
        ("retry", None),
        ("exception", START_US + 2),
    ]


def test_read_otlp_prefers_the_spans_own_error_type_to_its_exceptions(stream, span, traces, attributes):
    events = [{"name": "exception", "attributes": attributes({"exception.type": "ReadTimeout"})}]
    made = span(attributes=attributes({"error.type": "timeout"}), events=events)
    assert only(read_otlp(stream(traces(made))), "spans")["error_type"] == "timeout"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": 'a"\n'}, 'a"\n'),
        ({"boolValue": False}, False),
        ({"intValue": "-9223372036854775808"}, -9223372036854775808),
        ({"intValue": "99999999999999999999"}, "99999999999999999999"),
        ({"doubleValue": 1.5}, 1.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"bytesValue": "AAE="}, "AAE="),
        ({"arrayValue": {"values": [{"intValue": 1}, {}, {"stringValue": "x"}]}}, [1, None, "x"]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, {"k": True}),
        ({}, None),
        (..., None),
    ],
)
def test_read_otlp_reads_every_kind_of_value(stream, span, traces, value, expected):
    pair = {"key": "x"} if value is ... else {"key": "x", "value": value}
    row = only(read_otlp(stream(traces(span(attributes=[pair])))), "spans")
    assert orjson.loads(row["attributes"]) == {"x": expected}


def test_read_otlp_keeps_an_attribute_that_has_the_name_of_ours(stream, span, traces, attributes):
    resource = {"service.name": "shop", "zone": "b"}
    made = span(attributes=attributes({"resource": "GET /", "events": "2"}))
    row = only(read_otlp(stream(traces(made, resource=resource))), "spans")
    assert orjson.loads(row["attributes"]) == {"resource_": "GET /", "events_": "2", "resource": {"zone": "b"}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": ...}, "missing trace or span id"),
        ({"spanId": ""}, "missing trace or span id"),
        ({"traceId": "0" * 32}, "missing trace or span id"),
        ({"spanId": "zzzzzzzzzzzzzzzz"}, "malformed id"),
        ({"traceId": "abc!"}, "malformed span"),
        ({"startTimeUnixNano": "0"}, "missing or impossible start time"),
        ({"startTimeUnixNano": "99999999999999999999999"}, "missing or impossible start time"),
        ({"endTimeUnixNano": ...}, "missing end time"),
        ({"endTimeUnixNano": "1759155599999999999"}, "negative duration"),
        ({"kind": 77}, "malformed span"),
        ({"attributes": [{"value": {}}]}, "malformed span"),
        ({"attributes": [{"key": {}, "value": {}}]}, "malformed span"),
    ],
)
def test_read_otlp_quarantines_a_bad_span_and_keeps_its_neighbours(stream, span, traces, changes, reason):
    good = [span(spanId=f"{number:016x}") for number in (1, 2)]
    result = read_otlp(stream(traces(good[0], span(**changes), good[1]), b"not json"))
    assert reasons(result) == [(reason, 1), ("not valid JSON", 2)]
    assert result.rows_read == 4
    assert result.frames["spans"]["span_id"].to_list() == ["0000000000000001", "0000000000000002"]
    assert result.frames["spans"]["http_route"].null_count() == 2


def test_read_otlp_leaves_nothing_of_a_rejected_span_in_the_next(stream, span, traces, attributes):
    bad = span(attributes=attributes({"http.route": "/a", "user.id": "u"}), events=[5])
    row = only_kept(read_otlp(stream(traces(bad, span(), resource={}))))
    assert "http_route" not in row
    assert "user_id" not in row


def only_kept(result):
    return {name: value for name, value in result.frames["spans"].row(0, named=True).items() if value is not None}


def test_read_otlp_reads_more_spans_than_a_chunk_holds(stream, span, traces):
    documents = [traces(*(span(spanId=f"{100 * n + m + 1:016x}") for m in range(100))) for n in range(90)]
    result = read_otlp(stream(*documents))
    assert result.frames["spans"]["span_id"].to_list() == [f"{number + 1:016x}" for number in range(9000)]


@pytest.mark.parametrize(
    "document",
    [
        {"resourceSpans": 5},
        {"resourceSpans": [5]},
        {"resourceSpans": [{"scopeSpans": [{"spans": {"a": 1}}]}]},
        {"resourceSpans": [{"resource": {"attributes": [{"value": {}}]}, "scopeSpans": [{}]}]},
        {},
        7,
        "x",
    ],
)
def test_read_otlp_quarantines_a_document_of_another_shape(stream, span, traces, document):
    result = read_otlp(stream(document, traces(span())))
    assert reasons(result) == [("not an OTLP document", 1)]
    assert (result.rows_read, result.kept) == (2, {"spans": 1})


def test_read_otlp_reads_a_log_record(stream, attributes):
    record = {
        "timeUnixNano": "1759155600000000000",
        "severityNumber": 17,
        "severityText": "CRITICAL",
        "body": {"stringValue": "pool ran dry"},
        "traceId": TRACE,
        "spanId": SPAN,
        "attributes": attributes({"exception.type": "PoolTimeout", "code.lineno": 12}),
    }
    document = {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "shop.payment"}, "logRecords": [record]}]}]}
    row = only(read_otlp(stream(document)), "logs")
    assert row == {
        "time_us": START_US,
        "severity_text": "ERROR",
        "severity_number": 17,
        "body": "pool ran dry",
        "logger_name": "shop.payment",
        "trace_id": TRACE,
        "span_id": SPAN,
        "error_type": "PoolTimeout",
        "attributes": '{"code.lineno":12,"severity_text":"CRITICAL"}',
    }


def test_read_otlp_takes_ids_of_zeros_for_none(stream, attributes):
    record = {"timeUnixNano": "1759155600000000000", "traceId": "0" * 32, "spanId": "AAAAAAAAAAA="}
    row = only(read_otlp(stream({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})), "logs")
    assert row == {"time_us": START_US}


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ({"severityNumber": 1}, ("TRACE", 1)),
        ({"severityNumber": "SEVERITY_NUMBER_WARN2"}, ("WARN", 14)),
        ({"severityNumber": 24}, ("FATAL", 24)),
        ({"severityText": "warning"}, ("WARN", None)),
        ({"severityText": "odd"}, ("odd", None)),
        ({"severityNumber": 0}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_read_otlp_names_severities_alike(stream, severity, expected):
    record = {"observedTimeUnixNano": "1759155600000000000", **severity}
    result = read_otlp(stream({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}))
    assert result.frames["logs"].select("severity_text", "severity_number").row(0) == expected
    assert result.frames["logs"]["time_us"].to_list() == [START_US]


def test_read_otlp_keeps_a_log_record_whose_trace_id_is_none(stream):
    record = {"timeUnixNano": "1759155600000000000", "traceId": "n/a", "spanId": SPAN}
    row = only(read_otlp(stream({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})), "logs")
    assert row == {"time_us": START_US, "span_id": SPAN, "attributes": '{"trace_id":"n/a"}'}


def test_read_otlp_quarantines_a_log_record_without_a_time(stream):
    result = read_otlp(stream({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}))
    assert reasons(result) == [("missing or impossible time", 1)]


def metrics(*made):
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": list(made)}]}]}


AT = {"startTimeUnixNano": "1759155590000000000", "timeUnixNano": "1759155600000000000"}


def test_read_otlp_reads_gauges_and_sums(stream, attributes):
    points = [{**AT, "asInt": "7", "attributes": attributes({"state": "used", "pool": "orders"})}]
    gauge = {
        "name": "db.client.connection.count",
        "unit": "{connection}",
        "description": "d",
        "gauge": {"dataPoints": points},
    }
    total = {
        "name": "requests",
        "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": [{**AT, "asDouble": 1.5}]},
    }
    frame = read_otlp(stream(metrics(gauge, total))).frames["metrics"]
    assert frame.select("metric_name", "metric_unit", "metric_kind", "is_monotonic", "temporality", "value").rows() == [
        ("db.client.connection.count", "{connection}", "gauge", None, None, 7.0),
        ("requests", None, "sum", True, "cumulative", 1.5),
    ]
    assert frame["time_us"].to_list() == [START_US, START_US]
    assert frame["start_time_us"].to_list() == [START_US - 10_000_000] * 2
    assert frame["attributes"].to_list() == ['{"pool":"orders","state":"used","description":"d"}', None]


@pytest.mark.parametrize(
    ("kind", "point", "row", "buckets"),
    [
        (
            "histogram",
            {"count": "3", "sum": 6.5, "min": 1, "max": 4, "explicitBounds": [2, 5], "bucketCounts": ["2", 1, 0]},
            ("histogram", 3, 6.5, 1.0, 4.0),
            {"bounds": [2.0, 5.0], "counts": [2, 1, 0]},
        ),
        (
            "exponentialHistogram",
            {
                "count": 3,
                "sum": 10,
                "scale": 1,
                "zeroCount": "1",
                "positive": {"offset": 1, "bucketCounts": ["0", "2"]},
            },
            ("exponential_histogram", 3, 10.0, None, None),
            {
                "scale": 1,
                "zero_count": 1,
                "zero_threshold": 0.0,
                "positive": {"offset": 1, "counts": [0, 2]},
                "negative": {"offset": 0, "counts": []},
            },
        ),
        (
            "summary",
            {"count": 4, "sum": 8.0, "quantileValues": [{"quantile": 0.5, "value": 2}, {"quantile": 1, "value": 3}]},
            ("summary", 4, 8.0, None, None),
            {"quantiles": [[0.5, 2.0], [1.0, 3.0]]},
        ),
    ],
)
def test_read_otlp_reads_distributions(stream, kind, point, row, buckets):
    frame = read_otlp(stream(metrics({"name": "d", kind: {"dataPoints": [{**AT, **point}]}}))).frames["metrics"]
    assert frame.select("metric_kind", "count", "sum", "min", "max").row(0) == row
    assert orjson.loads(frame["buckets"][0]) == buckets


def test_read_otlp_keeps_a_point_that_marks_a_gap_without_a_value(stream):
    result = read_otlp(stream(metrics({"name": "g", "gauge": {"dataPoints": [{**AT, "flags": 1}]}})))
    assert only(result, "metrics") == {
        "time_us": START_US,
        "start_time_us": START_US - 10_000_000,
        "metric_name": "g",
        "metric_kind": "gauge",
        "attributes": '{"flags":1}',
    }


def test_read_otlp_quarantines_metrics_and_points_it_cannot_read(stream):
    good = {"name": "g", "gauge": {"dataPoints": [{**AT, "asInt": 1}, {"asInt": 2}, {**AT, "asInt": []}]}}
    result = read_otlp(stream(metrics({"name": "n"}, {"gauge": {"dataPoints": [{**AT}]}}, good)))
    assert reasons(result) == [
        ("malformed metric", 1),
        ("malformed metric", 1),
        ("missing or impossible time", 1),
        ("malformed data point", 1),
    ]
    assert (result.rows_read, result.kept) == (5, {"metrics": 1})


def test_read_otlp_reads_all_signals_of_one_file(stream, span, traces):
    log = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1759155600000000000"}]}]}]}
    gauge = metrics({"name": "g", "gauge": {"dataPoints": [{**AT, "asInt": 1}]}})
    pretty = orjson.dumps(traces(span()), option=orjson.OPT_INDENT_2)
    assert read_otlp(stream(pretty, log, gauge)).kept == {"spans": 1, "logs": 1, "metrics": 1}
