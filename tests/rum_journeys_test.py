"""The journeys from end to end on the demo's recording, and as a person asks for them."""

import json
import re

import polars as pl
import pytest
from click.testing import CliRunner

from prodintel_lib.analyses.frontend_errors.exemplars import find_error_sessions
from prodintel_lib.analyses.journeys import read_session
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.cli import main
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.rum_journeys import Wish, choose_window_of_visits, explore_journeys, write_outputs, write_summary
from prodintel_lib.scenarios.ui_from_findings import choose_journeys
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

WEEK = "2026-11-15T00:00/2026-11-22T00:00"


@pytest.fixture(scope="module")
def explored(demo_workspace):
    return explore_journeys(demo_workspace, Wish(top=4))


def test_explore_journeys_takes_the_last_days_that_have_events(demo_workspace, explored):
    assert explored.findings.window == Window.parse(WEEK)
    view = open_view(open_workspace(demo_workspace))
    assert choose_window_of_visits(view, "2d").duration_s == 2 * 86_400
    assert choose_window_of_visits(view, "2026-11-20T10:00/11:00") == Window.parse("2026-11-20T10:00/11:00")
    with pytest.raises(ParameterError, match="`soon` is not a length of time"):
        choose_window_of_visits(view, "soon")


def test_explore_journeys_of_a_workspace_without_users_says_what_to_add(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: w\nsources: [{path: a.csv}]\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("id,title,started\nINC-1,t,2025-01-01T00:00:00Z\n", encoding="utf-8")
    with pytest.raises(NoDataError, match=r"has no events of users.*\nHint: add a RUM export"):
        explore_journeys(tmp_path)


def test_explore_journeys_finds_what_the_recording_had_planted(explored):
    counts = explored.findings.counts
    assert (counts.sessions, counts.views, counts.converted) == (220, 1167, 62)
    raised = explored.findings.drop_offs.reasons.filter(verdict="raises drop-off")
    assert raised.select("route", "reason").rows() == [("/product/{id}", "error")]
    bugs = explored.experience.errors.patterns.filter(is_rare=False).filter(
        explored.experience.errors.patterns.filter(is_rare=False)["class"] == "bug"
    )
    assert [(row["page"], row["error_type"]) for row in bugs.to_dicts()] == [("/product/{id}", "TypeError")]
    assert "Safari" in bugs["place"][0]


def test_explore_journeys_walks_to_a_conversion_and_meets_the_error(explored):
    kinds = [scenario.kind for scenario in explored.tests.scenarios]
    assert kinds == ["journey"] * 4 + ["error_pattern"]
    converting = [s for s in explored.tests.scenarios if any(step.do == "expect_conversion" for step in s.steps)]
    assert len(converting) == 2, "half of the places are for journeys that convert"
    assert explored.tests.left_out == ()


def test_explore_journeys_holds_pages_to_the_vitals_of_production(explored):
    held = [step for scenario in explored.tests.scenarios for step in scenario.steps if step.do == "expect_vitals"]
    assert {"/", "/product/{id}"} <= {step.route for step in held}


def test_explore_journeys_counts_versions_by_their_first_number(explored):
    rows = explored.findings.counts.breakdown.filter(attribute="browser version")
    assert rows["sessions"].sum() == 220
    assert [value for value in rows["value"] if not re.fullmatch(r"[A-Z][a-z]+ [0-9]+", value)] == []


def test_find_error_sessions_gives_those_who_met_it_and_those_on_the_page_who_met_nothing(demo_workspace, explored):
    view = open_view(open_workspace(demo_workspace))
    passes = open_passes(view, window=explored.findings.window, conversions=("purchase",), gap_min=30.0)
    pattern = explored.experience.errors.patterns.filter(error_type="TypeError", is_rare=False)
    found = find_error_sessions(passes, pattern, most=2)[pattern["pattern_id"][0]]
    assert (len(found.met), len(found.healthy)) == (2, 2)
    for name in found.met:
        messages = read_session(view, name).events["exception_message"].drop_nulls()
        assert any("toFixed" in message for message in messages)
    for name in found.healthy:
        events = read_session(view, name, routes=passes.routes).events
        assert events.filter(event_kind="error").is_empty()
        assert "/product/{id}" in events["route"].to_list()


def test_choose_journeys_keeps_half_of_the_places_for_those_that_convert():
    rows = [("a", "/", 1, 90, 0), ("b", "/ > /p", 2, 80, 0), ("c", "/ > /q", 2, 70, 0), ("d", "/p > /ok", 2, 5, 5)]
    frame = pl.DataFrame(rows, schema=["journey_id", "path", "steps", "sessions", "converted"], orient="row")
    shares = frame.with_columns((pl.col("sessions") / 245).alias("share"))
    assert choose_journeys(shares, top=2, min_frequency=0.0)["journey_id"].to_list() == ["d", "b"]
    assert choose_journeys(shares, top=2, min_frequency=0.1)["journey_id"].to_list() == ["b", "c"]


def test_explore_journeys_makes_tests_of_frequent_journeys_only_where_that_is_asked(demo_workspace):
    few = explore_journeys(demo_workspace, Wish(top=4, min_frequency=0.07))
    shares = few.findings.journeys.frame.filter(few.findings.journeys.frame["share"] >= 0.07)
    walked = shares.filter(shares["steps"] > 1).height
    assert [s.kind for s in few.tests.scenarios].count("journey") == walked
    assert 0 < walked < 4


def test_explore_journeys_of_a_feature_keeps_its_sessions(demo_workspace):
    some = explore_journeys(demo_workspace, Wish(feature="/cart"))
    assert 0 < some.findings.journeys.sessions < 220
    assert all("/cart" in path for path in some.findings.journeys.frame["path"])
    with pytest.raises(NoDataError, match="None of the 220 sessions saw a page whose route holds `/nowhere`"):
        explore_journeys(demo_workspace, Wish(feature="/nowhere"))


def test_write_outputs_twice_gives_the_same_bytes(explored, demo_workspace, tmp_path):
    first = write_outputs(explored, tmp_path / "a")
    second = write_outputs(explore_journeys(demo_workspace, Wish(top=4)), tmp_path / "b")
    assert first.files == second.files
    assert {"result.json", "summary.md", "tests/scenarios.json"} <= set(first.files)
    for name in first.files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_write_outputs_holds_no_visitor_or_session_of_production(explored, demo_workspace, tmp_path):
    rows = open_workspace(demo_workspace).scan("rum_events").collect().to_native()
    known = {value for name in ("visitor_id", "session_id", "user_id") for value in rows[name].drop_nulls().unique()}
    assert len(known) > 200
    files = write_outputs(explored, tmp_path).files
    written = "".join((tmp_path / name).read_text(encoding="utf-8") for name in files)
    written += explored.findings.exemplars._repr_html_() + explored.session._repr_html_()
    assert [value for value in known if value in written] == []


def test_summary_says_the_journeys_with_their_intervals(explored):
    summary = write_summary(explored)
    assert re.search(r"- /product/\{id\}: 11\.4 % \(7\.\d to 16\.\d\) of 220; ", summary)
    assert "Tests: 5 made, 0 could not be." in summary


def test_journeys_command_leaves_a_run_with_report_and_tests(demo_workspace, tmp_path):
    done = CliRunner().invoke(
        main, ["journeys", "--workspace", str(demo_workspace), "--reports", str(tmp_path), "--days", "7"]
    )
    assert done.exit_code == 0, done.output
    folder = tmp_path / "rum_journeys" / "2026-11-15_2026-11-21"
    assert {path.name for path in folder.iterdir()} == {
        "notebook.ipynb", "report.html", "result.json", "run.json", "summary.md", "tests",
    }  # fmt: skip
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["counts"]["sessions"] == 220
    assert "An error on /product/{id} ends about 27 of 220 sessions" in done.output


def test_journey_tests_command_writes_the_tests_alone(demo_workspace, tmp_path):
    folder = tmp_path / "tests"
    done = CliRunner().invoke(
        main, ["journey-tests", "--workspace", str(demo_workspace), "--output", str(folder), "--top", "2"]
    )
    assert done.exit_code == 0, done.output
    assert {path.name for path in folder.iterdir()} == {"README.md", "python", "scenarios.json", "typescript"}
    assert "P0  typeerror_product_id" in done.output


def test_session_command_tells_a_session_event_by_event(demo_workspace, explored):
    name = explored.session.session
    done = CliRunner().invoke(main, ["session", name, "--workspace", str(demo_workspace)])
    assert done.exit_code == 0, done.output
    assert f"Session {name}: {explored.session.events.height} events" in done.output
    assert re.search(r"action +/category/\w+ +click link ", done.output)
    missing = CliRunner().invoke(main, ["session", "nobody", "--workspace", str(demo_workspace)])
    assert (missing.exit_code, "There is no session `nobody`" in missing.output) == (2, True)
