import polars as pl
import pytest

from prodintel_lib.analyses.stack_traces import find_hot_spots, group_stacks
from prodintel_lib.charts.hot_spots import MAX_COMPONENTS, OTHERS, plot_hot_spots
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import Note


def spots_of(rows):
    """Return the hot spots of (function, version, time_us, rows)."""
    records = pl.DataFrame(rows, schema=["function", "service_version", "time_us", "rows"], orient="row").with_columns(
        pl.format("a.E: x\n\tat com.shop.A.{}(A.java:1)", "function").alias("stacktrace"),
        pl.lit("orders").alias("service_name"),
    )
    return find_hot_spots(records, group_stacks(records))


def rows_of(chart):
    [rows] = chart.to_dict()["datasets"].values()
    return rows


def test_plot_hot_spots_draws_each_component_by_release_with_denominators():
    chart = plot_hot_spots(spots_of([("load", "2.0", 1, 100), ("load", "1.0", 9, 10), ("price", "1.0", 9, 30)]))
    rows = rows_of(chart)
    assert [(row["what"], row["release"], row["occurrences"], row["of"]) for row in rows] == [
        ("com.shop.A.load · orders", "1.0", 10, 40), ("com.shop.A.load · orders", "2.0", 100, 100),
        ("com.shop.A.price · orders", "1.0", 30, 40),
    ]  # fmt: skip
    assert [row["mark"] for row in rows] == ["not new", "not new", "new"]
    made = chart.to_dict()
    assert made["encoding"]["color"]["scale"]["domain"] == ["2.0", "1.0"]
    assert made["title"] == "Errors by function of the topmost own frame and release (140 of 140 with a stack trace)"


def test_plot_hot_spots_shows_the_most_and_says_of_how_many():
    chart = plot_hot_spots(spots_of([(f"f{at:02}", "1.0", 1, 100 - at) for at in range(MAX_COMPONENTS + 5)]))
    rows = rows_of(chart)
    assert [row["occurrences"] for row in rows] == list(range(100, 100 - MAX_COMPONENTS, -1))
    shown = sum(range(100, 100 - MAX_COMPONENTS, -1))
    assert f"({shown:,} of 1,810 with a stack trace)" in chart.to_dict()["title"]


def test_plot_hot_spots_puts_the_earliest_of_many_releases_together():
    rows = rows_of(plot_hot_spots(spots_of([("load", f"{at}.0", at, 10) for at in range(12)])))
    releases = [row["release"] for row in rows]
    assert releases.count(OTHERS) == 6
    assert {"11.0", "6.0"} < set(releases)
    assert "5.0" not in releases


def test_plot_hot_spots_of_services_names_them_once():
    rows = rows_of(plot_hot_spots(spots_of([("load", "1.0", 1, 3)]), level="service"))
    assert [row["what"] for row in rows] == ["orders"]


def test_plot_hot_spots_without_a_trace_is_a_sentence():
    records = pl.DataFrame({"stacktrace": ["failed"], "service_name": ["a"], "service_version": ["1"]})
    note = plot_hot_spots(find_hot_spots(records, group_stacks(records)))
    assert isinstance(note, Note)
    assert note.says == "None of 1 records holds a stack trace: no hot spot is known."


def test_plot_hot_spots_refuses_an_unknown_level():
    with pytest.raises(ParameterError, match="Unknown level `functions`"):
        plot_hot_spots(spots_of([("load", "1.0", 1, 3)]), level="functions")
