"""What is read of a shop beside its patterns: stack traces, finer courses, and the release that errors keep to."""

import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns import (
    count_finer,
    find_error_patterns,
    find_one_release,
    read_stack_records,
)
from prodintel_lib.tables import CHANGES, conform

sys.path.insert(0, str(Path(__file__).parent))
from breaking_shop import BASELINE, MINUTE_US, START_US, WINDOW, make_view


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return make_view(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def found(view):
    return find_error_patterns(view, window=WINDOW, baseline=BASELINE)


def changes_of(*rows):
    named = [
        {"time_us": time_us, "source": "s", "change_id": f"c{n}", "change_kind": kind, "service_name": service,
         "service_version": version}
        for n, (time_us, kind, service, version) in enumerate(rows)
    ]  # fmt: skip
    return conform(pl.DataFrame(named), CHANGES)


def test_patterns_of_the_same_requests_follow_the_first(found):
    names = dict(found.frame.select("pattern_id", "service_name").iter_rows())
    told = {(row["service_name"], row["template"]): names.get(row["follows"], "") for row in found.frame.to_dicts()}
    assert told == {
        ("pay", "'<id>'"): "",
        ("shop", "pay answered <number> to order <number>"): "pay",
        ("pay", "POST /charges answered 402"): "",
        ("shop", "POST /pay answered 402"): "pay",
        ("web", "Check the date."): "",
    }


def test_read_stack_records_counts_errors_with_a_trace_by_release(view):
    records = read_stack_records(view, WINDOW)
    assert records.group_by("service_name", "service_version", "error_type").agg(pl.col("rows").sum()).rows() == [
        ("pay", "2", "KeyError", 150)
    ]
    assert records["first_us"].min() >= WINDOW.start_us
    assert records["last_us"].max() < WINDOW.end_us
    assert read_stack_records(view, BASELINE).is_empty()


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_count_finer_counts_the_same_in_narrower_buckets(engine, tmp_path):
    patterns = find_error_patterns(make_view(tmp_path, engine=engine), window=WINDOW, baseline=BASELINE)
    fault = patterns.frame["pattern_id"][0]
    buckets, traffic = count_finer(patterns, [fault], bucket_s=10)

    assert buckets["pattern_id"].unique().to_list() == [fault]
    assert buckets["rows"].sum() == 150
    assert (buckets["bucket_us"] % 10_000_000).unique().to_list() == [0]
    wide = patterns.buckets.filter(pl.col("pattern_id") == fault)
    again = buckets.group_by(pl.col("bucket_us") // 30_000_000 * 30_000_000).agg(pl.col("rows").sum())
    assert sorted(again.rows()) == sorted(wide.select("bucket_us", "rows").rows())
    by = ["unit", "service_name"]
    assert traffic.group_by(by).agg(pl.col("rows").sum()).sort(by).rows() == (
        patterns.traffic.group_by(by).agg(pl.col("rows").sum()).sort(by).rows()
    )


def test_find_one_release_names_the_release_and_its_last_deployment_before_the_first_error(found):
    first_us = found.frame["first_us"][0]
    changes = changes_of(
        (START_US - 90 * MINUTE_US, "deployment", "pay", "2"),
        (START_US - MINUTE_US, "deployment", "pay", "2"),
        (START_US + 30 * MINUTE_US, "deployment", "pay", "2"),
        (START_US - MINUTE_US // 2, "config", "pay", "2"),
        (START_US - MINUTE_US // 2, "deployment", "shop", "2"),
    )
    one = find_one_release(found, changes)

    told = one.frame.select("service_name", "release", "rows", "share_of_traffic", "deployed_us", "first_us").rows()
    assert told == [("pay", "2", 150, 0.5, START_US - MINUTE_US, first_us)]
    assert "after it" in one._repr_html_()


def test_find_one_release_says_so_where_no_deployment_or_no_error_is_known(found):
    unknown = find_one_release(found, changes_of((START_US, "flag", "pay", "2")))
    assert unknown.frame["deployed_us"].to_list() == [None]
    nothing = find_one_release(found, changes_of((START_US, "flag", "pay", "2"))).frame.clear()
    assert "No error keeps to one release" in type(unknown)(nothing)._repr_html_()


def test_what_is_gone_is_not_judged_and_stands_apart(view):
    later = find_error_patterns(view, window=BASELINE, baseline=type(WINDOW)(WINDOW.start_us, WINDOW.end_us))
    gone = later.frame.filter(pl.col("occurrences") == 0)
    assert gone.select("service_name", "class", "class_reason", "recurrence").unique().sort("service_name").rows() == [
        ("pay", "unclear", "not met in the window: it is judged when it comes again", "gone"),
        ("shop", "unclear", "not met in the window: it is judged when it comes again", "gone"),
    ]
    page = later._repr_html_()
    assert "2 patterns of the 1 h 00 min before were not met." in page
    assert page.index("Gone") > page.index("in detail")
