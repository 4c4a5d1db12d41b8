"""The first incident, replayed from its recording: what an analyst would hold the report to."""

import json

import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.errors import ParameterError
from prodintel_lib.incident_replay import replay_incident, write_outputs, write_summary
from prodintel_lib.scenarios.capsule import Capsule
from prodintel_lib.scenarios.model import Suite
from prodintel_lib.windows import parse_time
from prodintel_lib.workspace import open_workspace

INCIDENT = "INC-2024-1234"


@pytest.fixture(scope="session")
def truth(demo_workspace):
    """When the condition was really on: the recorder wrote it down, the analysis never reads it."""
    phases = json.loads((demo_workspace / "recordings" / f"{INCIDENT}.json").read_text())["phases"]
    return {phase["name"]: (parse_time(phase["start"]), parse_time(phase["end"])) for phase in phases}


def test_replay_finds_the_onset_within_five_seconds_of_the_condition(demo_replay, truth):
    window = demo_replay.findings.onset.window
    start_us, end_us = truth["condition"]
    assert abs(window.start_us - start_us) < 5_000_000
    assert abs(window.end_us - end_us) < 10_000_000
    assert demo_replay.findings.onset.how == "observed"


def test_replay_finds_the_fault_at_the_end_of_the_chain(demo_replay):
    condition = demo_replay.scenarios.suite.scenarios[0].conditions[0]
    assert (condition.dependency, condition.latency_ms) == ("card-processor", pytest.approx(30_000, rel=0.02))
    assert condition.rate == pytest.approx(0.45, abs=0.02)


def test_replay_shows_the_bottleneck_and_the_pool_run_dry(demo_replay):
    findings = demo_replay.findings
    assert findings.path.bottleneck == "payment → card-processor"
    pool = next(row for row in findings.differences.of("connections") if row.notable and row.limit)
    assert (pool.subject, pool.limit) == ("payment", 10)
    assert pool.incident > 9


def test_replay_ranks_the_release_that_broke_it_first_and_says_what_speaks_against_it(demo_replay):
    ranked = demo_replay.findings.causes.ranked
    assert ranked[0].subject == "deployment of payment 2.4.2"
    assert ranked[0].evidence_against
    assert {cause.kind for cause in ranked} >= {"change", "dependency", "cannot_tell"}
    assert sum(cause.score for cause in ranked) == pytest.approx(1)
    assert "orders 3.9.3" not in str([cause.subject for cause in ranked]), "that deployment failed: it changed nothing"


def test_replay_names_pages_that_failed_without_needing_the_processor(demo_replay):
    findings = demo_replay.findings
    assert findings.subject_route == "POST /api/orders"
    assert findings.collateral_route == "GET /api/products/{product_id}"


def test_replay_counts_have_denominators_that_add_up(demo_replay):
    blast, signatures = demo_replay.findings.blast, demo_replay.findings.signatures
    assert int(blast.routes["requests"].sum()) == blast.requests.n
    assert int(blast.routes["bad"].sum()) == blast.requests.hits == signatures.bad_requests
    assert int(signatures.groups["requests"].sum()) == signatures.bad_requests


def test_replay_is_the_same_on_duckdb(demo_workspace, demo_replay):
    other = replay_incident(demo_workspace, INCIDENT, engine="duckdb")
    assert other.scenarios == demo_replay.scenarios
    assert other.findings.blast.routes.equals(demo_replay.findings.blast.routes)
    assert other.findings.differences.rows == demo_replay.findings.differences.rows


def test_replay_of_an_unknown_incident_names_the_nearest(demo_workspace):
    with pytest.raises(ParameterError, match="did you mean `INC-2024-1234`"):
        replay_incident(demo_workspace, "INC-2024-1243")


def test_write_outputs_writes_what_can_be_read_back(demo_replay, tmp_path):
    written = write_outputs(demo_replay, tmp_path)
    assert set(written.files) == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    capsule = Capsule.model_validate_json((tmp_path / "capsule.json").read_bytes())
    assert capsule == demo_replay.scenarios.capsule
    assert (
        Suite.model_validate_json((tmp_path / "tests" / "scenarios.json").read_bytes()) == demo_replay.scenarios.suite
    )
    assert json.loads((tmp_path / "result.json").read_text())["window"]["how"] == "observed"


def test_write_outputs_twice_gives_the_same_bytes(demo_workspace, demo_replay, tmp_path):
    again = replay_incident(demo_workspace, INCIDENT)
    for name, replay in (("one", demo_replay), ("two", again)):
        write_outputs(replay, tmp_path / name)
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes(), path.name


def test_write_outputs_holds_no_user_or_session_of_production(demo_replay, demo_workspace, tmp_path):
    write_outputs(demo_replay, tmp_path)
    spans = open_workspace(demo_workspace).scan("spans").select("user_id", "session_id", "service_name")
    people = collect(spans, schema=dict.fromkeys(("user_id", "session_id"), pl.String()), sort_by=["user_id"])
    known = [value for value in pl.concat([people["user_id"], people["session_id"]]).drop_nulls().unique() if value]
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode()
    assert known
    assert [value for value in known if value in everything] == []


def test_capsule_marks_every_field_and_its_fidelity_adds_up(demo_replay):
    capsule = demo_replay.scenarios.capsule
    fields = list(capsule.fields_known())
    assert sum(capsule.counts.values()) == len(fields) > 50
    assert all(field.evidence for field in fields)
    expected = (capsule.counts["observed"] + 0.5 * capsule.counts["inferred"]) / len(fields)
    assert capsule.fidelity == pytest.approx(expected, abs=0.001)


def test_summary_keeps_markup_of_production_out(demo_replay):
    text = write_summary(demo_replay)
    assert "POST /api/orders" in text
    assert "GET /api/products/{product\\_id}" in text
