import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.clocks import CLOCK_EDGES_KEYS, CLOCK_EDGES_SCHEMA, build_clock_edges, correct_clocks
from prodintel_lib.tables import SPANS

CALL = {"service_name": "gateway", "span_kind": "client", "duration_ms": 10.0}


def answered(number, *, start_us, duration_ms=6.0, **changes):
    """Return a call from 0 to 10 ms in a trace of its own, and the span that answered it."""
    return (
        {**CALL, "trace_id": str(number), "span_id": "a"},
        {
            "trace_id": str(number),
            "span_id": "b",
            "parent_span_id": "a",
            "service_name": "stock",
            "time_us": start_us,
            "duration_ms": duration_ms,
            **changes,
        },
    )


def edges(frame):
    return collect(build_clock_edges(frame), schema=CLOCK_EDGES_SCHEMA, sort_by=CLOCK_EDGES_KEYS).rows()


def test_build_clock_edges_compares_the_middles_of_call_and_answer(spans):
    starts_us = (2000, 3000, 2_002_000, 2_003_000)
    rows = [row for number, start_us in enumerate(starts_us) for row in answered(number, start_us=start_us)]
    assert edges(spans(*rows)) == [("gateway", "stock", 4, 2, 750.0, 1_000_500.0, 2_000_250.0)]


def test_build_clock_edges_counts_an_answer_that_ends_with_its_call_as_inside(spans):
    assert edges(spans(*answered(1, start_us=4000))) == [("gateway", "stock", 1, 0, 2000.0, 2000.0, 2000.0)]


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_ms": 10.5},
        {"service_name": "gateway"},
        {"service_name": None},
        {"span_kind": "consumer"},
        {"parent_span_id": "gone"},
        {"trace_id": "another"},
    ],
    ids=["the client gave up", "own span", "nobody's", "from a queue", "orphan", "another trace's span id"],
)
def test_build_clock_edges_leaves_out_what_tells_nothing(spans, changes):
    assert edges(spans(*answered(1, start_us=4000, **changes))) == []


def test_correct_clocks_moves_only_that_services_times(spans):
    lazy = spans(
        {"span_id": "a", "time_us": 5000, "service_name": "stock"},
        {"span_id": "b", "time_us": 5000, "service_name": "gateway"},
        {"span_id": "c", "time_us": 5000},
    )
    frame = collect(correct_clocks(lazy, {"stock": 2000, "pay": 7}), schema=SPANS.schema, sort_by=["span_id"])
    assert frame["time_us"].to_list() == [3000, 5000, 5000]
    assert correct_clocks(lazy, {"stock": 0}) is lazy


def test_correct_clocks_of_calls_and_of_counters():
    calls = pl.DataFrame({"time_us": [1, 2], "caller": ["stock", None], "duration_ms": [1.0, 1.0]})
    moved = correct_clocks(calls, {"stock": -5}, by="caller")
    assert moved.rows() == [(6, "stock", 1.0), (2, None, 1.0)]
    assert moved.schema == calls.schema
    counters = pl.DataFrame({"time_us": [10], "start_time_us": [4], "service_name": ["stock"]})
    assert correct_clocks(counters, {"stock": 3}).rows() == [(7, 1, "stock")]
