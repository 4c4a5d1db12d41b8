"""Logs as JSON: the loggers in use, what is added around them, and what cannot be read."""

import gzip

import orjson
import pytest

from prodintel_lib.sources import decompress
from prodintel_lib.sources.json_logs import NOT_A_RECORD, read_json_log_parts
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.log_rows import NO_TIME
from prodintel_lib.sources.parts import joined_parts

TIME = "2025-09-29T14:20:00Z"
TIME_US = 1_759_155_600_000_000
TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
STACK = "TypeError: boom\n    at pay (/app/shop.js:4:2)"


def read(stream, *documents):
    return joined_parts(read_json_log_parts(stream(*documents)))


def only(result):
    assert (result.kept, result.quarantined) == ({"logs": 1}, ())
    row = {name: value for name, value in result.frames["logs"].row(0, named=True).items() if value is not None}
    assert row.pop("time_us") == TIME_US
    attributes = orjson.loads(row.pop("attributes", "{}"))
    return row, attributes


ERROR = {"severity_text": "ERROR", "severity_number": 17}
ECS = {
    "@timestamp": TIME, "log": {"level": "error", "logger": "shop.Pay"}, "message": "failed",
    "service": {"name": "pay", "version": "1.2", "environment": "prod"}, "trace": {"id": TRACE}, "span": {"id": SPAN},
    "error": {"type": "java.lang.X", "message": "no", "stack_trace": "java.lang.X: no"}, "user": {"id": "u7"},
}  # fmt: skip
ECS_ROW = ERROR | {
    "body": "failed", "service_name": "pay", "service_version": "1.2", "deployment_environment_name": "prod",
    "logger_name": "shop.Pay", "trace_id": TRACE, "span_id": SPAN, "error_type": "java.lang.X", "exception_message": "no",
    "exception_stacktrace": "java.lang.X: no", "user_id": "u7",
}  # fmt: skip
FLAT_ECS = {"@timestamp": TIME, "log.level": "error", "message": "failed", "service.name": "pay"}
BUNYAN = {
    "name": "shop", "hostname": "h", "pid": 1, "level": 50, "msg": "failed", "time": TIME, "v": 0,
    "err": {"message": "boom", "name": "TypeError", "stack": STACK},
}  # fmt: skip
BUNYAN_ROW = ERROR | {
    "body": "failed", "service_name": "shop", "error_type": "TypeError", "exception_message": "boom",
    "exception_stacktrace": STACK,
}  # fmt: skip
PINO = {"level": 30, "time": 1_759_155_600_000, "pid": 1, "hostname": "h", "msg": "up"}
ZAP = {
    "level": "error",
    "ts": 1_759_155_600.0,
    "logger": "pay",
    "caller": "a.go:1",
    "msg": "failed",
    "error": "no route",
}
LOGRUS = {"level": "warning", "msg": "slow", "time": "2025-09-29T16:20:00+02:00"}
CLEF = {"@t": TIME, "@mt": "Order {Id} failed", "@l": "Error", "@x": STACK, "Id": 7, "@tr": TRACE}
PYTHON = {
    "asctime": "2025-09-29 14:20:00",
    "levelname": "ERROR",
    "name": "shop.pay",
    "message": "failed",
    "exc_info": STACK,
}
MONOLOG = {"message": "failed", "level": 400, "level_name": "ERROR", "channel": "app", "datetime": TIME, "context": []}
CLOUD = {
    "severity": "ERROR", "timestamp": {"seconds": 1_759_155_600, "nanos": 500}, "message": "failed",
    "logging.googleapis.com/trace": f"projects/shop/traces/{TRACE}",
}  # fmt: skip
GELF = {"version": "1.1", "short_message": "failed", "timestamp": 1_759_155_600.0, "level": 3, "host": "web1"}
JOURNAL = {
    "__REALTIME_TIMESTAMP": "1759155600000000",
    "PRIORITY": "3",
    "MESSAGE": "failed",
    "SYSLOG_IDENTIFIER": "sshd",
}
LOG4J = {
    "instant": {"epochSecond": 1_759_155_600, "nanoOfSecond": 500}, "level": "ERROR", "loggerName": "shop.Pay",
    "message": "failed", "contextMap": {"traceId": TRACE, "order": "7"}, "thrown": {"name": "java.lang.X", "message": "no"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "row", "attributes"),
    [
        (ECS, ECS_ROW, {}),
        (FLAT_ECS, ERROR | {"body": "failed", "service_name": "pay"}, {}),
        (BUNYAN, BUNYAN_ROW, {"hostname": "h", "pid": 1, "v": 0}),
        (PINO, {"severity_text": "INFO", "severity_number": 9, "body": "up"}, {"pid": 1, "hostname": "h"}),
        (ZAP, ERROR | {"body": "failed", "logger_name": "pay", "exception_message": "no route"}, {"caller": "a.go:1"}),
        (LOGRUS, {"severity_text": "WARN", "severity_number": 13, "body": "slow"}, {"severity_text": "warning"}),
        (
            CLEF,
            ERROR
            | {"body": "Order {Id} failed", "exception_stacktrace": STACK, "trace_id": TRACE}
            | {"error_type": "TypeError", "exception_message": "boom"},
            {"Id": 7},
        ),
        (
            PYTHON,
            ERROR
            | {"body": "failed", "logger_name": "shop.pay", "exception_stacktrace": STACK}
            | {"error_type": "TypeError", "exception_message": "boom"},
            {"time_is": "zone assumed UTC"},
        ),
        (MONOLOG, ERROR | {"body": "failed", "logger_name": "app"}, {"context": [], "level": 400}),
        (CLOUD, ERROR | {"body": "failed", "trace_id": TRACE}, {}),
        (GELF, ERROR | {"body": "failed"}, {"version": "1.1", "host": "web1"}),
        (JOURNAL, ERROR | {"body": "failed", "service_name": "sshd"}, {}),
        (
            LOG4J,
            ERROR
            | {"body": "failed", "logger_name": "shop.Pay", "trace_id": TRACE}
            | {"error_type": "java.lang.X", "exception_message": "no"},
            {"contextMap.order": "7"},
        ),
    ],
    ids=["ecs", "flat ecs", "bunyan", "pino", "zap", "logrus", "clef", "python", "monolog", "cloud", "gelf", "journal", "log4j"],
)  # fmt: skip
def test_read_json_logs_reads_the_loggers_in_use(stream, document, row, attributes):
    assert recognise_file(orjson.dumps(document)) == "json_log"
    assert only(read(stream, document)) == (row, attributes)


@pytest.mark.parametrize(
    ("given", "trace_id", "left"),
    [
        (TRACE.upper(), TRACE, None),
        (f"00-{TRACE}-{SPAN}-01", TRACE, None),
        ("1-5b8efff7-98038103d269b633813fc60c", TRACE, None),
        ("5b8efff7-9803-8103-d269-b633813fc60c", TRACE, None),
        ("255", "ff".rjust(32, "0"), None),
        (255, "ff".rjust(32, "0"), None),
        (SPAN, SPAN.rjust(32, "0"), None),
        ("0" * 32, None, "0" * 32),
        ("request 7", None, "request 7"),
        ({"no": "id"}, None, {"no": "id"}),
    ],
)
def test_read_json_logs_brings_trace_ids_to_one_form(stream, given, trace_id, left):
    row, attributes = only(read(stream, {"time": TIME, "msg": "x", "trace_id": given}))
    found = attributes.get("trace_id", {"no": attributes["trace_id.no"]} if "trace_id.no" in attributes else None)
    assert (row.get("trace_id"), found) == (trace_id, left)


def test_read_json_logs_takes_the_span_of_a_traceparent(stream):
    row, _ = only(read(stream, {"time": TIME, "msg": "x", "traceparent": f"00-{TRACE}-{SPAN}-01"}))
    assert row["span_id"] == SPAN


def test_read_json_logs_reads_what_was_wrapped_as_text(stream):
    inner = orjson.dumps({"level": "error", "msg": "failed", "order": 7}).decode()
    row, attributes = only(read(stream, {"@timestamp": TIME, "message": inner, "order": "outer", "host": "h"}))
    assert (row["body"], row["severity_number"]) == ("failed", 17)
    assert attributes == {"order": 7, "collector.order": "outer", "host": "h"}


def test_read_json_logs_parts_an_exception_from_the_message(stream):
    row, _ = only(read(stream, {"time": TIME, "message": f"failed\n{STACK}"}))
    assert (row["body"], row["error_type"], row["exception_stacktrace"]) == ("failed", "TypeError", STACK)
    assert (row["severity_text"], row["severity_number"]) == ("ERROR", 17)


def test_read_json_logs_finds_a_level_that_no_field_says(stream):
    row, _ = only(read(stream, {"time": TIME, "message": "main WARN  pay: slow"}))
    assert row["severity_text"] == "WARN"


def test_read_json_logs_keeps_a_level_it_does_not_know(stream):
    row, attributes = only(read(stream, {"time": TIME, "msg": "x", "level": "audit"}))
    assert ("severity_number" in row, attributes) == (False, {"severity_text": "audit"})


def test_read_json_logs_keeps_the_second_name_for_a_column(stream):
    row, attributes = only(read(stream, {"time": TIME, "message": "a", "msg": "b", "text": "a"}))
    assert (row["body"], attributes) == ("a", {"msg": "b"})


def test_read_json_logs_keeps_values_of_any_type(stream):
    row, attributes = only(read(stream, {"time": TIME, "message": {"a": [1]}, "service": 7, "n": None, "logger": True}))
    assert (row["body"], row["service_name"], row["logger_name"]) == ('{"a":[1]}', "7", "true")
    assert attributes == {"n": None}


def test_read_json_logs_quarantines_what_is_no_record(stream):
    result = read(stream, {"time": TIME, "msg": "x"}, [1], {"msg": "no time"}, {"time": "soon", "msg": "x"},
                  {"time": 7, "msg": "1970"}, {"time": 2**70 / 1, "msg": "far"}, b"{")  # fmt: skip
    assert [(item.reason, item.line) for item in result.quarantined] == [
        (NOT_A_RECORD, 2),
        (NO_TIME, 3),
        (NO_TIME, 4),
        (NO_TIME, 5),
        (NO_TIME, 6),
        ("not valid JSON", 7),
    ]
    assert (result.rows_read, result.kept) == (7, {"logs": 1})


def test_read_json_logs_counts_lines_across_blocks(stream, monkeypatch):
    monkeypatch.setattr(decompress, "BLOCK_BYTES", 100)
    result = read(stream, *[{"time": TIME, "msg": "x"}] * 9, b'{"x": ', {"time": TIME, "msg": "y"}, {"msg": "no time"})
    assert [(item.reason, item.line) for item in result.quarantined] == [("not valid JSON", 10), (NO_TIME, 12)]
    assert (result.rows_read, result.kept) == (12, {"logs": 10})


def test_read_json_logs_reads_arrays_and_pretty_printed_ones(stream):
    documents = [{"time": TIME, "msg": "a"}, {"time": TIME, "msg": "b"}]
    result = read(stream, orjson.dumps(documents, option=orjson.OPT_INDENT_2))
    assert result.frames["logs"]["body"].to_list() == ["a", "b"]


def test_read_json_logs_gives_parts_in_the_order_of_the_file(stream):
    documents = [{"time": TIME, "msg": "a"}, {"time": TIME, "message": "b"}, {"time": TIME, "msg": "c"}]
    parts = list(read_json_log_parts(stream(*documents), part_rows=2))
    assert [part.frames["logs"]["body"].to_list() for part in parts] == [["a", "b"], ["c"]]


def test_read_json_logs_says_where_a_damaged_file_ends(stream):
    file = stream()
    file.path.write_bytes(gzip.compress(orjson.dumps({"time": TIME, "msg": "a"}) + b"\n")[:-4])
    result = joined_parts(read_json_log_parts(file))
    assert [item.reason for item in result.quarantined] == ["truncated gzip data"]


@pytest.mark.parametrize(
    "document",
    [{"time": TIME, "value": 1}, {"time": TIME, "message": "x"}, {"level": "x", "message": "x"}, {"note": {"time": 1}}],
)
def test_recognise_takes_no_object_for_a_log_record_without_time_message_and_level(document):
    assert recognise_file(orjson.dumps(document)) is None


def test_read_json_logs_reads_root_cause_bench_without_a_mapping(shared_data, stream):
    content = (shared_data / "rootcausebench" / "cache-ttl-stampede" / "logs.ndjson").read_bytes()
    assert recognise_file(content) == "json_log"
    result = read(stream, content)
    logs = result.frames["logs"]
    assert (result.kept, result.quarantined) == ({"logs": 215}, ())
    assert logs.null_count().select("time_us", "severity_text", "body", "service_name").row(0) == (0, 0, 0, 0)
