import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.rum_requests import (
    NETWORK_EVENTS_KEYS,
    NETWORK_EVENTS_SCHEMA,
    REQUEST_OUTCOMES_KEYS,
    REQUEST_OUTCOMES_SCHEMA,
    build_network_events,
    build_request_outcomes,
)
from prodintel_lib.tables import RUM_EVENTS, conform

GET = {"event_kind": "request", "http_request_method": "GET", "request_path": "/a/17"}
FAILED = {"event_kind": "error", "error_source": "network", "error_type": "timeout"}


def events(*rows):
    whole = [{"visitor_id": "v", "time_us": number, "user_bucket": 0, **row} for number, row in enumerate(rows)]
    return conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)


ROWS = events(
    {**GET, "http_response_status_code": 200, "user_is_new": True},
    {**GET, "http_response_status_code": 503, "user_is_new": True, "request_path": "/a/4"},
    {**GET, "http_response_status_code": 404, "user_is_new": False},
    {**GET, "http_response_status_code": 0, "browser_name": "Safari", "utc_offset_min": 60},
    {**GET, "error_type": "timeout", "browser_name": "Safari", "utc_offset_min": 60},
    {**GET, "request_path": "/b"},
    {**FAILED, "exception_message": "gone"},
    {"event_kind": "error", "error_source": "console"},
    {"event_kind": "view"},
)
OUTCOMES = [
    ("GET /a/{n}", -1, "new", "", 2, 1),
    ("GET /a/{n}", -1, "returning", "", 1, 0),
    ("GET /a/{n}", 1, "", "Safari", 2, 2),
]
NETWORK = [
    (1, "GET /a/{n}", "", ""),
    (3, "GET /a/{n}", "", ""),
    (4, "GET /a/{n}", "", ""),
    (6, "", "network", "gone"),
]


def outcomes_of(lazy):
    built = build_request_outcomes(lazy, requests=["GET /a/{n}"])
    found = collect(built, schema=REQUEST_OUTCOMES_SCHEMA, sort_by=REQUEST_OUTCOMES_KEYS)
    shown = found.select("request", "hour_local", "user_is_new", "browser_name", "requests", "failed")
    return shown.sort("hour_local", "user_is_new").rows()


def network_of(lazy):
    found = collect(build_network_events(lazy), schema=NETWORK_EVENTS_SCHEMA, sort_by=NETWORK_EVENTS_KEYS)
    return found.select("time_us", "request", "error_source", "exception_message").rows()


def test_build_request_outcomes_counts_what_failed_by_client_and_hour():
    assert outcomes_of(nw.from_native(ROWS.lazy())) == OUTCOMES


def test_build_network_events_lists_failed_requests_and_errors_of_the_network():
    assert network_of(nw.from_native(ROWS.lazy())) == NETWORK


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_requests_are_the_same_on_every_engine(engine, needs, needs_program, tmp_path):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    file = tmp_path / "events.parquet"
    ROWS.write_parquet(file)
    lazy = scan_parquet([file], schema=RUM_EVENTS.schema, engine=engine)
    assert outcomes_of(lazy) == OUTCOMES
    assert network_of(lazy) == NETWORK
