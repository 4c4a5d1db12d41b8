import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.histograms import ZERO_BIN, value_of
from prodintel_lib.rollups.load_answers import (
    LOAD_ANSWERS_KEYS,
    LOAD_ANSWERS_SCHEMA,
    NO_DURATION,
    NO_STATUS,
    build_load_answers,
)
from prodintel_lib.rollups.load_requests import LOAD_REQUESTS_SCHEMA

SCHEMA = {**LOAD_REQUESTS_SCHEMA, "http_response_status_code": pl.Int64()}


def answers(*rows):
    whole = [{"endpoint": "GET /", "method": "GET", "failed": False, **row} for row in rows]
    lazy = build_load_answers(nw.from_native(pl.LazyFrame(whole, schema=SCHEMA)))
    return collect(lazy, schema=LOAD_ANSWERS_SCHEMA, sort_by=LOAD_ANSWERS_KEYS)


def test_build_load_answers_counts_by_status_and_duration():
    ok = {"http_response_status_code": 200, "duration_ms": 100.0}
    frame = answers(ok, ok, {**ok, "duration_ms": 100.1}, {**ok, "duration_ms": 200.0}, {**ok, "failed": True})
    assert frame.select("status", "failed", "requests").rows() == [(200, False, 3), (200, False, 1), (200, True, 1)]
    assert [round(value, -1) for value in value_of(frame["bin"].to_numpy())] == [100.0, 200.0, 100.0]


def test_build_load_answers_keeps_what_is_not_known_apart():
    frame = answers({}, {"duration_ms": 0.0}, {"http_response_status_code": 200, "method": "POST"})
    assert frame.rows() == [
        ("GET /", "GET", NO_STATUS, False, NO_DURATION, 1),
        ("GET /", "GET", NO_STATUS, False, ZERO_BIN, 1),
        ("GET /", "POST", 200, False, NO_DURATION, 1),
    ]
