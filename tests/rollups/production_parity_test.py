"""The rollups of production in buckets give the same to the byte on every engine."""

import json
import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.rollups.log_levels import LOG_LEVELS_KEYS, LOG_LEVELS_SCHEMA, build_log_levels
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_KEYS, METRIC_BUCKETS_SCHEMA, build_metric_buckets
from prodintel_lib.rollups.recorded import RECORDED_SCHEMA, build_recorded
from prodintel_lib.rollups.request_bins import REQUEST_BINS_KEYS, REQUEST_BINS_SCHEMA, build_request_bins
from prodintel_lib.rollups.request_failures import (
    REQUEST_FAILURES_KEYS,
    REQUEST_FAILURES_SCHEMA,
    build_request_failures,
)
from prodintel_lib.rollups.rum_buckets import (
    RUM_BUCKETS_KEYS,
    RUM_BUCKETS_SCHEMA,
    build_page_buckets,
    build_visit_buckets,
)
from prodintel_lib.rollups.rum_sessions import build_session_events, build_sessions
from prodintel_lib.rollups.service_edges import SERVICE_EDGES_KEYS, SERVICE_EDGES_SCHEMA, build_service_edges
from prodintel_lib.tables import LOGS, METRICS, RUM_EVENTS, SPANS, conform

from .same_on_engines import assert_same_on, run

S = 1_000_000
TABLES = {"spans": SPANS, "metrics": METRICS, "logs": LOGS, "rum": RUM_EVENTS}
LIMITS_MS = {"GET /orders": 20.0, "POST /orders": 20.0, "GET /é 'x'": 3.25}
ATTRIBUTES = (
    {"shop.region": "FR", "cache.hit": True},
    {"geo.country_iso_code": 'D"E\\', "x": "a,b}"},
    {"note": 'say "region":"ES"'},
    {"regions": "FR", "app.cache_status": "miss, cold"},
    None,
)


def named(scan):
    """Split each service by the last digit of its trace, so that there are more rows to compare."""
    apart = nw.concat_str("service_name", nw.col("trace_id").str.slice(31, 1))
    return scan("spans").with_columns(apart.alias("service_name"))


def visits(scan):
    tagged = build_session_events(scan("rum"), gap_min=30)
    return build_visit_buckets(build_sessions(tagged, conversions=["/thanks"]), bucket_s=60)


ROLLUPS = {
    "bins": (
        lambda scan: build_request_bins(scan("spans"), bucket_s=60, limits_ms=LIMITS_MS),
        REQUEST_BINS_SCHEMA,
        REQUEST_BINS_KEYS,
    ),
    "failures": (
        lambda scan: build_request_failures(scan("spans"), bucket_s=60),
        REQUEST_FAILURES_SCHEMA,
        REQUEST_FAILURES_KEYS,
    ),
    "metrics": (
        lambda scan: build_metric_buckets(scan("metrics"), bucket_s=60),
        METRIC_BUCKETS_SCHEMA,
        METRIC_BUCKETS_KEYS,
    ),
    "levels": (lambda scan: build_log_levels(scan("logs"), bucket_s=60), LOG_LEVELS_SCHEMA, LOG_LEVELS_KEYS),
    "recorded": (lambda scan: build_recorded(scan("logs"), bucket_s=10), RECORDED_SCHEMA, ["bucket_us"]),
    "edges": (lambda scan: build_service_edges(named(scan)), SERVICE_EDGES_SCHEMA, SERVICE_EDGES_KEYS),
    "visits": (visits, RUM_BUCKETS_SCHEMA, RUM_BUCKETS_KEYS),
    "pages": (lambda scan: build_page_buckets(scan("rum"), bucket_s=60), RUM_BUCKETS_SCHEMA, RUM_BUCKETS_KEYS),
}


def span(chance, number):
    return {
        "time_us": chance.randrange(500 * S),
        "duration_ms": chance.choice([None, 0.0, 1.0, round(chance.expovariate(0.02), 6)]),
        "trace_id": f"{number // 2:032x}",
        "span_id": f"{number:016x}",
        "parent_span_id": f"{number - 1:016x}" if number % 2 else None,
        "span_kind": chance.choice(["server", "server", "client"]),
        "span_name": "tick",
        "service_name": chance.choice(["shop", "pay", None]),
        "service_version": chance.choice(["1", "2", None]),
        "http_request_method": chance.choice(["GET", "POST", None]),
        "http_route": chance.choice(["/orders", "/é 'x'", None]),
        "http_response_status_code": chance.choice([200, 404, 503, None]),
        "status_code": chance.choice(["ok", "error", None]),
        "error_type": chance.choice([None, None, "timeout"]),
        "attributes": attributes_of(chance.choice(ATTRIBUTES)),
    }


def attributes_of(own):
    if own is None:
        return None
    return json.dumps({**own, "resource": {"cloud.region": "us"}}, separators=(",", ":"), ensure_ascii=False)


def metric(chance, number):
    return {
        "time_us": number * S,
        "metric_name": chance.choice(["used", "used", "hits"]),
        "metric_unit": chance.choice(["1", None]),
        "metric_kind": "gauge",
        "service_name": chance.choice(["shop", None]),
        "value": chance.random() * 100,
        "attributes": chance.choice(['{"state":"used"}', None]),
    }


def log(chance, _):
    return {
        "time_us": chance.randrange(500 * S),
        "service_name": chance.choice(["shop", None]),
        "severity_number": chance.choice([9, 13, 17, None]),
        "severity_text": chance.choice(["warning", "ERROR", "info", None]),
        "error_type": chance.choice([None, "E"]),
    }


def event(chance, number):
    return {
        "time_us": chance.randrange(500 * S),
        "event_kind": chance.choice(["view", "view", "error", "action"]),
        "error_source": chance.choice(["validation", "console", None]),
        "user_bucket": 0,
        "visitor_id": f"v{number % 90}",
        "url_path": chance.choice(["/", "/p/1", "/thanks", None]),
        "http_route": chance.choice([None, None, "/given"]),
        "user_agent_synthetic_type": "bot" if chance.random() < 0.05 else None,
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, chance, paths = tmp_path_factory.mktemp("production"), random.Random(7), {}
    for name, make in (("spans", span), ("metrics", metric), ("logs", log), ("rum", event)):
        frame = pl.DataFrame([make(chance, number) for number in range(800)], infer_schema_length=None)
        paths[name] = folder / f"{name}.parquet"
        conform(frame, TABLES[name]).write_parquet(paths[name])
    return paths


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ROLLUPS)
def test_production_rollups_give_the_same_on_every_engine(files, name, engine, needs, needs_program):
    assert_same_on(engine, files, ROLLUPS[name], tables=TABLES, more_than=15, needs=needs, needs_program=needs_program)


def test_production_rollups_find_regions_and_caches_in_odd_attributes(files):
    frame = run("polars", files, ROLLUPS["bins"], tables=TABLES)
    assert sorted(frame["region"].unique()) == ["", "D", "FR"]
    assert sorted(frame["cache"].unique()) == ["", "miss, cold", "true"]
