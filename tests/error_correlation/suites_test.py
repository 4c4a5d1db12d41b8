"""Tests of error patterns: which stretch they are learned from, and which patterns share a suite."""

import polars as pl
import pytest

from prodintel_lib.error_correlation.stretches import busiest_stretch
from prodintel_lib.error_correlation.suites import group_by_traces
from prodintel_lib.windows import US_PER_S, Window

MIN_US = 60 * US_PER_S


def buckets_of(*counts: tuple[int, int], pattern_id: str = "LP-1") -> pl.DataFrame:
    return pl.DataFrame(
        [(pattern_id, minute * MIN_US, rows) for minute, rows in counts],
        schema={"pattern_id": pl.String, "bucket_us": pl.Int64, "rows": pl.Int64},
        orient="row",
    )


def traces_of(**met: list[str]) -> pl.DataFrame:
    """Traces by pattern; ``t1@5`` is the trace t1, met at 5 µs."""
    rows = [(name, *told.split("@")) for name, tellings in met.items() for told in tellings]
    return pl.DataFrame(rows, schema=["pattern_id", "trace_id", "time_us"], orient="row").with_columns(
        pl.col("time_us").cast(pl.Int64)
    )


def test_busiest_stretch_keeps_to_one_pattern_and_leaves_out_what_lies_half_an_hour_away():
    counts = pl.concat([buckets_of((0, 5), (10, 5), (51, 9), (61, 9)), buckets_of((0, 99), pattern_id="LP-2")])

    assert busiest_stretch(counts, "LP-1", 600) == Window(51 * MIN_US, 71 * MIN_US)


def test_busiest_stretch_bridges_a_gap_of_half_an_hour():
    assert busiest_stretch(buckets_of((0, 1), (40, 1)), "LP-1", 600) == Window(0, 50 * MIN_US)


def test_busiest_stretch_is_at_most_two_hours_of_what_never_ends():
    steady = buckets_of(*((minute, 7 if 240 <= minute < 360 else 3) for minute in range(0, 1440, 10)))

    assert busiest_stretch(steady, "LP-1", 600) == Window(240 * MIN_US, 360 * MIN_US)


def test_busiest_stretch_takes_the_first_of_equals():
    assert busiest_stretch(buckets_of((0, 4), (100, 4)), "LP-1", 600) == Window(0, 10 * MIN_US)


def test_group_by_traces_names_a_group_for_what_came_first_within_the_traces():
    traces = traces_of(gateway=["t1@9", "t2@9", "t3@9"], database=["t1@1", "t2@2", "t3@3"], other=["t7@1"])

    assert group_by_traces(traces, ["gateway", "database", "other"]) == [["database", "gateway"], ["other"]]


@pytest.mark.parametrize(("shared", "together"), [(4, True), (3, False)])
def test_group_by_traces_wants_four_fifths_of_the_larger_one(shared, together):
    large = [f"t{n}@2" for n in range(5)]
    traces = traces_of(a=large, b=[f"t{n}@1" for n in range(shared)])

    assert group_by_traces(traces, ["a", "b"]) == ([["b", "a"]] if together else [["a"], ["b"]])


def test_group_by_traces_keeps_patterns_without_traces_apart():
    assert group_by_traces(traces_of(a=["t1@1"]), ["a", "b", "c"]) == [["a"], ["b"], ["c"]]
