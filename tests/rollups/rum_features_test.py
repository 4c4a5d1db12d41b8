import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_features import FEATURE_USE_KEYS, FEATURE_USE_SCHEMA, build_feature_use
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.tables import RUM_EVENTS, conform


def feature_use(*rows, conversions=()):
    whole = [{"time_us": place, "visitor_id": "v", "user_bucket": 0, **row} for place, row in enumerate(rows)]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    events = build_session_events(nw.from_native(frame.lazy()), gap_min=30)
    lazy = build_feature_use(events, conversions=conversions)
    return collect(lazy, schema=FEATURE_USE_SCHEMA, sort_by=FEATURE_USE_KEYS)


def test_build_feature_use_names_pages_actions_and_events():
    found = feature_use(
        {"event_kind": "view", "url_path": "/"},
        {"event_kind": "action", "target_role": "button", "target_name": "Search", "target_selector": "#s"},
        {"event_kind": "action", "target_test_id": "pay", "target_name": "Pay now"},
        {"event_kind": "action", "target_selector": "#s"},
        {"event_kind": "action", "target_role": "button"},
        {"event_kind": "custom", "event_name": "add_to_cart"},
        {"event_kind": "error", "url_path": "/", "event_name": "exception"},
        {"event_kind": "view", "url_path": "/"},
    )
    assert found.select("kind", "feature", "interactions", "first_us", "last_us").rows() == [
        ("action", "#s", 1, 3, 3),
        ("action", "button Search", 1, 1, 1),
        ("action", "pay", 1, 2, 2),
        ("event", "add_to_cart", 1, 5, 5),
        ("page", "/", 2, 0, 7),
    ]


def test_build_feature_use_says_in_which_step_it_was_first_used():
    found = feature_use(
        {"event_kind": "view", "url_path": "/"},
        {"event_kind": "view", "url_path": "/b"},
        {"event_kind": "custom", "event_name": "share"},
    )
    assert found.select("feature", "first_step").rows() == [("share", 2), ("/", 1), ("/b", 2)]


def test_build_feature_use_does_not_take_the_conversion_for_what_led_to_it():
    found = feature_use(
        {"event_kind": "view", "url_path": "/"},
        {"event_kind": "custom", "event_name": "purchase"},
        {"event_kind": "view", "url_path": "/thanks"},
        conversions=["purchase"],
    )
    assert dict(found.select("feature", "before_conversion").iter_rows()) == {
        "/": True,
        "purchase": False,
        "/thanks": False,
    }
