import polars as pl

from prodintel_lib.rollups.rum_sorted import sort_sessions
from prodintel_lib.rollups.rum_sorted_sessions import sum_sessions, sum_steps
from prodintel_lib.tables import RUM_EVENTS, conform


def steps_of(*rows):
    whole = [{"visitor_id": "v", "user_bucket": 0, **row} for row in rows]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    events = sort_sessions(
        frame.lazy(), gap_min=30, routes=pl.DataFrame(schema={"url_path": pl.String, "route": pl.String})
    )
    return sum_steps(events, sum_sessions(events, conversions=()))


def click(time_us, name):
    return {"time_us": time_us, "event_kind": "action", "action_type": "click", "target_test_id": name}


def test_sum_steps_counts_a_burst_on_one_target_though_another_was_clicked_in_between():
    view = {"time_us": 0, "event_kind": "view", "url_path": "/"}
    burst = [click(100_000, "buy"), click(200_000, "help"), click(500_000, "buy"), click(900_000, "buy")]
    later = [click(5_000_000, "buy"), click(5_800_000, "buy"), click(6_100_000, "buy")]
    found = steps_of(view, *burst, *later)
    assert found.select("rage_clicks", "rage_click_after_s").rows() == [(1, 0.9)]
