"""Errors from end to end on the demo, and as a person asks for them."""

import json
import re

import polars as pl
import pytest
from click.testing import CliRunner

from prodintel_lib.analyses.telemetry import choose_window, open_view
from prodintel_lib.cli import main
from prodintel_lib.error_correlation import ErrorWish, choose_patterns, explore_errors, find_patterns, write_outputs
from prodintel_lib.errors import NoDataError, ParameterError, SourceFormatError
from prodintel_lib.lake_notes import PATTERNS, read_note, write_note
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

WEEK = "2026-11-15T00:00/2026-11-22T00:00"
DAY = "2026-11-19T00:00/2026-11-20T00:00"


@pytest.fixture(scope="module")
def week(demo_workspace):
    return explore_errors(demo_workspace, ErrorWish())


def test_explore_errors_takes_the_last_week_that_has_rows(week):
    assert week.patterns.window == Window.parse(WEEK)
    assert week.patterns.baseline == Window.parse("2026-11-08T00:00/2026-11-15T00:00")


def test_explore_errors_makes_one_suite_of_the_patterns_of_one_route(week):
    routes = {suite.name: {scenario.symptom.route for scenario in suite.scenarios} for suite in week.tests.suites}
    assert sorted(next(iter(held)) for held in routes.values()) == [
        "GET /api/home",
        "GET /api/orders/{order_id}",
        "GET /api/products/{product_id}",
        "GET /api/search",
        "POST /api/orders",
    ]
    assert all(len(held) == 1 for held in routes.values())
    assert [scenario.title for scenario in week.browser.scenarios] == ["TypeError does not occur on /product/{id}"]


def test_explore_errors_tests_the_routes_that_only_wait_for_another_by_that_other(week):
    """Its own requests alone would not bring the failure about."""
    titles = {title for suite in week.tests.suites for title in (scenario.title for scenario in suite.scenarios)}
    assert "GET /api/orders/{order_id} stays healthy while POST /api/orders waits" in titles
    assert "GET /api/products/{product_id} stays healthy while POST /api/orders waits" in titles


def test_explore_errors_compares_with_the_time_before_to_find_what_an_error_began_with(demo_workspace):
    found = explore_errors(demo_workspace, ErrorWish("2026-11-19T11:05:07/2026-11-19T11:08:00", top=0))
    began = found.correlations.began_with.select("label", "change_label", "verdict", "onset_after_s")
    assert [(row[0].split(":")[0], *row[1:]) for row in began.rows()] == [
        ("TypeError in _described preferences.py", "deployment of auth 3.4.0", "began with it", 3.0)
    ]


def test_explore_errors_holds_a_slow_dependency_and_its_error_apart(week):
    pair = next(
        one for one in week.pairs.found if "card-processor" in one.second and one.first.startswith("ReadTimeout")
    )
    assert "post_api_orders_is_answered_while_card_processor_hangs" in pair.scenarios


def test_explore_errors_correlates_roots_only(week):
    followers = set(week.patterns.frame.filter(pl.col("follows") != "")["pattern_id"])
    assert followers
    pairs = week.correlations.pairs
    assert followers & ({*pairs["first"], *pairs["second"]}) == set()


def test_choose_patterns_takes_roots_that_may_be_bugs_and_no_browser_errors(week):
    chosen = choose_patterns(week.patterns, 100)
    rows = week.patterns.frame.filter(pl.col("pattern_id").is_in(chosen))
    assert set(rows["class"]) <= {"bug", "unclear"}
    assert set(rows["follows"]) == {""}
    assert "browser" not in set(rows["origin"])
    assert choose_patterns(week.patterns, 2) == chosen[:2]


def test_write_outputs_leaves_a_suite_a_folder_and_what_programs_need(week, tmp_path):
    written = write_outputs(week, tmp_path)
    folders = {name.split("/")[1] for name in written.files if name.startswith("tests/")}
    assert folders == {*(suite.name for suite in week.tests.suites), "browser"}
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["schema"] == "prodintel/error_correlation/1"
    assert {each["folder"] for each in result["tests"]} == {f"tests/{suite.name}" for suite in week.tests.suites}
    assert all((tmp_path / name).is_file() for name in written.files)
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("# Errors of demo")
    assert "What goes together" in summary


def test_explore_errors_of_a_quiet_workspace_says_so_in_every_part(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: quiet\nsources: [{path: app.ndjson}]\n", encoding="utf-8")
    lines = [
        {"time": f"2026-01-01T10:{minute:02}:00Z", "level": "info", "message": f"order {minute} done", "service": "pay"}
        for minute in range(60)
    ]
    (tmp_path / "app.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = explore_errors(tmp_path, ErrorWish("1d"))

    assert found.patterns.frame.is_empty()
    assert found.headline.title == "No error was recorded"
    assert found.tests.suites == ()
    shown = (
        found.patterns, found.stacks, found.hot_spots, found.places, found.correlations, found.correlations.began,
        found.correlations.hypotheses, found.one_release, found.tests, found.pairs, found.browser,
    )  # fmt: skip
    assert all(part._repr_html_() for part in shown)
    written = write_outputs(found, tmp_path / "run")
    assert written.files == ("result.json", "summary.md")


def test_explore_errors_of_nothing_says_what_to_add(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: w\nsources: [{path: a.csv}]\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("id,title,started\nINC-1,t,2025-01-01T00:00:00Z\n", encoding="utf-8")
    with pytest.raises(NoDataError, match=r"has no logs or spans or rum_events.*\nHint: add an export"):
        explore_errors(tmp_path)


def test_find_patterns_remembers_only_when_asked(demo_workspace, tmp_path):
    workspace = open_workspace(demo_workspace)
    view = open_view(workspace)
    assert read_note(workspace.lake, PATTERNS) is None
    find_patterns(view, ErrorWish(DAY))
    assert read_note(workspace.lake, PATTERNS) is None
    try:
        find_patterns(view, ErrorWish("2026-11-11T00:00/2026-11-12T00:00", remember=True))
        later = find_patterns(view, ErrorWish("2026-11-19T00:00/2026-11-20T00:00", remember=True))
        known = read_note(workspace.lake, PATTERNS)
        assert {"UnicodeEncodeError", "NoneType"} <= set(re.findall(r"[A-Za-z]+", known.decode()))
        assert later.frame.height > 0
        write_note(workspace.lake, PATTERNS, b"{")
        with pytest.raises(SourceFormatError, match=r"cannot be read.*\nHint: remove notes/patterns.json"):
            find_patterns(view, ErrorWish(DAY, remember=True))
    finally:
        (workspace.lake.folder / "notes" / PATTERNS).unlink()


def test_choose_window_looks_at_every_table_that_may_hold_errors(demo_workspace):
    view = open_view(open_workspace(demo_workspace))
    assert choose_window(view, "2d", tables=("rum_events",)).end_us == Window.parse(WEEK).end_us
    with pytest.raises(NoDataError, match=r"has no exposures or alerts|has no exposures"):
        choose_window(view, "2d", tables=("exposures",))
    with pytest.raises(ParameterError, match="`soon` is not a length of time"):
        choose_window(view, "soon", tables=("logs",))


def test_find_patterns_refuses_what_cannot_be_meant(demo_workspace):
    view = open_view(open_workspace(demo_workspace))
    with pytest.raises(ParameterError, match="`min_occurrences` is at least 1"):
        find_patterns(view, ErrorWish(DAY, min_occurrences=0))


def test_errors_leaves_a_report_and_says_what_to_look_at_next(demo_workspace, tmp_path):
    command = ["errors", "--workspace", str(demo_workspace), "--window", DAY, "--reports", str(tmp_path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "error_correlation" / "2026-11-19_2026-11-19"
    assert {"report.html", "result.json", "summary.md", "notebook.ipynb", "run.json", "tests"} == {
        path.name for path in folder.iterdir()
    }
    assert (folder / "report.html").stat().st_size < 5_000_000
    first = json.loads((folder / "result.json").read_text())["patterns"][0]["pattern_id"]
    assert f"prodintel error {first} --window 2026-11-19T00:00/2026-11-20T00:00" in done.output
    (open_workspace(demo_workspace).lake.folder / "notes" / PATTERNS).unlink()


def test_error_shows_one_pattern_and_writes_its_test(demo_workspace, tmp_path):
    patterns = find_patterns(open_view(open_workspace(demo_workspace)), ErrorWish(DAY))
    name = patterns.frame["pattern_id"][0]
    command = ["error", name, "--workspace", str(demo_workspace), "--window", DAY, "--output", str(tmp_path / "t")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert "bug: TypeError thrown in _described preferences.py" in done.output
    assert "release   3.4.0: 100 %" in done.output
    assert (tmp_path / "t" / "conftest.py").is_file()


def test_error_names_the_nearest_pattern(demo_workspace):
    patterns = find_patterns(open_view(open_workspace(demo_workspace)), ErrorWish(DAY))
    name = patterns.frame["pattern_id"][0]
    wrong = name[:-1] + ("0" if name[-1] != "0" else "1")
    done = CliRunner().invoke(main, ["error", wrong, "--workspace", str(demo_workspace), "--window", DAY])
    assert done.exit_code == 2
    assert f"did you mean `{name}`?" in done.output
