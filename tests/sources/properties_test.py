"""Whatever bytes come, a reader gives a result, and no row vanishes: ReadResult checks the account."""

import gzip

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.errors import ProdintelError
from prodintel_lib.sources.access_json import read_access_json_parts
from prodintel_lib.sources.access_logs import read_access_log_parts
from prodintel_lib.sources.datadog import read_datadog
from prodintel_lib.sources.datadog_rum import read_datadog_rum_parts
from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.detect import recognise
from prodintel_lib.sources.elastic_rum import read_elastic_rum_parts
from prodintel_lib.sources.ga4 import read_ga4_parts
from prodintel_lib.sources.github import read_github
from prodintel_lib.sources.har import read_har_parts
from prodintel_lib.sources.jaeger import read_jaeger
from prodintel_lib.sources.mapped import compile_mapping, read_mapped
from prodintel_lib.sources.mixpanel import read_mixpanel_parts
from prodintel_lib.sources.model import ReadResult
from prodintel_lib.sources.opsgenie import read_opsgenie
from prodintel_lib.sources.otlp import read_otlp
from prodintel_lib.sources.pagerduty import read_pagerduty
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.plain import is_plain, read_plain
from prodintel_lib.sources.posthog import read_posthog_parts
from prodintel_lib.sources.zipkin import read_zipkin
from prodintel_lib.workspace import TableMapping

READERS = (
    read_otlp,
    read_pagerduty,
    read_github,
    read_zipkin,
    read_jaeger,
    read_opsgenie,
    read_datadog,
    read_plain,
)
KEYS = (
    "resourceSpans", "resource_spans", "resourceLogs", "resourceMetrics", "resource", "scopeSpans", "scopeLogs",
    "scopeMetrics", "scope", "spans", "logRecords", "metrics", "attributes", "key", "value", "stringValue", "intValue",
    "doubleValue", "arrayValue", "kvlistValue", "values", "traceId", "spanId", "parentSpanId", "startTimeUnixNano",
    "endTimeUnixNano", "timeUnixNano", "name", "kind", "status", "code", "events", "links", "body", "severityNumber",
    "severityText", "gauge", "sum", "histogram", "dataPoints", "asInt", "asDouble", "bucketCounts", "explicitBounds",
    "incident", "incidents", "log_entries", "id", "incident_number", "incident_key", "title", "created_at", "type",
    "acknowledgements", "at", "service", "summary", "deployment", "deployment_status", "payload", "state", "repository",
    "id", "parentId", "timestamp", "duration", "localEndpoint", "serviceName", "tags", "shared", "annotations", "data",
    "traceID", "spanID", "startTime", "references", "refType", "logs", "fields", "process", "processes", "processID",
    "type", "custom", "start_timestamp", "end_timestamp", "trace_id", "span_id", "message", "createdAt", "report",
    "closeTime", "tinyId", "alert", "action", "updatedAt", "event", "event_type", "occurred_at", "commits", "ref",
    "before", "after", "release", "incidents_", "started", "resolved", "detected", "error",
)  # fmt: skip
TEXTS = (
    "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "1759155600000000000", "NaN", "http.url", "http://[", "",
    "net.peer.port", "2025-09-29T14:20:00Z", "SPAN_KIND_SERVER", "resource", "9" * 30, "9" * 5000,
)  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(TEXTS),
    st.text(max_size=8),
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)
PAIR = st.fixed_dictionaries({}, optional={"key": LEAVES, "value": st.dictionaries(st.sampled_from(KEYS), LEAVES)})
RECORD = st.dictionaries(
    st.sampled_from(KEYS), LEAVES | st.lists(PAIR, max_size=3) | st.dictionaries(st.sampled_from(KEYS), DOCUMENTS)
)
NEARLY_OTLP = st.one_of(
    *(
        st.lists(RECORD, max_size=4).map(
            lambda records, signal=signal, group=group, name=name: {signal: [{group: [{name: records}]}]}
        )
        for signal, group, name in (
            ("resourceSpans", "scopeSpans", "spans"),
            ("resourceLogs", "scopeLogs", "logRecords"),
            ("resourceMetrics", "scopeMetrics", "metrics"),
        )
    )
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "export"


def check(file, content, readers=READERS):
    file.write_bytes(content)
    for reader in readers:
        try:
            result = reader(ByteStream(file))
        except ProdintelError as error:
            raise AssertionError(f"{reader.__name__} gave up on the whole file") from error
        assert isinstance(result, ReadResult)


@given(content=st.binary(max_size=200))
def test_readers_survive_any_bytes(file, content):
    recognise(content)
    is_plain(content)
    check(file, content)


@given(documents=st.lists(DOCUMENTS, max_size=3), indent=st.booleans())
def test_readers_survive_any_json(file, documents, indent):
    option = orjson.OPT_INDENT_2 if indent else None
    check(file, b"\n".join(orjson.dumps(document, option=option) for document in documents))


@given(documents=st.lists(NEARLY_OTLP, max_size=3))
def test_read_otlp_survives_records_of_any_shape(file, documents):
    check(file, b"\n".join(orjson.dumps(document) for document in documents), readers=(read_otlp,))


@given(
    cut=st.integers(0, 400),
    flips=st.lists(st.tuples(st.integers(0, 399), st.integers(1, 255)), max_size=3),
    pack=st.sampled_from([bytes, gzip.compress, zstandard.compress]),
)
def test_readers_survive_damage(file, cut, flips, pack):
    span = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "n",
            "startTimeUnixNano": "1759155600000000000", "endTimeUnixNano": "1759155600000000001"}  # fmt: skip
    lines = [orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})] * 4
    content = bytearray(pack(b"\n".join(lines)))
    for place, bits in flips:
        content[place % len(content)] ^= bits
    check(file, bytes(content[:cut]) if cut else bytes(content))


SPAN_LIKE = st.dictionaries(st.sampled_from(KEYS), DOCUMENTS, max_size=10)
WRAPPED = st.one_of(
    SPAN_LIKE,
    SPAN_LIKE.map(lambda r: {"traceId": "a1", "id": "b2", "timestamp": 1_759_155_600_000_000} | r),
    st.lists(SPAN_LIKE, max_size=3).map(lambda rs: {"data": [{"traceID": "a1", "spans": rs, "processes": {}}]}),
    st.tuples(st.sampled_from(["incidents", "spans", "log"]), SPAN_LIKE).map(
        lambda t: {"data": [{"id": "x", "type": t[0], "attributes": t[1]}]}
    ),
    SPAN_LIKE.map(lambda r: {"ref": "r", "before": "b", "after": "a", "commits": [r]}),
    SPAN_LIKE.map(lambda r: {"release": r, "action": "created"}),
    SPAN_LIKE.map(lambda r: {"action": "Create", "alert": r}),
    SPAN_LIKE.map(lambda r: {"event": {"event_type": "incident.resolved", "data": {"type": "incident"} | r} | r}),
    SPAN_LIKE.map(lambda r: {"id": "1", "title": "t", "started": "2025-09-29"} | r),
)


@given(documents=st.lists(WRAPPED, max_size=3))
def test_readers_survive_documents_of_nearly_their_shape(file, documents):
    check(file, b"\n".join(orjson.dumps(document) for document in documents))


MAPPED = compile_mapping(
    TableMapping(
        "test",
        "spans",
        {
            "time_us": "any_time(optional(a))",
            "duration_ms": "coalesce(s_to_ms(optional(b)), optional(`c d`) * 2 / optional(a))",
            "trace_id": "concat(optional(a), regex_extract(optional(b), '(.)', 1), 'x')",
            "span_id": "coalesce(json(optional(b), '/k'), local(optional(a), 'Europe/Berlin'), 'y')",
            "http_response_status_code": "when(optional(a) > 5, optional(b), split_part(optional(a), '-', -1))",
            "status_code": "optional(b)",
        },
    )
)
CELLS = st.sampled_from(
    ["1759155600", "1759155600000", "2025-09-29T14:20:00+02:00", "", "-1", "NaN", "inf", "9" * 30, "1e400", '"', "\n"]
) | st.text(max_size=6)


@given(content=st.binary(max_size=200), form=st.sampled_from(["csv", "ndjson", "json", "parquet"]))
def test_read_mapped_survives_any_bytes(file, content, form):
    file.write_bytes(content)
    assert isinstance(read_mapped(ByteStream(file), MAPPED, form=form), ReadResult)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5), sign=st.sampled_from(",;\t|"))
def test_read_mapped_accounts_for_rows_of_any_cells(file, rows, sign):
    lines = [sign.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [["a", "b", "c d"], *rows]]
    file.write_bytes("\n".join(lines).encode(errors="replace"))
    result = read_mapped(ByteStream(file), MAPPED, form="csv")
    assert result.rows_read == len(rows)


@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c d", "e"]), DOCUMENTS | CELLS), max_size=5))
def test_read_mapped_accounts_for_objects_of_any_values(file, rows):
    file.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    assert read_mapped(ByteStream(file), MAPPED, form="ndjson").rows_read == len(rows)


RUM_READERS = (
    read_datadog_rum_parts,
    read_elastic_rum_parts,
    read_ga4_parts,
    read_posthog_parts,
    read_mixpanel_parts,
    read_har_parts,
    read_access_json_parts,
    read_access_log_parts,
)
RUM_KEYS = (
    "type", "date", "application", "session", "view", "id", "url", "action", "target", "name", "error", "resource",
    "duration", "_dd", "document_version", "feature_flags", "usr", "device", "metadata", "service", "agent", "m", "x", "y",
    "e", "transaction", "span", "spans", "context", "page", "http", "start", "timestamp", "exception", "stacktrace", "log",
    "event_name", "event_timestamp", "event_params", "key", "value", "string_value", "user_pseudo_id", "geo", "country",
    "event", "properties", "distinct_id", "$exception_list", "$elements", "elements_chain", "$current_url", "$device_id",
    "time", "results", "pages", "entries", "startedDateTime", "request", "response", "headers", "content", "mimeType",
    "pageTimings", "pageref", "timings", "wait", "status", "method", "remote_addr", "uri", "ts", "request_time",
)  # fmt: skip
RUM_TEXTS = (
    "view", "action", "error", "resource", "vital", "$pageview", "$autocapture", "$exception", "$feature_flag_called",
    "$mp_click", "page_view", "exception", "LCP", "page-load", "p-load", "2025-09-29T14:20:00Z", "1759155600000000",
    "https://shop.example/cart?step=2", "http://[", "GET / HTTP/1.1", "GET", "-", "text/html", "{", "",
)  # fmt: skip
RUM_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1) | st.sampled_from([1_759_155_600, 1_759_155_600_000, 1_759_155_600_000_000, 200]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(RUM_TEXTS),
)
RUM_DOCUMENTS = st.recursive(
    RUM_LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(RUM_KEYS), inner, max_size=8),
    max_leaves=40,
)
RUM_RECORD = st.dictionaries(st.sampled_from(RUM_KEYS), RUM_DOCUMENTS, max_size=8)
NEARLY_RUM = st.one_of(
    RUM_RECORD,
    RUM_RECORD.map(lambda r: {"type": "view", "date": 1_759_155_600_000, "view": {"id": "v"}} | r),
    RUM_RECORD.map(lambda r: {"transaction": r}),
    RUM_RECORD.map(lambda r: {"x": {"y": [r], "id": "t"}}),
    RUM_RECORD.map(lambda r: {"event_name": "page_view", "event_timestamp": 1_759_155_600_000_000} | r),
    RUM_RECORD.map(lambda r: {"event": "$pageview", "distinct_id": "d", "properties": r}),
    RUM_RECORD.map(lambda r: {"log": {"pages": [r], "entries": [r, {"startedDateTime": "2025-09-29T14:20:00Z"} | r]}}),
    RUM_RECORD.map(lambda r: {"remote_addr": "192.0.2.7", "uri": "/", "status": 200, "ts": 1_759_155_600} | r),
)


@given(documents=st.lists(NEARLY_RUM, max_size=3))
def test_readers_of_users_events_survive_documents_of_nearly_their_shape(file, documents):
    file.write_bytes(b"\n".join(orjson.dumps(document) for document in documents))
    for reader in RUM_READERS:
        assert isinstance(joined_parts(reader(ByteStream(file))), ReadResult)


@given(content=st.binary(max_size=300))
def test_readers_of_users_events_survive_any_bytes(file, content):
    file.write_bytes(content)
    for reader in RUM_READERS:
        assert isinstance(joined_parts(reader(ByteStream(file))), ReadResult)


LOG_PIECES = st.sampled_from(
    [
        "192.0.2.7 ",
        "- ",
        "[29/Sep/2025:14:20:00 +0000] ",
        '"GET / HTTP/1.1" ',
        "200 ",
        '"',
        "\\",
        "-",
        " ",
        "x",
        "\x00",
        "é",
    ]
)


@given(lines=st.lists(st.lists(LOG_PIECES, max_size=12).map("".join), max_size=5))
def test_read_access_log_accounts_for_lines_of_any_pieces(file, lines):
    file.write_bytes("\n".join(lines).encode())
    result = joined_parts(read_access_log_parts(ByteStream(file)))
    assert result.rows_read == sum(bool(line.strip()) for line in lines)
