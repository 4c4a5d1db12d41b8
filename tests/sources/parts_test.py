import gc

import orjson
import polars as pl
import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.jaeger import read_jaeger, read_jaeger_parts
from prodintel_lib.sources.mapped import compile_mapping, read_mapped, read_mapped_parts
from prodintel_lib.sources.model import ReadResult, Rejected
from prodintel_lib.sources.otlp import read_otlp, read_otlp_parts
from prodintel_lib.sources.parts import collection_paused, joined_parts
from prodintel_lib.tables import SPANS, conform
from prodintel_lib.workspace import TableMapping

MAPPING = TableMapping(
    "sources[0]",
    "spans",
    {"time_us": "epoch_us(at)", "duration_ms": "number(ms)", "trace_id": "trace", "span_id": "span"},
)


def account(part):
    return part.rows_read, part.kept, [(item.reason, item.line) for item in part.quarantined]


def one_span(number):
    row = {"time_us": number, "duration_ms": 1.0, "trace_id": "t", "span_id": str(number)}
    return conform(pl.DataFrame([row]), SPANS)


def test_joined_parts_adds_up_rows_and_accounts():
    parts = [
        ReadResult({"spans": one_span(1)}, 4, {"old": 2}, (Rejected("bad", 7, "x"),)),
        ReadResult({}, 1, {}, (Rejected("worse", 3, "y"),)),
        ReadResult({"spans": one_span(2)}, 3, {"old": 1, "odd": 1}),
    ]
    whole = joined_parts(iter(parts))
    assert whole.frames["spans"]["span_id"].to_list() == ["1", "2"]
    assert (whole.rows_read, whole.dropped) == (8, {"old": 3, "odd": 1})
    assert [item.line for item in whole.quarantined] == [3, 7]


def test_joined_parts_of_nothing_is_an_empty_result():
    assert joined_parts([]) == ReadResult(frames={}, rows_read=0)


def test_read_otlp_parts_end_with_the_document_that_fills_them(stream, span, traces):
    bad = span(startTimeUnixNano="0")
    lines = (traces(span(), bad), traces(span()), b"{x}", {"x": 1}, traces(span(), span(), span()))
    parts = list(read_otlp_parts(stream(*lines), part_rows=3))
    assert [account(part) for part in parts] == [
        (3, {"spans": 2}, [("missing or impossible start time", 1)]),
        (5, {"spans": 3}, [("not valid JSON", 3), ("not an OTLP document", 4)]),
    ]
    whole = read_otlp(stream(*lines))
    assert joined_parts(parts).frames["spans"].equals(whole.frames["spans"])
    assert joined_parts(parts).quarantined == whole.quarantined


def test_read_jaeger_parts_end_with_the_document_that_fills_them(stream):
    spans = [
        {"traceID": "1", "spanID": str(number), "startTime": 1_759_155_600_000_000, "duration": 5}
        for number in range(1, 4)
    ]
    lines = [{"spans": spans[:2]}, {"y": 1}, {"spans": spans[2:]}]
    parts = list(read_jaeger_parts(stream(*lines), part_rows=2))
    assert [account(part) for part in parts] == [
        (2, {"spans": 2}, []),
        (2, {"spans": 1}, [("not a Jaeger trace or span", 2)]),
    ]
    assert joined_parts(parts).frames["spans"].equals(read_jaeger(stream(*lines)).frames["spans"])


def test_read_mapped_parts_have_the_rows_asked_for(stream):
    rows = [{"at": 1_759_155_600_000_000 + n, "ms": 1, "trace": "t", "span": str(n)} for n in range(5)]
    rows[1]["ms"] = "slow"
    mapped = compile_mapping(MAPPING)
    parts = list(read_mapped_parts(stream(*rows), mapped, form="ndjson", part_rows=2))
    assert [(part.rows_read, part.kept, len(part.quarantined)) for part in parts] == [
        (2, {"spans": 1}, 1),
        (2, {"spans": 2}, 0),
        (1, {"spans": 1}, 0),
    ]
    whole = read_mapped(stream(*rows), mapped, form="ndjson")
    assert joined_parts(parts).frames["spans"].equals(whole.frames["spans"])
    assert [item.line for item in joined_parts(parts).quarantined] == [2]


def test_read_mapped_parts_miss_a_column_after_the_last_part(stream):
    parts = read_mapped_parts(stream({"at": 1}, {"at": 2}), compile_mapping(MAPPING), form="ndjson", part_rows=2)
    assert next(parts).rows_read == 2
    with pytest.raises(ParameterError, match="no column"):
        list(parts)


def test_collection_paused_is_over_when_reading_is_or_fails():
    assert gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(orjson.JSONDecodeError, match="unexpected"), collection_paused():
        orjson.loads(b"x")
    assert gc.isenabled()


def test_read_otlp_parts_let_others_collect_between_them(stream, span, traces):
    parts = read_otlp_parts(stream(traces(span()), traces(span())), part_rows=1)
    next(parts)
    assert gc.isenabled()
