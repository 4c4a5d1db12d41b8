import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.error_traffic import (
    TRAFFIC_KEYS,
    TRAFFIC_PARTS_KEYS,
    TRAFFIC_PARTS_SCHEMA,
    TRAFFIC_SCHEMA,
    build_traffic,
    build_traffic_parts,
)
from prodintel_lib.tables import LOGS, RUM_EVENTS, SPANS, conform

S = 1_000_000
SPAN_ROWS = [
    {"span_kind": "server", "service_name": "shop", "http_route": "/a", "http_request_method": "GET"},
    {"span_kind": "server", "service_name": "shop", "http_route": "/a", "http_request_method": "GET", "time_us": 9 * S},
    {"span_kind": "server", "service_name": "shop", "time_us": 10 * S, "service_version": "2"},
    {"span_kind": "server"},
    {"span_kind": "client", "service_name": "shop"},
]
RUM_ROWS = [
    {"event_kind": "view", "url_path": "/p", "browser_name": "Safari", "geo_country_iso_code": "DE"},
    {"event_kind": "request", "request_path": "/q", "url_path": "/p", "user_agent_synthetic_type": "bot"},
    {"event_kind": "action", "url_path": "/p"},
]
LOG_ROWS = [{"severity_text": "INFO", "service_name": "cron"}, {"severity_text": "ERROR", "service_name": "cron"}]


@pytest.fixture(params=["polars", "duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def tables(request, tmp_path, needs, needs_program):
    """Return spans, events of browsers and logs on each engine."""
    if request.param == "spark":
        needs("pyspark")
        needs_program("java")
    made = []
    for table, rows, given in (
        (SPANS, SPAN_ROWS, {"time_us": 0, "duration_ms": 1.0, "trace_id": "t", "span_id": "a"}),
        (RUM_EVENTS, RUM_ROWS, {"time_us": 0, "user_bucket": 0}),
        (LOGS, LOG_ROWS, {"time_us": 0}),
    ):
        file = tmp_path / f"{table.name}.parquet"
        frame = pl.DataFrame([{**given, **row} for row in rows], infer_schema_length=None)
        conform(frame, table).write_parquet(file)
        made.append(scan_parquet([file], schema=table.schema, engine=request.param))
    return made


def test_build_traffic_counts_requests_views_and_quiet_logs(tables):
    found = collect(build_traffic(*tables, bucket_s=10), schema=TRAFFIC_SCHEMA, sort_by=TRAFFIC_KEYS)
    assert found.rows() == [
        ("other log rows", "cron", 0, 1, 0),
        ("requests", "", 0, 1, 0),
        ("requests", "shop", 0, 2, 0),
        ("requests", "shop", 10 * S, 1, 0),
        ("views and requests", "", 0, 2, 1),
    ]


def test_build_traffic_parts_counts_what_is_known_of_each_attribute(tables):
    lazy = build_traffic_parts(*tables[:2])
    found = collect(lazy, schema=TRAFFIC_PARTS_SCHEMA, sort_by=TRAFFIC_PARTS_KEYS)
    assert found.rows() == [
        ("requests", "shop", "release", "2", 1),
        ("requests", "shop", "route", "GET /a", 2),
        ("views and requests", "", "browser", "Safari", 1),
        ("views and requests", "", "region", "DE", 1),
        ("views and requests", "", "route", "/p", 1),
        ("views and requests", "", "route", "/q", 1),
    ]


def test_build_traffic_of_nothing_is_empty():
    empty = [nw.from_native(pl.LazyFrame(schema=table.schema)) for table in (SPANS, RUM_EVENTS, LOGS)]
    assert collect(build_traffic(*empty, bucket_s=10), schema=TRAFFIC_SCHEMA, sort_by=TRAFFIC_KEYS).height == 0
