"""Readers of logs survive whatever they are given, and account for it."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prodintel_lib.sources.cloudwatch_logs import read_cloudwatch_parts
from prodintel_lib.sources.container_logs import read_container_log_parts
from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.elasticsearch import read_elasticsearch_parts
from prodintel_lib.sources.json_logs import read_json_log_parts
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.model import ReadResult
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.splunk import read_splunk_parts
from prodintel_lib.sources.syslog import read_syslog_parts
from prodintel_lib.sources.text_logs import read_text_log_parts
from prodintel_lib.sources.watchdog import read_watchdog_parts

READERS = (
    read_json_log_parts,
    read_elasticsearch_parts,
    read_splunk_parts,
    read_cloudwatch_parts,
    read_container_log_parts,
    read_syslog_parts,
    read_text_log_parts,
    read_watchdog_parts,
)
KEYS = (
    "@timestamp", "timestamp", "time", "level", "severity", "message", "msg", "log", "stream", "service", "name", "hostname",
    "pid", "trace_id", "span_id", "traceparent", "error", "err", "exception", "stack_trace", "exc_info", "type", "hits",
    "_source", "_index", "fields", "index", "preview", "result", "results", "_raw", "_time", "events", "logEvents",
    "logGroup", "messageType", "awslogs", "data", "Records", "kinesis", "wid", "uid", "variables", "field", "value",
    "seconds", "nanos", "$date", "PRIORITY", "MESSAGE", "context", "responses", "date", "collector.time", "inside", "number",
)  # fmt: skip
TEXTS = (
    "2025-09-29T14:20:00Z", "2025-09-29 14:20:00,5", "1759155600", "error", "30", "x\n  at y (z.js:1:2)", "-",
    '{"message": "x", "time": 7}', '{"message": {}}', "5b8efff798038103d269b633813fc60c", "H4sIAAAA", "a:1:{i:0;N;}",
    "@x %y", "21/Nov 10:00", "",
)  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1) | st.sampled_from([1_759_155_600, 1_759_155_600_000, 3, 30]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(TEXTS),
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=30,
)
RECORD = st.dictionaries(st.sampled_from(KEYS), DOCUMENTS, max_size=8)
NEARLY = st.one_of(
    RECORD,
    RECORD.map(lambda r: {"time": "2025-09-29T14:20:00Z", "message": "x"} | r),
    RECORD.map(lambda r: {"hits": {"hits": [r, {"_source": r}]}}),
    RECORD.map(lambda r: {"preview": False, "result": r}),
    RECORD.map(lambda r: {"logEvents": [r], "logGroup": "g"}),
    RECORD.map(lambda r: {"log": "x\n", "stream": "o", "time": "2025-09-29T14:20:00.1Z"} | r),
    RECORD.map(lambda r: {"wid": 1, "type": "t", "message": "m", "severity": 3, "timestamp": 1_759_155_600} | r),
)
PIECES = st.sampled_from(
    ["2025-09-29 14:20:00,5 ", "2025-09-29T14:20:00.123456789Z ", "[29-Sep-2025 14:20:00 UTC] ", "Sep 29 14:20:00 ", "ERROR ",
     "web-1  | ", "stdout F ", "<11>1 ", "host ", "prog[7]: ", "PHP Fatal error:  ", "Uncaught X: y in /a:1", "\tat a.b(C:1)",
     "Traceback (most recent call last):", "Stack trace:", "#0 ", "goroutine 1 [", " ", "\t", "\\", '"', "[", "]", "-", "é",
     "\x00", "\r", "\u2028", "x", '{"message":"x"}']
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("logs") / "export"


def check(file):
    for reader in READERS:
        assert isinstance(joined_parts(reader(ByteStream(file), part_rows=2)), ReadResult)
    recognise_file(file.read_bytes())


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(documents=st.lists(NEARLY, max_size=3))
def test_readers_of_logs_survive_documents_of_nearly_their_shape(file, documents):
    file.write_bytes(b"\n".join(orjson.dumps(document) for document in documents))
    check(file)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(st.lists(PIECES, max_size=8).map("".join), max_size=8))
def test_readers_of_logs_survive_lines_of_any_pieces(file, lines):
    file.write_bytes("\n".join(lines).encode())
    check(file)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.binary(max_size=200))
def test_readers_of_logs_survive_any_bytes(file, content):
    file.write_bytes(content)
    check(file)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=st.lists(st.integers(0, 3), min_size=1, max_size=12), part_rows=st.integers(1, 6))
def test_read_text_logs_keeps_every_line_whatever_the_parts(file, numbers, part_rows):
    lines = []
    for place, count in enumerate(numbers):
        lines += [f"2025-09-29 14:20:00 INFO web: line {place}", *(f"  more {place} {step}" for step in range(count))]
    file.write_text("\n".join(lines), encoding="utf-8")
    logs = joined_parts(read_text_log_parts(ByteStream(file), part_rows=part_rows)).frames["logs"]
    assert "\n".join(logs["body"]) == "\n".join(lines).replace("2025-09-29 14:20:00 INFO web: ", "")
