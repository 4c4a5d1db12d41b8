"""What the tests of readers share: files to read, and the smallest OTLP documents."""

import orjson
import pytest

from prodintel_lib.sources.decompress import ByteStream

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
START_NS = 1_759_155_600_000_000_000


@pytest.fixture
def stream(tmp_path):
    """Return a function that makes a stream of bytes, or of JSON documents, one a line."""

    def make(*documents):
        path = tmp_path / "export"
        path.write_bytes(
            b"\n".join(part if isinstance(part, bytes) else orjson.dumps(part) for part in documents) + b"\n"
        )
        return ByteStream(path)

    return make


@pytest.fixture
def span():
    """Return a function that makes a span of one second, with what a test changes about it."""

    def make(**changes):
        made = {
            "traceId": TRACE,
            "spanId": SPAN,
            "name": "POST /api/orders",
            "kind": 2,
            "startTimeUnixNano": str(START_NS),
            "endTimeUnixNano": str(START_NS + 1_000_000_000),
        }
        made.update(changes)
        return {key: value for key, value in made.items() if value is not ...}

    return make


@pytest.fixture
def traces():
    """Return a function that wraps spans in a document."""

    def wrap(*spans, resource=None, scope=None):
        attributes = pairs(resource if resource is not None else {"service.name": "shop"})
        scoped = {"scope": scope or {}, "spans": list(spans)}
        return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [scoped]}]}

    return wrap


@pytest.fixture
def attributes():
    """Return a function that writes attributes as OTLP does."""
    return pairs


def pairs(values):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [
        {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for key, value in values.items()
    ]
