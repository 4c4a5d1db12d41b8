import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_errors import (
    PAGE_VISITS_KEYS,
    PAGE_VISITS_SCHEMA,
    SESSION_ERRORS_KEYS,
    SESSION_ERRORS_SCHEMA,
    STACK_CHARS,
    UNKNOWN_HOUR,
    build_page_visits,
    build_session_errors,
)
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.tables import RUM_EVENTS, conform

HOUR = 3_600_000_000


def session_events(*rows):
    whole = [{"time_us": 0, "event_kind": "error", "visitor_id": "v", "user_bucket": 0, **row} for row in rows]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    return build_session_events(nw.from_native(frame.lazy()), gap_min=30)


def session_errors(*rows, conversions=()):
    lazy = build_session_errors(session_events(*rows), conversions=conversions)
    return collect(lazy, schema=SESSION_ERRORS_SCHEMA, sort_by=SESSION_ERRORS_KEYS)


def test_build_session_errors_counts_what_says_the_same_in_one_session():
    thrown = {"url_path": "/cart", "error_type": "TypeError", "exception_message": "x", "error_source": "exception"}
    found = session_errors(
        {**thrown, "time_us": 10},
        {**thrown, "time_us": 30},
        {**thrown, "time_us": 20, "visitor_id": "w"},
        {"time_us": 5},
    )
    assert found.select("session_key", "route", "error_type", "errors", "first_us", "last_us").rows() == [
        ("v||1", "", "", 1, 5, 5),
        ("v||1", "/cart", "TypeError", 2, 10, 30),
        ("w||1", "/cart", "TypeError", 1, 20, 20),
    ]


def test_build_session_errors_cuts_long_stacks_and_names_the_field_of_a_form_only():
    found = session_errors(
        {"exception_stacktrace": "s" * 9000, "target_test_id": "pay"},
        {"error_source": "validation", "target_test_id": "email"},
    )
    assert found.sort("error_source").select("field").to_series().to_list() == ["", "email"]
    assert found["exception_stacktrace"].str.len_chars().max() == STACK_CHARS


@pytest.mark.parametrize(
    ("time_us", "offset_min", "hour"),
    [(0, 60, 1), (0, -60, 23), (HOUR * 23, 120, 1), (HOUR * 5 - 1, 0, 4), (0, 345, 5), (0, None, UNKNOWN_HOUR)],
)
def test_hour_local_is_that_of_the_clients_clock(time_us, offset_min, hour):
    assert session_errors({"time_us": time_us, "utc_offset_min": offset_min})["hour_local"].to_list() == [hour]


def test_build_session_errors_says_what_came_before_the_conversion():
    bought = {"event_kind": "custom", "event_name": "purchase", "time_us": 50}
    errors = [{"time_us": 49, "error_type": "a"}, {"time_us": 51, "error_type": "b"}]
    found = session_errors(*errors, bought, conversions=["purchase"])
    assert found.select("error_type", "before_conversion").rows() == [("a", True), ("b", False)]
    assert session_errors(*errors, bought)["before_conversion"].to_list() == [True, True]


def test_build_page_visits_names_each_page_and_hour_once_and_holds_every_error():
    lazy = build_page_visits(
        session_events(
            {"event_kind": "view", "url_path": "/", "utc_offset_min": 0},
            {"event_kind": "view", "url_path": "/", "utc_offset_min": 0, "time_us": 1},
            {"url_path": "/b", "time_us": 2, "utc_offset_min": 0},
            {"url_path": "/b", "time_us": HOUR // 2 - 1, "utc_offset_min": 30},
            {"time_us": 3},
        )
    )
    found = collect(lazy, schema=PAGE_VISITS_SCHEMA, sort_by=PAGE_VISITS_KEYS)
    assert found.select("route", "hour_local").rows() == [("", UNKNOWN_HOUR), ("/", 0), ("/b", 0)]
