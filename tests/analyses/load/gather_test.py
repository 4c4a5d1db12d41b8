from dataclasses import replace

import polars as pl
import pytest

from prodintel_lib.analyses.load import gather, gather_load, gather_steps, measure_profiles
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.lake import Manifest
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.tables import TABLES, conform
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

S = 1_000_000
START = 2 * 86_400 * S
WINDOW = Window(START, START + 3600 * S)


@pytest.fixture
def view_of(tmp_path):
    """Return a function that opens a lake view of short rows by table."""

    def make(**tables):
        (tmp_path / "prodintel.yaml").write_text("name: made\nsources:\n  - path: seed.csv\n", encoding="utf-8")
        (tmp_path / "seed.csv").write_text(
            "id,title,started,resolved,service\nINC-1,made,2025-01-01T00:00:00Z,2025-01-01T00:10:00Z,shop\n",
            encoding="utf-8",
        )
        workspace = open_workspace(tmp_path)
        ingest(workspace)
        manifest = workspace.lake.manifest()
        files = [
            file
            for name, rows in tables.items()
            for file in workspace.lake.write(
                TABLES[name], conform(pl.DataFrame(rows, infer_schema_length=None), TABLES[name])
            )
        ]
        entry = replace(manifest.sources["seed.csv"], files=tuple(files))
        workspace.lake.publish(Manifest(manifest.readers, {"seed.csv": entry}))
        return open_view(workspace)

    return make


def span(number, at_s, **row):
    return {
        "time_us": START + at_s * S,
        "duration_ms": 10.0,
        "trace_id": f"t{number}",
        "span_id": f"s{number}",
        "span_kind": "server",
        "service_name": "shop",
        "http_request_method": "GET",
        "http_route": "/",
        **row,
    }


def asked(at_s, path, **row):
    return {
        "time_us": START + at_s * S,
        "event_kind": "request",
        "user_bucket": 0,
        "visitor_id": "v",
        "http_request_method": "GET",
        "request_path": path,
        "attributes": '{"bytes":100}',
        **row,
    }


def test_gather_load_counts_the_entries_of_spans(view_of):
    view = view_of(
        spans=[span(1, 0), span(2, 61), span(3, 61, parent_span_id="s2", trace_id="t2", http_route="/in")],
        metrics=[{"time_us": START + 180 * S, "metric_name": "m", "metric_kind": "gauge", "value": 1.0}],
    )
    load = gather_load(view, window=WINDOW, source="spans")
    assert load.arrivals.select("bucket_us", "endpoint", "requests").rows() == [
        (START, "", 1),
        (START, "GET /", 1),
        (START + 60 * S, "", 1),
        (START + 60 * S, "GET /", 1),
    ]
    # The metric tells that the system was recorded while nobody asked for anything.
    assert ((load.recorded_us - START) // (60 * S)).tolist() == [0, 1, 2, 3]
    profiles = measure_profiles(load.arrivals, window=WINDOW, time_zone="UTC", recorded_us=load.recorded_us)
    assert profiles.recorded_s == 240


def test_gather_load_learns_the_routes_of_requests(view_of):
    view = view_of(rum_events=[asked(number, f"/orders/{10_000 + number}") for number in range(5)])
    load = gather_load(view, window=WINDOW, source="rum")
    assert load.arrivals.select("endpoint", "requests", "bytes_sum").rows() == [
        ("", 5, 500),
        ("GET /orders/{id}", 5, 500),
    ]
    assert load.sizes.select("endpoint", "direction", "requests").rows() == [
        ("GET /orders/{id}", "request", 5),
        ("GET /orders/{id}", "response", 5),
    ]
    assert load.recorded_us is None


def test_gather_load_of_parts_is_that_of_the_whole(view_of, monkeypatch):
    spans = [span(number, 7 * number, http_route=f"/{number % 3}") for number in range(400)]
    children = [
        span(f"c{number}", 7 * number + 1, trace_id=f"t{number}", parent_span_id=f"s{number}", http_route="/in")
        for number in range(400)
    ]
    view = view_of(spans=[*spans, *children])
    whole = gather_load(view, window=WINDOW, source="spans")
    monkeypatch.setattr(gather, "ROWS_AT_ONCE", 50)
    parts = gather_load(view, window=WINDOW, source="spans")
    assert whole.arrivals.filter(pl.col("endpoint") == "")["requests"].sum() == 400
    assert parts.arrivals.equals(whole.arrivals)
    assert parts.sizes.equals(whole.sizes)
    assert parts.digest == whole.digest


def test_gather_load_replaces_people(view_of):
    view = view_of(rum_events=[asked(0, "/users/jane.doe@example.com")])
    load = gather_load(view, window=WINDOW, source="rum")
    assert "jane" not in load.arrivals.write_csv() + load.sizes.write_csv()


def test_gather_load_gives_the_same_on_another_engine(view_of):
    view = view_of(rum_events=[asked(number, f"/orders/{10_000 + number}") for number in range(5)])
    polars = gather_load(view, window=WINDOW, source="rum")
    duckdb = gather_load(replace(view, engine="duckdb"), window=WINDOW, source="rum")
    assert duckdb.arrivals.equals(polars.arrivals)
    assert duckdb.digest == polars.digest


def test_gather_load_refuses_what_it_cannot_count(view_of):
    view = view_of(spans=[span(1, 0)])
    with pytest.raises(NoDataError, match="Nothing of `rum_events` was recorded in 1970-01-03"):
        gather_load(view, window=WINDOW, source="rum")
    with pytest.raises(ParameterError, match="Unknown source `logs`"):
        gather_load(view, window=WINDOW, source="logs")
    with pytest.raises(ParameterError, match="must divide a quarter of an hour; it is 40 s"):
        gather_load(view, window=WINDOW, source="spans", bucket_s=40)


def test_gather_steps_lists_the_steps_of_sessions_without_naming_anybody(view_of):
    rows = [asked(at_s, f"/orders/{10_000 + at_s}", visitor_id="jane.doe@example.com") for at_s in (0, 60, 120)]
    view = view_of(rum_events=[*rows, asked(70, "/"), asked(3000, "/", visitor_id="jane.doe@example.com")])
    routes = gather_load(view, window=WINDOW, source="rum").routes
    steps = gather_steps(view, window=WINDOW, source="rum", routes=routes)
    assert steps["session_key"].n_unique() == 3
    assert not steps["session_key"].str.contains("jane").any()
    longest = steps.filter(pl.col("step_no").max().over("session_key") == 3)
    assert longest.select("step_no", "endpoint", "gap_s").rows() == [
        (1, "GET /orders/{id}", None),
        (2, "GET /orders/{id}", 60.0),
        (3, "GET /orders/{id}", 60.0),
    ]


def test_gather_steps_of_parts_of_the_visitors_are_those_of_all(view_of, monkeypatch):
    rows = [asked(13 * number, "/", visitor_id=f"v{number % 9}", user_bucket=number % 9) for number in range(90)]
    view = view_of(rum_events=rows)
    whole = gather_steps(view, window=WINDOW, source="rum", gap_min=3)
    monkeypatch.setattr(gather, "ROWS_AT_ONCE", 20)
    assert whole.height == 90
    assert gather_steps(view, window=WINDOW, source="rum", gap_min=3).equals(whole)
