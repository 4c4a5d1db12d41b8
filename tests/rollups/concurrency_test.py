import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.engines import collect
from prodintel_lib.rollups.concurrency import CONCURRENCY_SCHEMA, build_concurrency


def in_flight(*requests):
    schema = {"time_us": pl.Int64, "duration_ms": pl.Float64}
    lazy = nw.from_native(pl.LazyFrame(list(requests), schema=schema, orient="row"))
    return collect(build_concurrency(lazy), schema=CONCURRENCY_SCHEMA, sort_by=["time_us"]).rows()


def test_build_concurrency_counts_overlap():
    assert in_flight((0, 0.010), (5, 0.010), (20, 0.001)) == [(0, 1), (5, 2), (10, 1), (15, 0), (20, 1), (21, 0)]


def test_build_concurrency_does_not_count_one_that_ends_as_another_starts():
    assert in_flight((0, 0.010), (10, 0.010)) == [(0, 1), (10, 1), (20, 0)]


def test_build_concurrency_of_nothing_is_empty():
    assert in_flight() == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=12))
def test_build_concurrency_agrees_with_counting_at_every_time(requests):
    steps = in_flight(*((start, length / 1000) for start, length in requests))
    for time_us in range(72):
        naive = sum(start <= time_us < start + length for start, length in requests)
        assert next((n for at, n in reversed(steps) if at <= time_us), 0) == naive
