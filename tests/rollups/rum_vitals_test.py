import math

import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.rollups.rum_vitals import (
    VIEW_VITALS_KEYS,
    VIEW_VITALS_SCHEMA,
    VITAL_CELLS_KEYS,
    VITAL_CELLS_SCHEMA,
    VITALS,
    build_view_vitals,
    build_vital_cells,
)
from prodintel_lib.tables import RUM_EVENTS, conform

MIN = 60_000_000


def session_events(*rows):
    whole = [{"time_us": 0, "event_kind": "vital", "visitor_id": "v", "user_bucket": 0, **row} for row in rows]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    return build_session_events(nw.from_native(frame.lazy()), gap_min=30)


def view_vitals(*rows):
    return collect(build_view_vitals(session_events(*rows)), schema=VIEW_VITALS_SCHEMA, sort_by=VIEW_VITALS_KEYS)


def test_build_view_vitals_takes_the_last_report_of_a_view_even_from_the_next_session():
    found = view_vitals(
        {"time_us": 0, "event_kind": "view", "view_id": "a", "url_path": "/", "lcp_ms": 900.0},
        {"time_us": 1, "view_id": "a", "url_path": "/", "inp_ms": 300.0},
        {"time_us": 2, "event_kind": "view", "view_id": "b", "url_path": "/b"},
        {"time_us": 40 * MIN, "view_id": "a", "url_path": "/", "inp_ms": 120.0},
    )
    assert found.select("view_key", "vital", "value", "route").rows() == [
        ("a", "inp_ms", 120.0, "/"),
        ("a", "lcp_ms", 900.0, "/"),
    ]


def test_build_view_vitals_without_view_ids_counts_the_views_of_a_session():
    found = view_vitals(
        {"time_us": 0, "event_kind": "view", "session_id": "s", "url_path": "/", "cls_score": 0.2},
        {"time_us": 1, "session_id": "s", "url_path": "/", "cls_score": 0.3},
        {"time_us": 2, "event_kind": "view", "session_id": "s", "url_path": "/b", "cls_score": 0.0},
    )
    assert found.select("value", "route").rows() == [(0.3, "/"), (0.0, "/b")]


def test_build_view_vitals_learns_page_and_client_from_the_view():
    found = view_vitals(
        {"event_kind": "view", "view_id": "a", "url_path": "/", "device_type": "mobile", "browser_name": "Safari"},
        {"time_us": 1, "view_id": "a", "lcp_ms": 5.0, "browser_name": "Firefox"},
    )
    assert found.select("route", "device_type", "browser_name", "geo_country_iso_code").rows() == [
        ("/", "mobile", "Firefox", "")
    ]


def test_build_view_vitals_leaves_out_what_is_no_measurement_and_keeps_zero():
    found = view_vitals(
        {"view_id": "a", "lcp_ms": -1.0},
        {"view_id": "b", "lcp_ms": math.inf},
        {"view_id": "c", "lcp_ms": math.nan},
        {"view_id": "d", "lcp_ms": 0.0},
    )
    assert found.select("view_key", "value").rows() == [("d", 0.0)]


def test_build_vital_cells_counts_good_and_poor_at_the_bounds_exactly():
    rows = [
        {"view_id": f"{column}{number}", column: value}
        for column, vital in VITALS.items()
        for number, value in enumerate((vital.good, vital.good * 1.0001, vital.poor, vital.poor * 1.0001))
    ]
    found = collect(build_vital_cells(session_events(*rows)), schema=VITAL_CELLS_SCHEMA, sort_by=VITAL_CELLS_KEYS)
    sums = found.group_by("vital").agg(pl.col("views", "good", "poor").sum()).sort("vital")
    assert sums.rows() == [(column, 4, 1, 1) for column in sorted(VITALS)]


def test_vitals_steps_divide_both_bounds():
    for vital in VITALS.values():
        for bound in (vital.good, vital.poor):
            assert math.isclose(bound / vital.step, round(bound / vital.step)), vital.name
