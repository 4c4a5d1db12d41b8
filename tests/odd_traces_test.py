"""Traces with every oddity at once: the replay ends, counts each request once, and says what was odd."""

import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.clocks import find_clock_offsets
from prodintel_lib.analyses.paths import build_path
from prodintel_lib.analyses.quality import check_quality
from prodintel_lib.engines import collect
from prodintel_lib.rollups.calls import CALLS_SCHEMA, build_calls
from prodintel_lib.rollups.clocks import correct_clocks
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.tables import METRICS, SPANS, conform

S = 1_000_000
TRACES = 200
AHEAD_US = 2_400_000


def trace(number, chance):
    """Return a request to the gateway that asks the stock, whose clock is ahead."""
    at_us, name = number * S, f"{number:032x}"
    rows = [
        ("a", None, "gateway", "server", 0, 40.0),
        ("b", "a", "gateway", "client", 2_000, 30.0),
        ("c", "b", "stock", "server", 2_000 + chance.randrange(1_000, 9_000) + AHEAD_US, 20.0),
    ]
    names = ("span_id", "parent_span_id", "service_name", "span_kind", "time_us", "duration_ms")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**row, "trace_id": name, "span_name": "GET /x", "time_us": row["time_us"] + at_us} for row in made]


@pytest.fixture(scope="module")
def odd():
    chance = random.Random(3)
    rows = [row for number in range(TRACES) for row in trace(number, chance)]
    first = {"trace_id": f"{0:032x}", "span_name": "inner", "span_kind": "internal", "service_name": "gateway"}
    rows += [
        {**first, "span_id": "o", "parent_span_id": "gone", "time_us": 5_000, "duration_ms": 1.0},
        {**first, "span_id": "s", "parent_span_id": "s", "time_us": 5_000, "duration_ms": 1.0},
        {**first, "span_id": "x", "parent_span_id": "y", "time_us": 5_000, "duration_ms": 1.0},
        {**first, "span_id": "y", "parent_span_id": "x", "time_us": 6_000, "duration_ms": 1.0},
        {**first, "span_id": "r", "time_us": 7_000, "duration_ms": 1.0},
    ]
    return conform(pl.DataFrame(rows, infer_schema_length=None), SPANS)


def test_requests_and_calls_of_odd_traces_count_once(odd):
    spans = nw.from_native(odd.lazy())
    requests = collect(build_requests(spans), schema=REQUESTS_SCHEMA, sort_by=REQUESTS_KEYS)
    calls = collect(build_calls(spans), schema=CALLS_SCHEMA, sort_by=("trace_id", "span_id"))
    assert (requests.height, requests["trace_id"].n_unique()) == (TRACES, TRACES)
    assert (calls.height, calls["dependency"].unique().to_list()) == (TRACES, ["stock"])


def test_quality_of_odd_traces_is_said_and_paths_are_right_after_the_correction(odd):
    spans = nw.from_native(odd.lazy())
    clocks = find_clock_offsets(spans)
    (offset,) = clocks.offsets
    assert (offset.service_name, offset.reference, offset.pairs) == ("stock", "gateway", TRACES)
    assert abs(offset.offset_us - AHEAD_US) < 1_000
    corrected = correct_clocks(spans, clocks.by_service_us)
    metrics = nw.from_native(pl.LazyFrame(schema=METRICS.schema))
    quality = check_quality(corrected, metrics, clocks=clocks)
    assert [(defect.what, defect.count) for defect in quality.defects] == [
        ("Spans whose parent is missing", 1),
        ("Traces with such a span", 1),
        ("Spans that name themselves as parent", 1),
        ("Spans in a cycle of parents", 2),
        ("Traces with a cycle of parents", 1),
        ("Traces with several roots", 1),
    ]
    rows = collect(corrected, schema=SPANS.schema, sort_by=("trace_id", "span_id"))
    added = [pl.lit(None, dtype=pl.String).alias("dependency"), pl.lit(value=False).alias("failed")]
    path = build_path(rows.filter(pl.col("trace_id") == f"{0:032x}").with_columns(added))
    assert sorted(path["span_id"]) == ["a", "b", "c", "o", "r", "s", "x", "y"]
    before = build_path(odd.filter(pl.col("trace_id") == f"{1:032x}").with_columns(added))
    after = build_path(rows.filter(pl.col("trace_id") == f"{1:032x}").with_columns(added))
    own_ms = {row["span_id"]: row["self_ms"] for row in after.iter_rows(named=True)}
    assert before.filter(pl.col("span_id") == "b")["self_ms"].to_list() == [30.0]
    assert own_ms == {"a": 10.0, "b": 10.0, "c": 20.0}
