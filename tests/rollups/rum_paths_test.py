import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_paths import PATHS_SCHEMA, build_paths
from prodintel_lib.tables import RUM_EVENTS, conform


def test_build_paths_counts_peoples_views_without_a_template():
    view = {"time_us": 0, "event_kind": "view", "visitor_id": "v", "user_bucket": 0, "url_path": "/a"}
    rows = [
        view,
        {**view, "http_response_status_code": 404},
        {**view, "http_route": "/{x}"},
        {**view, "event_kind": "action"},
        {**view, "user_agent_synthetic_type": "bot"},
        {**view, "url_path": None},
        {**view, "url_path": "/b"},
    ]
    events = nw.from_native(conform(pl.DataFrame(rows, infer_schema_length=None), RUM_EVENTS).lazy())
    found = collect(build_paths(events), schema=PATHS_SCHEMA, sort_by=["url_path"])
    assert found.rows() == [("/a", 2, 1), ("/b", 1, 0)]
