import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_sessions import (
    SESSION_EVENTS_SCHEMA,
    SESSIONS_SCHEMA,
    build_session_events,
    build_sessions,
)
from prodintel_lib.tables import RUM_EVENTS, conform

S = 1_000_000
MIN = 60 * S


def frame(rows):
    whole = [{"event_kind": "view", "visitor_id": "v", "user_bucket": 0, **row} for row in rows]
    return conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)


def tagged(rows, *, routes=None):
    learned = nw.from_native(pl.LazyFrame(routes, schema=["url_path", "route"], orient="row")) if routes else None
    events = build_session_events(nw.from_native(frame(rows).lazy()), gap_min=30, routes=learned)
    return collect(events, schema=SESSION_EVENTS_SCHEMA, sort_by=["session_key", "time_us", "view_no", "event_kind"])


def sessions(rows, *, conversions=()):
    events = build_session_events(nw.from_native(frame(rows).lazy()), gap_min=30)
    return collect(build_sessions(events, conversions=conversions), schema=SESSIONS_SCHEMA, sort_by=["session_key"])


def test_build_session_events_cuts_at_the_gap_and_across_midnight():
    midnight = 86_400 * S
    found = tagged(
        [
            {"time_us": midnight - 10 * MIN, "url_path": "/a"},
            {"time_us": midnight + 20 * MIN - 1, "url_path": "/b"},
            {"time_us": midnight + 50 * MIN - 1, "url_path": "/c"},
        ]
    )
    assert found["session_key"].to_list() == ["v||1", "v||1", "v||2"]


def test_build_session_events_keeps_the_sources_sessions_apart_and_still_cuts_them():
    found = tagged(
        [
            {"time_us": 0, "session_id": "s", "url_path": "/a"},
            {"time_us": 1 * MIN, "session_id": "t", "url_path": "/b"},
            {"time_us": 2 * MIN, "session_id": "s", "url_path": "/c"},
            {"time_us": 90 * MIN, "session_id": "s", "url_path": "/d"},
            {"time_us": 2 * MIN, "visitor_id": "w", "session_id": "s", "url_path": "/e"},
        ]
    )
    assert found.select("session_key", "url_path").rows() == [
        ("v|s|1", "/a"),
        ("v|s|1", "/c"),
        ("v|s|2", "/d"),
        ("v|t|1", "/b"),
        ("w|s|1", "/e"),
    ]


def test_build_session_events_numbers_views_and_collapses_repeats():
    found = tagged(
        [
            {"time_us": 0, "event_kind": "custom", "event_name": "start"},
            {"time_us": 1, "url_path": "/"},
            {"time_us": 2, "url_path": "/p/1"},
            {"time_us": 3, "event_kind": "action", "url_path": "/p/1"},
            {"time_us": 4, "url_path": "/p/2"},
            {"time_us": 5, "url_path": "/"},
        ],
        routes=[("/p/1", "/p/{id}"), ("/p/2", "/p/{id}")],
    )
    assert found.select("route", "view_no", "step_no").rows() == [
        (None, 0, 0),
        ("/", 1, 1),
        ("/p/{id}", 2, 2),
        ("/p/{id}", 2, 2),
        ("/p/{id}", 3, 2),
        ("/", 4, 3),
    ]


def test_build_session_events_prefers_the_sources_route():
    found = tagged([{"time_us": 0, "url_path": "/p/1", "http_route": "/p/:sku"}], routes=[("/p/1", "/p/{id}")])
    assert found["route"].to_list() == ["/p/:sku"]


def test_build_session_events_gives_an_event_the_step_of_its_view():
    found = tagged(
        [
            {"time_us": 0, "url_path": "/a", "view_id": "1"},
            {"time_us": 10, "url_path": "/b", "view_id": "2"},
            {"time_us": 20, "event_kind": "vital", "view_id": "1", "url_path": "/a", "lcp_ms": 5.0},
            {"time_us": 30, "event_kind": "error", "view_id": "lost", "url_path": "/b"},
        ]
    )
    assert found.select("event_kind", "view_no", "step_no").rows() == [
        ("view", 1, 1),
        ("view", 2, 2),
        ("vital", 2, 1),
        ("error", 2, 2),
    ]


def test_build_session_events_breaks_ties_in_time_the_same_way_whatever_the_order():
    rows = [
        {"time_us": 0, "url_path": "/a", "view_id": "1"},
        {"time_us": 0, "url_path": "/b", "view_id": "2"},
        {"time_us": 0, "event_kind": "action", "url_path": "/b"},
    ]
    found, reversed_found = tagged(rows), tagged(rows[::-1])
    assert found.select("event_kind", "url_path", "view_no", "step_no").rows() == [
        ("view", "/a", 1, 1),
        ("action", "/b", 2, 2),
        ("view", "/b", 2, 2),
    ]
    assert reversed_found.equals(found)


def test_build_session_events_leaves_machines_out():
    found = tagged(
        [
            {"time_us": 0, "url_path": "/a", "user_agent_synthetic_type": "bot"},
            {"time_us": 1, "url_path": "/b"},
        ]
    )
    assert found["url_path"].to_list() == ["/b"]


def test_build_sessions_sums_a_session_up():
    client = {"session_id": "s", "device_type": "mobile", "utc_offset_min": -90, "user_is_new": True}
    found = sessions(
        [
            {**client, "time_us": 60 * MIN, "url_path": "/"},
            {**client, "time_us": 61 * MIN, "url_path": "/cart"},
            {**client, "time_us": 61 * MIN, "event_kind": "action", "action_type": "click"},
            {**client, "time_us": 61 * MIN, "event_kind": "error", "error_source": "validation"},
            {**client, "time_us": 61 * MIN, "event_kind": "error", "error_source": "console"},
            {**client, "time_us": 61 * MIN, "event_kind": "error"},
            {**client, "time_us": 62 * MIN, "event_kind": "custom", "event_name": "purchase"},
        ],
        conversions=["purchase"],
    )
    row = found.row(0, named=True)
    assert {name: value for name, value in row.items() if value is not None} == {
        "session_key": "v|s|1",
        "visitor_id": "v",
        "session_id": "s",
        "user_bucket": 0,
        "start_us": 60 * MIN,
        "end_us": 62 * MIN,
        "duration_s": 120.0,
        "views": 2,
        "steps": 2,
        "actions": 1,
        "errors": 2,
        "entry_route": "/",
        "exit_route": "/cart",
        "converted": True,
        "device_type": "mobile",
        "user_is_new": True,
        "utc_offset_min": -90,
        "start_hour_local": 23,
    }


@pytest.mark.parametrize(
    ("conversions", "expected"),
    [((), None), (("/thanks",), True), (("purchase",), False), (("/other", "/thanks"), True)],
)
def test_build_sessions_knows_a_conversion_by_name_or_page(conversions, expected):
    found = sessions([{"time_us": 0, "url_path": "/"}, {"time_us": 1, "url_path": "/thanks"}], conversions=conversions)
    assert found["converted"].to_list() == [expected]


def test_build_sessions_of_events_without_views_has_no_routes():
    found = sessions([{"time_us": 0, "event_kind": "custom", "event_name": "x"}])
    assert found.select("views", "steps", "entry_route", "exit_route").rows() == [(0, 0, None, None)]
