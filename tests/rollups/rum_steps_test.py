import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_sessions import STEPS_SCHEMA, build_session_events, build_steps
from prodintel_lib.tables import RUM_EVENTS, conform

S = 1_000_000


def steps(*rows, conversions=("purchase",)):
    whole = [
        {"event_kind": "view", "visitor_id": "v", "user_bucket": 0, "device_type": "mobile", **row} for row in rows
    ]
    events = nw.from_native(conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS).lazy())
    tagged = build_session_events(events, gap_min=30)
    return collect(
        build_steps(tagged, conversions=conversions), schema=STEPS_SCHEMA, sort_by=["session_key", "step_no"]
    )


def click(time_us, target="pay", **more):
    return {"time_us": time_us, "event_kind": "action", "action_type": "click", "target_test_id": target, **more}


def test_build_steps_lists_steps_in_order_with_dwell_and_exit():
    found = steps(
        {"time_us": 0, "url_path": "/", "duration_ms": 800.0},
        {"time_us": 2 * S, "url_path": "/", "duration_ms": 1200.0},
        {"time_us": 10 * S, "url_path": "/cart", "device_type": None},
        {"time_us": 13 * S, "event_kind": "action", "action_type": "scroll"},
    )
    columns = ("step_no", "route", "next_route", "dwell_s", "load_ms", "dropped", "device_type", "entry_route")
    assert found.select(columns).rows() == [
        (1, "/", "/cart", 10.0, 1200.0, False, "mobile", "/"),
        (2, "/cart", None, 3.0, None, True, "mobile", "/"),
    ]


def test_build_steps_counts_what_went_wrong_and_when_first():
    found = steps(
        {"time_us": 0, "url_path": "/pay"},
        {"time_us": 1 * S, "event_kind": "error", "error_source": "validation"},
        {"time_us": 2 * S, "event_kind": "error", "error_source": "exception"},
        {"time_us": 3 * S, "event_kind": "error"},
        {"time_us": 4 * S, "event_kind": "request", "http_response_status_code": 399},
        {"time_us": 5 * S, "event_kind": "request", "http_response_status_code": 400},
        {"time_us": 6 * S, "event_kind": "request", "error_type": "timeout"},
    )
    assert found.select("errors", "validation_errors", "failed_requests").rows() == [(2, 1, 2)]
    assert found.select("error_after_s", "validation_error_after_s", "failed_request_after_s").rows() == [
        (2.0, 1.0, 5.0)
    ]


def test_build_steps_takes_vitals_from_the_view_and_its_vital_events():
    found = steps(
        {"time_us": 0, "url_path": "/", "view_id": "1", "ttfb_ms": 90.0},
        {"time_us": 1 * S, "url_path": "/b", "view_id": "2", "lcp_ms": 700.0},
        {"time_us": 2 * S, "event_kind": "vital", "view_id": "1", "lcp_ms": 4100.0},
        {"time_us": 3 * S, "event_kind": "vital", "view_id": "1", "cls_score": 0.3},
    )
    assert found.select("lcp_ms", "ttfb_ms", "cls_score").rows() == [(4100.0, 90.0, 0.3), (700.0, None, None)]


def test_build_steps_counts_bursts_of_clicks_on_one_target():
    view = {"time_us": 0, "url_path": "/"}
    three = [click(S), click(S + 400_000), click(S + 800_000)]
    assert steps(view, *three).select("rage_clicks", "rage_click_after_s").rows() == [(1, 1.8)]
    assert steps(view, *three, click(S + 900_000))["rage_clicks"].to_list() == [1]
    again = [click(row["time_us"] + 5 * S) for row in three]
    assert steps(view, *three, *again)["rage_clicks"].to_list() == [2]
    assert steps(view, click(S), click(S), click(2 * S + 1))["rage_clicks"].to_list() == [0]
    assert steps(view, click(S), click(S), click(S, "other"))["rage_clicks"].to_list() == [0]
    assert steps(view, *(click(S, None) for _ in range(3)))["rage_clicks"].to_list() == [0]


def test_build_steps_knows_a_return_to_the_page_before_the_last():
    found = steps(*({"time_us": at * S, "url_path": path} for at, path in enumerate(["/a", "/b", "/a", "/c", "/b"])))
    assert found["is_return"].to_list() == [False, False, True, False, False]


def test_build_steps_after_a_conversion_nobody_drops():
    found = steps(
        {"time_us": 0, "url_path": "/pay"},
        {"time_us": 1 * S, "event_kind": "custom", "event_name": "purchase"},
        {"time_us": 2 * S, "url_path": "/thanks"},
    )
    assert found.select("route", "at_risk", "dropped").rows() == [("/pay", True, False), ("/thanks", False, False)]


def test_build_steps_the_page_that_is_the_conversion_is_not_at_risk():
    rows = ({"time_us": 0, "url_path": "/pay"}, {"time_us": 2 * S, "url_path": "/thanks"})
    assert steps(*rows, conversions=["/thanks"])["at_risk"].to_list() == [True, False]


def test_build_steps_without_named_conversions_every_session_ends_in_a_drop():
    rows = ({"time_us": 0, "url_path": "/a"}, {"time_us": 1, "url_path": "/b"})
    assert steps(*rows, conversions=()).select("at_risk", "dropped").rows() == [(True, False), (True, True)]
