import gzip
import json
import sys
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from demo.collector import Collector, as_file_exporter_writes

TRACE_ID = bytes(range(16))
SPAN_ID = bytes(range(8))


def span_request() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name, span.kind = TRACE_ID, SPAN_ID, "GET /offers/<int:price>", 2
    span.start_time_unix_nano, span.end_time_unix_nano = 1_700_000_000_000_000_001, 1_700_000_000_500_000_000
    return request


def only_span(document: dict) -> dict:
    return document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def test_as_file_exporter_writes_a_root_span() -> None:
    assert only_span(as_file_exporter_writes(span_request())) == {
        "traceId": "000102030405060708090a0b0c0d0e0f",
        "spanId": "0001020304050607",
        "parentSpanId": "",
        "name": "GET /offers/{price}",
        "kind": 2,
        "startTimeUnixNano": "1700000000000000001",
        "endTimeUnixNano": "1700000000500000000",
        "status": {},
    }


def test_as_file_exporter_writes_times_moved_back() -> None:
    written = only_span(as_file_exporter_writes(span_request(), earlier_ns=1_000_000_000))

    assert written["startTimeUnixNano"] == "1699999999000000001"
    assert written["endTimeUnixNano"] == "1699999999500000000"


def test_as_file_exporter_writes_attributes_and_deletes_addresses() -> None:
    request = span_request()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.parent_span_id = SPAN_ID
    span.status.code = 2
    for key, value in (("client.address", "10.0.0.1"), ("http.route", "/p/<product_id>"), ("q", "a<b>c")):
        span.attributes.add(key=key).value.string_value = value
    span.attributes.add(key="n").value.int_value = 7

    written = only_span(as_file_exporter_writes(request))

    assert written["parentSpanId"] == "0001020304050607"
    assert written["status"] == {"code": 2}
    assert written["attributes"] == [
        {"key": "http.route", "value": {"stringValue": "/p/{product_id}"}},
        {"key": "q", "value": {"stringValue": "a<b>c"}},
        {"key": "n", "value": {"intValue": "7"}},
    ]


def test_as_file_exporter_writes_stack_traces_without_folders_of_this_machine() -> None:
    request = span_request()
    event = request.resource_spans[0].scope_spans[0].spans[0].events.add(name="exception")
    root = Path(__file__).resolve().parents[2]
    trace = f'File "{root}/demo/shop/payment.py", File "{sys.prefix}/lib/flask.py", File "{sys.base_prefix}/x.py"'
    event.attributes.add(key="exception.stacktrace").value.string_value = trace

    (written,) = only_span(as_file_exporter_writes(request))["events"][0]["attributes"]

    assert written["value"]["stringValue"] == (
        'File "/srv/shop/demo/shop/payment.py", File "/srv/shop/.venv/lib/flask.py", File "/usr/local/x.py"'
    )


def test_as_file_exporter_writes_a_log_without_a_trace() -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(severity_number=9)
    record.body.string_value = "ready"

    (written,) = as_file_exporter_writes(request)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]

    assert written == {"severityNumber": 9, "body": {"stringValue": "ready"}, "traceId": "", "spanId": ""}


def test_as_file_exporter_writes_whole_numbers_of_metrics_as_strings() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="db.client.connection.count")
    metric.sum.data_points.add(as_int=10, time_unix_nano=5)
    metric.sum.aggregation_temporality = 2

    (written,) = as_file_exporter_writes(request)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]

    assert written == {
        "name": "db.client.connection.count",
        "sum": {"dataPoints": [{"timeUnixNano": "5", "asInt": "10"}], "aggregationTemporality": 2},
    }


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_collector_writes_a_line_a_request_once_told_to(tmp_path: Path, encoding: str) -> None:
    body = span_request().SerializeToString()
    sent = gzip.compress(body) if encoding == "gzip" else body
    with Collector(tmp_path) as collector:
        url, headers = f"{collector.url}/v1/traces", {"Content-Encoding": encoding}
        assert httpx.post(url, content=sent, headers=headers).status_code == 200
        collector.start_writing()
        assert httpx.post(url, content=sent, headers=headers).status_code == 200
        assert httpx.post(url, content=sent, headers=headers).status_code == 200

    lines = (tmp_path / "traces.jsonl").read_text().splitlines()
    assert [only_span(json.loads(line))["spanId"] for line in lines] == ["0001020304050607"] * 2
    assert (tmp_path / "logs.jsonl").read_bytes() == b""


def test_collector_answers_404_to_what_is_no_signal(tmp_path: Path) -> None:
    with Collector(tmp_path) as collector:
        assert httpx.post(f"{collector.url}/v1/profiles", content=b"").status_code == 404
