import sys
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_errors import (
    PAGE_VISITS_KEYS,
    PAGE_VISITS_SCHEMA,
    SESSION_ERRORS_KEYS,
    SESSION_ERRORS_SCHEMA,
    build_page_visits,
    build_session_errors,
)
from prodintel_lib.rollups.rum_features import FEATURE_USE_KEYS, FEATURE_USE_SCHEMA, build_feature_use
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.rollups.rum_sorted import sort_sessions
from prodintel_lib.rollups.rum_sorted_sessions import sum_sessions
from prodintel_lib.rollups.rum_sorted_uses import (
    ERRORS_LOOKED_UP,
    list_feature_use,
    list_page_views,
    list_page_visits,
    list_session_errors,
)
from prodintel_lib.rollups.rum_views import PAGE_VIEWS_KEYS, PAGE_VIEWS_SCHEMA, build_page_views
from prodintel_lib.tables import RUM_EVENTS, conform

sys.path.insert(0, str(Path(__file__).parent))
from rum_experience_parity_test import some_events

CONVERSIONS = ("purchase", "/thanks")
ROUTES = pl.DataFrame({"url_path": ["/cart"], "route": ["/learned/{id}"]})
LISTS = {
    "errors": (list_session_errors, build_session_errors, SESSION_ERRORS_SCHEMA, SESSION_ERRORS_KEYS),
    "visits": (
        list_page_visits,
        lambda events, conversions: build_page_visits(events),
        PAGE_VISITS_SCHEMA,
        PAGE_VISITS_KEYS,
    ),
    "views": (list_page_views, build_page_views, PAGE_VIEWS_SCHEMA, PAGE_VIEWS_KEYS),
    "features": (list_feature_use, build_feature_use, FEATURE_USE_SCHEMA, FEATURE_USE_KEYS),
}


def in_order(events):
    return sort_sessions(events.lazy(), gap_min=30, routes=ROUTES, conversions=CONVERSIONS, keep=ERRORS_LOOKED_UP)


def with_keys(found, events):
    sessions = sum_sessions(events, conversions=CONVERSIONS)
    return found.with_columns(sessions["session_key"].gather(found["session_no"]).alias("session_key"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", LISTS)
def test_lists_of_uses_are_those_of_the_portable_version(name, seed):
    fast, portable, schema, keys = LISTS[name]
    events = some_events(seed).sample(fraction=1.0, shuffle=True, seed=seed)
    tagged = build_session_events(nw.from_native(events.lazy()), gap_min=30, routes=nw.from_native(ROUTES.lazy()))
    expected = collect(portable(tagged, conversions=CONVERSIONS), schema=schema, sort_by=keys)
    ordered = in_order(events)
    found = collect(nw.from_native(with_keys(fast(ordered), ordered).lazy()), schema=schema, sort_by=keys)
    assert expected.height > 30
    assert found.write_csv() == expected.write_csv()


def events_of(*rows):
    whole = [{"event_kind": "view", "visitor_id": "v", "user_bucket": 0, **row} for row in rows]
    return in_order(conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS))


def test_list_page_visits_names_a_page_and_hour_once_though_left_in_between():
    hour_us = 3_600_000_000
    found = list_page_visits(
        events_of(
            {"time_us": hour_us, "url_path": "/", "utc_offset_min": 60},
            {"time_us": hour_us + 1, "url_path": "/cart", "utc_offset_min": 60},
            {"time_us": hour_us + 2, "url_path": "/", "utc_offset_min": 60},
            {"time_us": hour_us + 3, "url_path": None},
        )
    )
    assert sorted(found.with_columns(pl.col("route").cast(pl.String)).rows()) == [
        (0, "", -1),
        (0, "/", 2),
        (0, "/learned/{id}", 2),
    ]


def test_list_page_views_ends_with_the_conversion():
    ordered = events_of(
        {"time_us": 1, "url_path": "/"},
        {"time_us": 2, "url_path": "/pay"},
        {"time_us": 3, "event_kind": "custom", "event_name": "purchase", "url_path": "/pay"},
        {"time_us": 4, "url_path": "/"},
    )
    found = list_page_views(ordered).with_columns(pl.col("route").cast(pl.String))
    assert found.select("session_no", "view_no", "route").rows() == [(0, 1, "/"), (0, 2, "/pay")]


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_uses_of_nothing_are_empty(name):
    ordered = in_order(pl.DataFrame(schema=RUM_EVENTS.schema))
    assert LISTS[name][0](ordered).height == 0
