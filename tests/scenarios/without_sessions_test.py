"""Telemetry without sessions: a report all the same, and a sentence that says why there are no tests."""

import dataclasses

import polars as pl
import pytest

from prodintel_lib.incident_replay import describe_result, write_outputs, write_summary
from prodintel_lib.scenarios.from_findings import build_scenarios


@pytest.fixture
def replay(demo_replay):
    nobody = pl.DataFrame(
        schema={
            **dict.fromkeys(("time_us", "http_response_status_code"), pl.Int64),
            **dict.fromkeys(("session_id", "trace_id", "http_request_method", "http_route", "url_path"), pl.String),
            **dict.fromkeys(("url_query", "http_request_body", "http_response_body"), pl.String),
            "duration_ms": pl.Float64,
            "bad": pl.Boolean,
        }
    )
    scenarios = build_scenarios(demo_replay.findings, nobody)
    return dataclasses.replace(demo_replay, scenarios=scenarios, verification=None, minimal=None)


def test_build_scenarios_without_sessions_says_why_there_are_none(replay):
    assert replay.scenarios.suite is None
    assert "No failing `POST /api/orders` of a recorded session can be sent again" in replay.scenarios.reason
    assert "No test was made." in replay.scenarios._repr_html_()
    assert replay.scenarios.capsule.exemplars == ()


def test_write_outputs_without_scenarios_writes_the_rest(replay, tmp_path):
    assert set(write_outputs(replay, tmp_path).files) == {
        "capsule.json", "issue.json", "issue.md", "result.json", "summary.md",
    }  # fmt: skip
    assert describe_result(replay)["scenarios"] == []
    assert "Tests (none were made: No failing" in write_summary(replay)


def test_charts_of_nothing_are_sentences(demo_replay):
    from prodintel_lib import charts

    findings = demo_replay.findings
    quiet = dataclasses.replace(findings.differences, rows=())
    nothing = dataclasses.replace(
        findings,
        differences=quiet,
        red=findings.red.with_columns(failed=pl.lit(0, dtype=pl.Int64)),
        service_map=dataclasses.replace(findings.service_map, edges=findings.service_map.edges.clear()),
        blast=dataclasses.replace(findings.blast, routes=findings.blast.routes.with_columns(bad=pl.lit(0))),
    )
    for said in (
        charts.plot_paths(None),
        charts.plot_differences(quiet),
        charts.plot_metrics(nothing, demo_replay.points),
        charts.plot_spread(nothing),
        charts.plot_service_map(nothing.service_map),
        charts.plot_blast_radius(nothing.blast),
    ):
        assert "<p" in said._repr_html_()
        assert repr(said).endswith((".", ")."))
