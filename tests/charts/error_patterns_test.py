"""The charts of error patterns: what they draw is what the result says."""

import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns import find_error_patterns
from prodintel_lib.charts.error_patterns import MAX_MARKS, plot_error_course, plot_error_patterns, plot_error_places
from prodintel_lib.markup import Note
from prodintel_lib.tables import CHANGES, conform
from prodintel_lib.windows import Window

sys.path.insert(0, str(Path(__file__).parents[1] / "analyses" / "error_patterns"))
from breaking_shop import BASELINE, MINUTE_US, START_US, WINDOW, make_view


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return make_view(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def found(view):
    return find_error_patterns(view, window=WINDOW, baseline=BASELINE)


def data_of(chart, column):
    """Return the rows of the data set of a chart that has a column."""
    return next(rows for rows in chart.to_dict()["datasets"].values() if rows and column in rows[0])


def test_plot_error_patterns_draws_counts_clients_and_the_rate_before(found):
    chart = plot_error_patterns(found)
    rows = data_of(chart, "what")
    assert [(row["occurrences"], row["expected"], row["people"], row["bots"], row["class"]) for row in rows][:3] == [
        (150, 0.0, 150, 0, "bug"),
        (150, 0.0, 150, 0, "unclear"),
        (15, 15.0, 15, 0, "user mistake"),
    ]
    assert {row["exposure_unit"] for row in rows} == {"requests", "views and requests"}
    assert "5 of 5; 340 errors and warnings" in chart.to_dict()["title"]


def test_plot_error_course_draws_every_bucket_of_the_first_patterns_and_what_was_changed(found):
    changes = pl.DataFrame(
        {
            "time_us": [START_US - 1, START_US + 3 * 24 * 60 * MINUTE_US],
            "source": "ci", "change_id": ["2", "9"], "change_kind": "deployment", "service_name": "pay",
            "service_version": ["2", "3"],
        }
    )  # fmt: skip
    chart = plot_error_course(found, changes=conform(changes, CHANGES)).to_dict()
    assert len(chart["vconcat"]) == 5
    bars = [row for rows in chart["datasets"].values() for row in rows if "until" in row]
    assert sum(row["rows"] for row in bars) == found.events + found.baseline_events
    assert "deployment pay 2" in str(chart)
    assert "deployment pay 3" not in str(chart)
    assert "per 1 min 00 s" in chart["title"]["text"]


def test_plot_error_course_marks_the_last_changes_only(found):
    times = [START_US + number for number in range(MAX_MARKS + 5)]
    changes = pl.DataFrame({"time_us": times, "source": "ci", "change_id": [str(time) for time in times]})
    whole = conform(changes.with_columns(change_kind=pl.lit("flag"), service_name=pl.col("change_id")), CHANGES)
    said = str(plot_error_course(found, changes=whole).to_dict())
    assert f"flag {times[-1]}" in said
    assert f"flag {times[4]}" not in said


def test_plot_error_places_draws_errors_of_each_release_with_its_traffic(found):
    rows = data_of(plot_error_places(found), "where")
    assert [(row["where"], row["rows"], row["traffic"]) for row in rows][:2] == [
        ("pay 2", 150, 300),
        ("shop unknown", 150, None),
    ]
    assert sorted((row["where"], row["rows"]) for row in rows if row["where"].startswith("pay 1")) == [("pay 1", 15)]


@pytest.mark.parametrize("plot", [plot_error_patterns, plot_error_course, plot_error_places])
def test_plots_of_a_quiet_time_are_a_sentence(view, plot):
    quiet = Window(WINDOW.end_us + MINUTE_US, WINDOW.end_us + 2 * MINUTE_US)
    none = find_error_patterns(view, window=quiet, baseline=Window(WINDOW.end_us, quiet.start_us))
    chart = plot(none)
    assert isinstance(chart, Note)
    assert "No error was recorded in" in chart.says
