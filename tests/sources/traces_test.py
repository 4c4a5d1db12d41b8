"""Zipkin and Jaeger, on small documents and on every file of the real ones."""

import pytest

from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.ingest import read_source
from prodintel_lib.sources.jaeger import read_jaeger
from prodintel_lib.sources.zipkin import read_zipkin
from prodintel_lib.workspace import SourceFile

START_US = 1_759_155_600_000_000


def zipkin(**changes):
    made = {
        "traceId": "ab",
        "id": "c1",
        "kind": "CLIENT",
        "name": "get /x",
        "timestamp": START_US,
        "duration": 2500,
        "localEndpoint": {"serviceName": "shop"},
    }
    return made | changes


def shown(result, *columns):
    return result.frames["spans"].select(columns).rows()


def test_read_zipkin_reads_a_span(stream):
    span = zipkin(
        parentId="b1",
        remoteEndpoint={"serviceName": "db", "ipv4": "10.0.0.1", "port": 5432},
        tags={"http.method": "GET", "http.path": "/x", "http.status_code": "503", "error": "refused"},
        annotations=[{"timestamp": START_US + 1, "value": "ws"}],
    )
    (row,) = read_zipkin(stream([span])).frames["spans"].to_dicts()
    assert {name: cell for name, cell in row.items() if cell is not None} == {
        "time_us": START_US,
        "duration_ms": 2.5,
        "trace_id": "ab".rjust(32, "0"),
        "span_id": "c1".rjust(16, "0"),
        "parent_span_id": "b1".rjust(16, "0"),
        "span_name": "get /x",
        "span_kind": "client",
        "status_code": "error",
        "status_message": "refused",
        "service_name": "shop",
        "http_request_method": "GET",
        "url_path": "/x",
        "http_response_status_code": 503,
        "server_address": "10.0.0.1",
        "server_port": 5432,
        "peer_service": "db",
        "attributes": '{"error":"refused","events":[{"name":"ws","time_us":1759155600000001,"attributes":{}}]}',
    }


def test_read_zipkin_tells_the_halves_of_a_shared_span_apart(stream):
    server = zipkin(kind="SERVER", shared=True, localEndpoint={"serviceName": "db"})
    below = zipkin(id="d1", parentId="c1", kind=None, localEndpoint={"serviceName": "db"})
    beside = zipkin(id="e1", parentId="c1", kind=None)
    rows = shown(read_zipkin(stream([[zipkin(), server], [below, beside]])), "span_id", "parent_span_id")
    client_id = "c1".rjust(16, "0")
    (_, none), (server_id, above), (_, parent), (_, other) = rows
    assert (none, above, parent, other) == (None, client_id, server_id, client_id)
    assert server_id != client_id


def test_read_zipkin_keeps_a_span_without_duration_and_not_one_without_time(stream):
    result = read_zipkin(stream(zipkin(duration=None), zipkin(timestamp=None), zipkin(duration=-1), {"id": 1}, 5))
    assert shown(result, "duration_ms", "attributes") == [(0.0, '{"zipkin.duration":"missing"}')]
    assert [(item.reason, item.line) for item in result.quarantined] == [
        ("missing or impossible start time", 2),
        ("negative duration", 3),
        ("not a Zipkin span", 4),
        ("not a Zipkin span", 5),
    ]


def jaeger(**changes):
    made = {"traceID": "ab", "spanID": "c1", "operationName": "op", "startTime": START_US, "duration": 2500}
    return made | changes


def test_read_jaeger_reads_a_trace_of_the_api(stream):
    span = jaeger(
        processID="p1",
        references=[
            {"refType": "FOLLOWS_FROM", "traceID": "ab", "spanID": "b9"},
            {"refType": "CHILD_OF", "traceID": "ab", "spanID": "b1"},
        ],
        tags=[
            {"key": "span.kind", "type": "string", "value": "server"},
            {"key": "http.status_code", "type": "int64", "value": "500"},
            {"key": "error", "type": "bool", "value": "true"},
        ],
        logs=[{"timestamp": START_US, "fields": [{"key": "event", "type": "string", "value": "boom"}]}],
    )
    tags = [{"key": "service.version", "type": "string", "value": "1.2"}]
    trace = {"traceID": "ab", "spans": [span], "processes": {"p1": {"serviceName": "shop", "tags": tags}}}
    result = read_jaeger(stream({"data": [trace], "total": 0}))
    names = (
        "service_name",
        "service_version",
        "parent_span_id",
        "span_kind",
        "status_code",
        "http_response_status_code",
    )
    assert shown(result, *names) == [("shop", "1.2", "b1".rjust(16, "0"), "server", "error", 500)]
    assert '"links":[{"trace_id":"000000000000000000000000000000ab"' in result.frames["spans"]["attributes"][0]


def test_read_jaeger_quarantines_what_is_no_span(stream):
    result = read_jaeger(stream({"data": [7]}, {"spans": [None, jaeger(startTime=5)]}, {"x": 1}, jaeger(spanID="q")))
    assert [(item.reason, item.line) for item in result.quarantined] == [
        ("not a Jaeger trace or span", 1),
        ("not a Jaeger trace or span", 2),
        ("missing or impossible start time", 2),
        ("not a Jaeger trace or span", 3),
        ("malformed id", 4),
    ]


def test_read_zipkin_reads_every_real_file(shared_data):
    read = {}
    for path in sorted((shared_data / "formats" / "zipkin").glob("*.json")):
        name, result = read_source(SourceFile(path.name, path, None))
        assert name == "zipkin"
        read[path.stem.rpartition("__")[2]] = (sum(result.kept.values()), len(result.quarantined))
    assert read == {
        "ascend": (8, 0),
        "envoy": (1, 0),
        "messaging": (4, 0),
        "messaging-kafka": (28, 0),
        "messaging2": (11, 0),
        "simple-db-p6": (5, 0),
        "skew": (4, 0),
        "smartthings-mobile-web-install": (957, 84),
        "smartthings-oauth-authorization": (175, 0),
        "yelp": (16, 0),
    }


@pytest.mark.parametrize(
    ("name", "kept", "quarantined"),
    [
        ("core__fixtures__es_01", 1, 0),
        ("internal__fixture__otlp2jaeger-out", 2, 0),
        ("json__fixtures__es_01", 1, 0),
        ("json__fixtures__ui_01", 5, 0),
        ("tracestore__fixtures__es_01", 1, 0),
        ("tracestore__fixtures__es_01_string_tags", 1, 0),
        ("uiconv__fixtures__trace_success", 2, 0),
        ("uiconv__fixtures__trace_invalid_json", 0, 1),
        ("uiconv__fixtures__trace_scan_error", 0, 1),
        ("uiconv__fixtures__trace_wrong_format", 0, 1),
    ],
)
def test_read_jaeger_reads_every_real_file_of_its_ui_and_api(shared_data, name, kept, quarantined):
    path = shared_data / "formats" / "jaeger" / f"{name}.json"
    format_name, result = read_source(SourceFile(name, path, None))
    assert (format_name, sum(result.kept.values()), len(result.quarantined)) == ("jaeger", kept, quarantined)


def test_read_jaeger_agrees_with_the_otlp_it_was_made_from(shared_data):
    folder = shared_data / "formats" / "jaeger"
    _, otlp = read_source(SourceFile("in", folder / "internal__fixture__otlp2jaeger-in.json", None))
    converted = read_jaeger(ByteStream(folder / "internal__fixture__otlp2jaeger-out.json"))
    columns = ("trace_id", "span_id", "parent_span_id", "span_name", "span_kind", "service_name", "duration_ms")
    assert sorted(shown(converted, *columns)) == sorted(shown(otlp, *columns))
