"""Whatever bytes come, a reader gives a result, and no row vanishes: ReadResult checks the account."""

import gzip

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.errors import ProdintelError
from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.detect import recognise
from prodintel_lib.sources.github import read_github
from prodintel_lib.sources.model import ReadResult
from prodintel_lib.sources.otlp import read_otlp
from prodintel_lib.sources.pagerduty import read_pagerduty

READERS = (read_otlp, read_pagerduty, read_github)
KEYS = (
    "resourceSpans", "resource_spans", "resourceLogs", "resourceMetrics", "resource", "scopeSpans", "scopeLogs",
    "scopeMetrics", "scope", "spans", "logRecords", "metrics", "attributes", "key", "value", "stringValue", "intValue",
    "doubleValue", "arrayValue", "kvlistValue", "values", "traceId", "spanId", "parentSpanId", "startTimeUnixNano",
    "endTimeUnixNano", "timeUnixNano", "name", "kind", "status", "code", "events", "links", "body", "severityNumber",
    "severityText", "gauge", "sum", "histogram", "dataPoints", "asInt", "asDouble", "bucketCounts", "explicitBounds",
    "incident", "incidents", "log_entries", "id", "incident_number", "incident_key", "title", "created_at", "type",
    "acknowledgements", "at", "service", "summary", "deployment", "deployment_status", "payload", "state", "repository",
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
