import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_buckets import (
    RUM_BUCKETS_KEYS,
    RUM_BUCKETS_SCHEMA,
    build_page_buckets,
    build_visit_buckets,
)
from prodintel_lib.tables import RUM_EVENTS, conform

S = 1_000_000


def result(lazy):
    return collect(lazy, schema=RUM_BUCKETS_SCHEMA, sort_by=RUM_BUCKETS_KEYS).rows()


def events(*rows):
    whole = [{"time_us": 0, "event_kind": "view", "user_bucket": 0, "visitor_id": "v", **row} for row in rows]
    return nw.from_native(conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS).lazy())


def sessions(*rows):
    columns = ("end_us", "entry_route", "converted")
    schema = {"end_us": pl.Int64(), "entry_route": pl.String(), "converted": pl.Boolean()}
    return nw.from_native(pl.DataFrame([dict(zip(columns, row, strict=True)) for row in rows], schema=schema).lazy())


def test_build_visit_buckets_counts_sessions_where_they_end():
    ended = sessions(
        (60 * S - 1, "/", True), (59 * S, "/", False), (60 * S, "/", True), (61 * S, "/p", None), (61 * S, None, False)
    )
    assert result(build_visit_buckets(ended, bucket_s=60)) == [
        (0, "/", 2, 1, 0, 0),
        (60 * S, "", 1, 0, 0, 0),
        (60 * S, "/", 1, 1, 0, 0),
        (60 * S, "/p", 1, 0, 0, 0),
    ]


def test_build_page_buckets_counts_views_and_errors_where_they_happen():
    seen = events(
        {"url_path": "/p/1"},
        {"url_path": "/p/2", "time_us": 60 * S},
        {"url_path": "/p/2", "time_us": 61 * S, "event_kind": "error", "error_source": "exception"},
        {"url_path": "/p/2", "time_us": 61 * S, "event_kind": "error"},
        {"url_path": "/p/2", "time_us": 61 * S, "event_kind": "error", "error_source": "validation"},
        {"url_path": "/p/2", "time_us": 61 * S, "event_kind": "action"},
        {"url_path": "/p/2", "time_us": 61 * S, "user_agent_synthetic_type": "bot"},
        {"url_path": None, "time_us": 61 * S},
    )
    routes = nw.from_native(pl.LazyFrame({"url_path": ["/p/1", "/p/2"], "route": ["/p/{id}", "/p/{id}"]}))
    assert result(build_page_buckets(seen, bucket_s=60, routes=routes)) == [
        (0, "/p/{id}", 0, 0, 1, 0),
        (60 * S, "", 0, 0, 1, 0),
        (60 * S, "/p/{id}", 0, 0, 1, 2),
    ]
