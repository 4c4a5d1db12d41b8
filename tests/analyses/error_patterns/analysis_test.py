import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns import find_error_patterns, find_pattern_traces, passes
from prodintel_lib.analyses.error_patterns.model import FRAME_SCHEMA
from prodintel_lib.analyses.frontend_errors.patterns import name_patterns
from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.rum_errors import ERROR_TEXTS
from prodintel_lib.tables import LOGS, RUM_EVENTS, SPANS, conform
from prodintel_lib.windows import Window

sys.path.insert(0, str(Path(__file__).parent))
from breaking_shop import BASELINE, MINUTE_US, START_US, WINDOW, all_tables, make_view

PLAIN = ("frame", "buckets", "members", "contexts", "traffic")


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return make_view(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def found(view):
    return find_error_patterns(view, window=WINDOW, baseline=BASELINE)


def test_find_error_patterns_puts_the_fault_on_top_and_its_symptom_below(found):
    told = found.frame.select("origin", "service_name", "error_type", "template", "occurrences", "baseline_occurrences")
    assert told.rows() == [
        ("log", "pay", "KeyError", "'<id>'", 150, 0),
        ("log", "shop", "", "pay answered <number> to order <number>", 150, 0),
        ("span", "pay", "", "POST /charges answered 402", 15, 15),
        ("browser", "web", "ValidationError", "Check the date.", 10, 10),
        ("span", "shop", "", "POST /pay answered 402", 15, 15),
    ]
    assert dict(found.frame.schema) == FRAME_SCHEMA


def test_find_error_patterns_says_what_each_is_and_how_it_went(found):
    fault, symptom, *rest = found.frame.iter_rows(named=True)
    assert (fault["priority"], fault["class"], fault["category"], fault["trend"]) == ("P1", "bug", "code", "new")
    assert fault["top_frame"].startswith("charge ")
    assert (fault["sessions"], fault["people"], fault["bot_rows"], fault["is_exact"]) == (150, 150, 0, True)
    assert (fault["reached"], fault["reached_n"], fault["first_share"], fault["trace_share"]) == (50, 50, 1.0, 1.0)
    assert (fault["exposure"], fault["exposure_unit"], fault["recurrence"]) == (600, "requests", "first seen")
    assert fault["place"] == "release 2: 100 % of it and 50 % of the traffic, nowhere else"
    assert (symptom["class"], symptom["first_share"]) == ("unclear", 0.0)
    assert {row["priority"] for row in rest} == {"P4"}


def test_find_error_patterns_counts_as_many_errors_as_there_are(found):
    assert found.events == 150 + 150 + 10 + 15 + 15
    assert found.baseline_events == 10 + 15 + 15
    assert int(found.buckets["rows"].sum()) == found.events + found.baseline_events
    assert found.frame["first_us"].min() >= BASELINE.start_us
    assert found.bucket_s == 30


def test_find_error_patterns_leaves_out_what_is_seldom_and_says_so(view):
    few = find_error_patterns(view, window=WINDOW, baseline=BASELINE, min_occurrences=31)
    assert (few.frame.height, few.left_out, few.events) == (2, 3, 340)
    assert "3 were met fewer than 31 times" in few._repr_html_()


def test_find_error_patterns_is_the_same_in_parts(view, found, monkeypatch):
    monkeypatch.setattr(passes, "ROWS_AT_ONCE", 100)
    parts = find_error_patterns(view, window=WINDOW, baseline=BASELINE)
    assert len(parts.passes.slices) > 5
    for name in PLAIN:
        assert getattr(parts, name).write_csv() == getattr(found, name).write_csv(), name


def test_find_error_patterns_is_the_same_on_another_engine(tmp_path, found):
    other = find_error_patterns(make_view(tmp_path, engine="duckdb"), window=WINDOW, baseline=BASELINE)
    for name in ("frame", "buckets", "contexts", "traffic"):
        assert getattr(other, name).write_csv() == getattr(found, name).write_csv(), name


def test_find_error_patterns_keeps_its_ids_with_rows_in_another_order(tmp_path, found):
    shuffled = [frame.sample(fraction=1.0, shuffle=True, seed=3) for frame in all_tables()]
    other = find_error_patterns(make_view(tmp_path, shuffled), window=WINDOW, baseline=BASELINE)
    assert other.frame["pattern_id"].to_list() == found.frame["pattern_id"].to_list()


def test_find_error_patterns_of_a_quiet_time_is_a_sentence(view):
    quiet = Window(WINDOW.end_us + MINUTE_US, WINDOW.end_us + 2 * MINUTE_US)
    before = Window(WINDOW.end_us, WINDOW.end_us + MINUTE_US)
    none = find_error_patterns(view, window=quiet, baseline=before)
    assert (none.frame.height, none.events) == (0, 0)
    assert "No error was recorded in" in none._repr_html_()


def test_find_error_patterns_of_windows_that_overlap_is_refused(view):
    with pytest.raises(ParameterError, match="must not overlap the window"):
        find_error_patterns(view, window=WINDOW, baseline=Window(START_US - 1, START_US + 1))


def test_find_error_patterns_knows_from_the_catalogue_what_was_there_before(view, found):
    later = Window(START_US + 30 * MINUTE_US, WINDOW.end_us)
    between = Window(later.start_us - MINUTE_US, later.start_us)
    known = find_error_patterns(view, window=later, baseline=between, catalogue=found.templates.catalogue)
    symptom = known.row(found.frame["pattern_id"][1])
    assert symptom["recurrence"] == "recurring"
    assert "known since 2023-11-14" in symptom["recurrence_reason"]


def test_find_pattern_traces_lists_every_trace_of_a_stretch(view, found):
    fault, symptom = found.frame["pattern_id"][:2]
    stretch = Window(START_US, START_US + 10 * MINUTE_US)
    traces = find_pattern_traces(view, found, [fault], stretch)
    assert traces.columns == ["pattern_id", "trace_id", "time_us", "error_service"]
    assert traces.height == 25
    assert traces["error_service"].unique().to_list() == ["pay"]
    assert traces["time_us"].is_between(stretch.start_us, stretch.end_us, closed="left").all()
    both = find_pattern_traces(view, found, [fault, symptom], stretch)
    assert (both.height, both["trace_id"].n_unique()) == (50, 25)


def test_error_patterns_show_clients_bots_denominators_and_escape_what_was_logged(tmp_path):
    spans, logs, rum = all_tables()
    bad = logs.filter(pl.col("body").str.starts_with("pay answered")).with_columns(
        body=pl.lit("<script>alert(1)</script>")
    )
    page = find_error_patterns(make_view(tmp_path, [spans, bad, rum]), window=WINDOW, baseline=BASELINE)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "n 600" in page
    assert "met by 150 clients" in page


def test_row_of_an_unknown_pattern_names_the_nearest(found):
    known = found.frame["pattern_id"][0]
    with pytest.raises(ParameterError, match="pattern"):
        found.row(known[:-1])


def test_find_error_patterns_names_browser_errors_as_the_front_end_errors_are_named(found, view):
    texts = pl.DataFrame(
        {"error_source": ["validation"], "error_type": ["ValidationError"], "exception_message": ["Check the date."]}
    ).with_columns(exception_stacktrace=pl.lit(""), field=pl.lit(""))
    (expected,) = name_patterns(view.private.frame(texts.select(ERROR_TEXTS)))["pattern_id"]
    assert found.frame.filter(pl.col("origin") == "browser")["pattern_id"].to_list() == [expected]


def asked(path, status, *, address, agent=None, at=START_US):
    return {
        "time_us": at, "event_kind": "request", "user_bucket": 0, "visitor_id": address, "client_address": address,
        "http_request_method": "GET", "request_path": path, "http_response_status_code": status,
        "user_agent_synthetic_type": agent,
    }  # fmt: skip


def test_find_error_patterns_tells_a_scan_and_bots_from_an_outage(tmp_path):
    rum = [asked(f"/admin{word}.php", 404, address="192.0.2.9") for word in "abcdefghij"]
    rum += [asked("/report", 500, address="192.0.2.9") for _ in range(8)]
    rum += [asked("/feed", 503, address="192.0.2.77", agent="bot") for _ in range(30)]
    rum += [asked("/", 200, address=f"192.0.2.{number}") for number in range(100)]
    tables = [
        pl.DataFrame(schema=SPANS.schema),
        pl.DataFrame(schema=LOGS.schema),
        conform(pl.DataFrame(rum), RUM_EVENTS),
    ]
    found = find_error_patterns(make_view(tmp_path, tables), window=WINDOW, baseline=BASELINE).frame
    told = {row["template"]: (row["class"], row["category"], row["priority"]) for row in found.iter_rows(named=True)}
    assert told == {
        "GET answered 404": ("expected", "security", "P4"),
        "GET /report answered 500": ("unclear", "code", "P4"),
        "GET /feed answered 503": ("expected", "performance", "P4"),
    }
    feed = found.filter(pl.col("template") == "GET /feed answered 503").row(0, named=True)
    assert (feed["clients"], feed["people"], feed["bot_rows"], feed["exposure"]) == (1, 0, 30, 148)
