from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.production import gather, gather_production
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA
from prodintel_lib.rollups.request_bins import REQUEST_BINS_SCHEMA
from prodintel_lib.rollups.request_failures import REQUEST_FAILURES_SCHEMA
from prodintel_lib.rollups.rum_buckets import RUM_BUCKETS_SCHEMA
from prodintel_lib.windows import Window

S = 1_000_000
DAY = 86_400 * S
START = 2 * DAY
WINDOW = Window(START, START + DAY)


def span(number, at_s, **row):
    return {
        "time_us": START + round(at_s * S),
        "duration_ms": 10.0,
        "trace_id": f"t{number}",
        "span_id": f"s{number}",
        "span_kind": "server",
        "service_name": "shop",
        "http_request_method": "GET",
        "http_route": "/",
        **row,
    }


def test_gather_production_counts_everything_in_buckets(view_of):
    spans = [
        span(1, 0, http_response_status_code=503),
        span(2, 12, duration_ms=30.0),
        span(3, 12, trace_id="t2", span_id="c", parent_span_id="s2", span_kind="client", peer_service="cards"),
        span(4, -DAY / S + 5),
        span(5, 12, trace_id="t2", parent_span_id="s2", service_name="pay"),
    ]
    logs = [{"time_us": START + 11 * S, "service_name": "shop", "severity_number": 17, "body": "no"}]
    metrics = [
        {"time_us": START + 25 * S, "metric_name": "used", "metric_kind": "gauge", "service_name": "shop", "value": 2.0}
    ]
    changes = [
        {"time_us": START - hours * 3600 * S, "source": "ci", "change_id": str(hours), "change_kind": "deployment"}
        for hours in (1, 23, 25)
    ]
    incidents = [
        {"time_us": START - days * DAY, "end_time_us": end_us, "source": "pager", "incident_id": f"{days} days before"}
        for days, end_us in ((0, None), (1, START), (29, None))
    ]
    view = view_of(spans=spans, logs=logs, metrics=metrics, changes=changes, incidents=incidents)
    assert gather_production(view, window=WINDOW).bucket_s == 60, "hardly a span in ten seconds"
    production = gather_production(view, window=WINDOW, bucket_s=10)
    assert (production.window, production.history) == (WINDOW, Window(START - 28 * DAY, START))
    assert (production.bucket_s, production.visit_bucket_s) == (10, 0)
    asked = production.requests.filter(pl.col("service_name") == "shop")
    assert asked.select("bucket_us", "route", "requests", "failed", "over_limit").rows() == [
        (START - DAY, "GET /", 1, 0, 0),
        (START, "GET /", 1, 1, 0),
        (START + 10 * S, "GET /", 1, 0, 1),
    ]
    assert production.failures.select("bucket_us", "status", "requests").rows() == [(START, 503, 1)]
    assert production.log_levels.rows() == [(START + 10 * S, "shop", 1, 0, 1)]
    assert production.metrics.select("bucket_us", "metric_name", "last").rows() == [(START + 20 * S, "used", 2.0)]
    assert production.calls.rows() == [("shop", "cards", 1, 0), ("shop", "pay", 1, 0)]
    assert production.changes["change_id"].to_list() == ["23", "1"]
    assert production.incidents["incident_id"].to_list() == ["1 days before", "0 days before"]
    assert production.limits_ms == {"GET /": 20.0}
    assert production.recorded_us.tolist() == [START - DAY, START, START + 10 * S, START + 20 * S]
    assert production.recorded(production.history).tolist() == [START - DAY]
    assert len(production.buckets(WINDOW)) == 8640


def test_gather_production_has_the_frames_of_the_rollups(view_of):
    production = gather_production(view_of(spans=[span(1, 0)]), window=WINDOW)
    for frame, schema in (
        (production.requests, REQUEST_BINS_SCHEMA),
        (production.failures, REQUEST_FAILURES_SCHEMA),
        (production.metrics, METRIC_BUCKETS_SCHEMA),
        (production.log_levels, LOG_LEVELS_SCHEMA),
        (production.visits, RUM_BUCKETS_SCHEMA),
    ):
        assert dict(frame.schema) == schema


def test_gather_production_is_the_same_in_parts_and_on_another_engine(view_of, monkeypatch):
    spans = [span(number, 7 * number, parent_span_id="gone" if number % 3 else None) for number in range(300)]
    hits = {"metric_kind": "sum", "is_monotonic": True, "temporality": "cumulative", "metric_name": "hits"}
    metrics = [{"time_us": START + number * 9 * S, **hits, "value": float(number)} for number in range(200)]
    view = view_of(spans=spans, metrics=metrics)
    whole = gather_production(view, window=WINDOW)
    on_duckdb = gather_production(replace(view, engine="duckdb"), window=WINDOW)
    monkeypatch.setattr(gather, "ROWS_AT_ONCE", 50)
    cut = gather_production(view, window=WINDOW)
    for other in (on_duckdb, cut):
        assert other.requests.equals(whole.requests)
        assert other.metrics.sort("bucket_us").equals(whole.metrics.sort("bucket_us"))
        assert other.digest == whole.digest
        assert (other.recorded_us == whole.recorded_us).all()
    assert whole.requests["requests"].sum() == 300
    assert whole.metrics["n"].sum() == 199


def test_gather_production_sets_wrong_clocks_right(view_of):
    pairs = []
    for number in range(40):
        pairs += [
            span(number, number, span_id=f"c{number}", span_kind="client", duration_ms=20.0, service_name="web"),
            span(number, number + 60, span_id=f"a{number}", parent_span_id=f"c{number}", service_name="pay"),
        ]
    production = gather_production(view_of(spans=pairs), window=WINDOW)
    answered = production.requests.filter(pl.col("service_name") == "pay")
    assert answered["bucket_us"].unique().sort().to_list() == [START + 10 * S * number for number in range(4)]


def test_gather_production_replaces_people(view_of):
    rows = [span(1, 0, http_route="/mail/ann.lee@web.de", attributes='{"user.region":"ann.lee@web.de"}')]
    production = gather_production(view_of(spans=rows), window=WINDOW)
    assert "ann.lee" not in production.requests.write_csv()
    assert production.requests.height == 1


def visit(visitor, at_s, **row):
    return {"time_us": START + at_s * S, "event_kind": "view", "visitor_id": visitor, "url_path": "/", **row}


def test_gather_production_counts_visits_that_are_over(view_of):
    events = [
        visit("a", 0),
        visit("a", 60, event_kind="custom", event_name="purchase"),
        visit("b", 30),
        visit("b", 40, event_kind="error", error_source="exception"),
        # Half an hour later: whoever was there after ten minutes may still be.
        visit("c", 660),
        visit("d", 2400),
    ]
    production = gather_production(view_of(rum_events=events), window=WINDOW)
    assert (production.bucket_s, production.visit_bucket_s) == (10, 3600)
    assert production.visits.rows() == [(START, "/", 2, 1, 4, 1)]
    assert production.recorded_us.tolist() == [START]


def test_gather_production_wants_something_in_the_window(view_of):
    view = view_of(spans=[span(1, 0)])
    with pytest.raises(NoDataError, match="Nothing was recorded in 1970-01-05"):
        gather_production(view, window=Window(4 * DAY, 5 * DAY))


@pytest.mark.parametrize(("wrong", "said"), [({"history_days": 0}, "it is 0 days"), ({"bucket_s": 0}, "it is 0 s")])
def test_gather_production_refuses_lengths_of_nothing(view_of, wrong, said):
    with pytest.raises(ParameterError, match=said):
        gather_production(view_of(spans=[span(1, 0)]), window=WINDOW, **wrong)


def test_gather_production_takes_the_width_that_is_asked_for(view_of):
    view = view_of(spans=[span(1, 0), span(2, 65), span(3, 130)])
    production = gather_production(view, window=WINDOW, bucket_s=60, limits_ms={"GET /": 5.0})
    assert production.requests.select("bucket_us", "requests", "over_limit").rows() == [
        (START, 1, 1),
        (START + 60 * S, 1, 1),
        (START + 120 * S, 1, 1),
    ]
    assert np.diff(production.recorded_us).tolist() == [60 * S, 60 * S]
