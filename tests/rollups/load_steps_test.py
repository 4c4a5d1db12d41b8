import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.load_requests import LOAD_REQUESTS_SCHEMA
from prodintel_lib.rollups.load_steps import LOAD_STEPS_KEYS, LOAD_STEPS_SCHEMA, build_load_steps

S = 1_000_000


def steps(*rows, gap_min=1):
    whole = [{"visitor": "v", "endpoint": "/", "method": "GET", "failed": False, **row} for row in rows]
    lazy = build_load_steps(nw.from_native(pl.LazyFrame(whole, schema=LOAD_REQUESTS_SCHEMA)), gap_min=gap_min)
    return collect(lazy, schema=LOAD_STEPS_SCHEMA, sort_by=LOAD_STEPS_KEYS)


def test_build_load_steps_numbers_requests_and_cuts_at_gaps():
    frame = steps(
        {"time_us": 70 * S, "endpoint": "/b"},
        {"time_us": 0, "endpoint": "/a", "duration_ms": 5.0},
        {"time_us": 10_500_000, "endpoint": "/c"},
        {"time_us": 71 * S, "visitor": "w", "endpoint": "/d"},
        {"time_us": 129 * S, "endpoint": "/e"},
        {"time_us": 189 * S, "endpoint": "/f"},
        {"time_us": 1, "visitor": "", "endpoint": "/g"},
    )
    assert frame.rows() == [
        ("v|1", 1, 0, "/a", None, 5.0),
        ("v|1", 2, 10_500_000, "/c", 10.5, None),
        ("v|1", 3, 70 * S, "/b", 59.5, None),
        ("v|1", 4, 129 * S, "/e", 59.0, None),
        ("v|2", 1, 189 * S, "/f", None, None),
        ("w|1", 1, 71 * S, "/d", None, None),
    ]


def test_build_load_steps_orders_requests_of_one_moment_alike():
    same = {"time_us": 90 * S, "endpoint": "/b"}
    frame = steps({"time_us": 0}, same, {**same, "endpoint": "/a"}, same, {**same, "duration_ms": 1.0})
    assert frame.rows() == [
        ("v|1", 1, 0, "/", None, None),
        ("v|2", 1, 90 * S, "/a", None, None),
        ("v|2", 2, 90 * S, "/b", 0.0, None),
        ("v|2", 3, 90 * S, "/b", 0.0, None),
        ("v|2", 4, 90 * S, "/b", 0.0, 1.0),
    ]


def test_build_load_steps_refuses_a_gap_of_nothing():
    with pytest.raises(ParameterError, match="`gap_min` is 0"):
        steps({"time_us": 0}, gap_min=0)
