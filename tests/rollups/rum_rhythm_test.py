import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.rum_rhythm import (
    VIEW_TIMES_KEYS,
    VIEW_TIMES_SCHEMA,
    VIEWERS_SCHEMA,
    build_view_times,
    build_viewers,
)
from prodintel_lib.tables import RUM_EVENTS, conform


def events():
    rows = [
        {"visitor_id": "a", "time_us": 1, "event_kind": "view", "url_path": "/"},
        {"visitor_id": "a", "time_us": 2, "event_kind": "view"},
        {"visitor_id": "d", "time_us": 1, "event_kind": "view"},
        {"visitor_id": "d", "time_us": 2, "event_kind": "view"},
        {"visitor_id": "d", "time_us": 3, "event_kind": "action", "url_path": "/"},
        {"visitor_id": "b", "time_us": 1, "event_kind": "view", "url_path": "/b"},
        {"visitor_id": "c", "time_us": 1, "event_kind": "view", "user_agent_synthetic_type": "bot"},
        {"visitor_id": "c", "time_us": 2, "event_kind": "view", "user_agent_synthetic_type": "bot"},
    ]
    return conform(pl.DataFrame(rows, infer_schema_length=None).with_columns(user_bucket=pl.lit(0)), RUM_EVENTS)


def both(lazy):
    viewers = collect(build_viewers(lazy, min_views=2), schema=VIEWERS_SCHEMA, sort_by=["visitor_id"])
    times = collect(build_view_times(lazy, visitors=["a", "c", "d"]), schema=VIEW_TIMES_SCHEMA, sort_by=VIEW_TIMES_KEYS)
    return viewers.rows(), times.rows()


EXPECTED = ([("a", 2)], [("a", 1, "/"), ("a", 2, ""), ("d", 1, ""), ("d", 2, "")])


def test_build_viewers_counts_the_views_of_those_who_did_nothing_else_and_build_view_times_lists_views():
    assert both(nw.from_native(events().lazy())) == EXPECTED


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_rhythms_are_the_same_on_every_engine(engine, needs, needs_program, tmp_path):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    file = tmp_path / "events.parquet"
    events().write_parquet(file)
    assert both(scan_parquet([file], schema=RUM_EVENTS.schema, engine=engine)) == EXPECTED
