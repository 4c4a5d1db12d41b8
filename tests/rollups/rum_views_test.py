import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.rollups.rum_views import PAGE_VIEWS_KEYS, PAGE_VIEWS_SCHEMA, build_page_views
from prodintel_lib.tables import RUM_EVENTS, conform


def page_views(*rows, conversions=("purchase",)):
    whole = [{"event_kind": "view", "visitor_id": "v", "user_bucket": 0, **row} for row in rows]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    lazy = build_page_views(build_session_events(nw.from_native(frame.lazy()), gap_min=30), conversions=conversions)
    return collect(lazy, schema=PAGE_VIEWS_SCHEMA, sort_by=PAGE_VIEWS_KEYS).rows()


def test_build_page_views_numbers_the_views_and_leaves_other_events_out():
    found = page_views(
        {"time_us": 1, "url_path": "/"},
        {"time_us": 2, "event_kind": "action", "url_path": "/"},
        {"time_us": 3, "url_path": "/"},
        {"time_us": 4},
        {"time_us": 3, "visitor_id": "w", "url_path": "/b"},
    )
    assert found == [("v||1", 1, "/"), ("v||1", 2, "/"), ("v||1", 3, ""), ("w||1", 1, "/b")]


def test_build_page_views_ends_with_the_conversion():
    rows = [
        {"time_us": 1, "url_path": "/"},
        {"time_us": 2, "url_path": "/pay"},
        {"time_us": 3, "event_kind": "custom", "event_name": "purchase"},
        {"time_us": 4, "url_path": "/"},
    ]
    assert page_views(*rows) == [("v||1", 1, "/"), ("v||1", 2, "/pay")]
    assert page_views(*rows, conversions=["/pay"]) == [("v||1", 1, "/")]
    assert len(page_views(*rows, conversions=[])) == 3
