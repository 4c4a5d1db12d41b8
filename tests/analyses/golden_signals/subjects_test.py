import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.subjects import choose_baseline, choose_subjects
from prodintel_lib.errors import ParameterError
from prodintel_lib.tables import TABLES

from . import made
from .made import DAY_US, HOUR_US, MINUTE_US


def minutes(start_us, n):
    return start_us + np.arange(n, dtype=np.int64) * MINUTE_US


def two_services(bucket_us=0):
    return made.requests(
        [
            {"bucket_us": bucket_us, "route": "GET /a", "requests": 5},
            {"bucket_us": bucket_us, "route": "GET /b", "requests": 9},
            {"bucket_us": bucket_us, "service_name": "store", "route": "inside", "is_entry": False, "requests": 20},
        ]
    )


def test_choose_subjects_orders_all_services_and_entry_routes_by_traffic():
    found = choose_subjects(made.production(two_services(), window=(0, HOUR_US)), services=None, max_routes=12)
    assert found.about.rows() == [
        ("all", "", "", 14),
        ("service", "store", "", 20),
        ("route", "shop", "GET /b", 9),
        ("route", "shop", "GET /a", 5),
    ]


def test_choose_subjects_counts_the_routes_it_leaves_out():
    found = choose_subjects(made.production(two_services(), window=(0, HOUR_US)), services=None, max_routes=1)
    assert found.about["route"].to_list() == ["", "", "GET /b"]
    assert found.routes_left_out == 1


def test_choose_subjects_of_a_service_has_no_row_of_all():
    found = choose_subjects(made.production(two_services(), window=(0, HOUR_US)), services=["store"], max_routes=9)
    assert found.about.select("grain", "service_name").rows() == [("service", "store")]


def test_choose_subjects_of_an_unknown_service_names_the_near_one():
    with pytest.raises(ParameterError, match="Unknown service `stor`; known: shop, store"):
        choose_subjects(made.production(two_services(), window=(0, HOUR_US)), services=["stor"], max_routes=9)


def test_subjects_rows_count_a_request_for_each_subject_it_belongs_to():
    found = choose_subjects(made.production(two_services(), window=(0, HOUR_US)), services=None, max_routes=12)
    sums = found.rows().group_by("grain").agg(pl.col("requests").sum()).sort("grain").collect()
    assert sums.rows() == [("all", 14), ("route", 14), ("service", 20)]


def test_choose_subjects_keeps_a_service_that_is_not_all_entry_requests():
    inside = made.requests([{"route": "inner", "is_entry": False, "requests": 3}])
    both = made.production(pl.concat([two_services(), inside]), window=(0, HOUR_US))
    about = choose_subjects(both, services=None, max_routes=12).about
    assert ("service", "shop", "", 17) in about.rows()


def test_choose_baseline_is_the_same_hours_of_the_days_before():
    start = 3 * DAY_US + 9 * HOUR_US
    recorded = np.concatenate([minutes(0, 3 * 1440), minutes(start, 60)])
    buckets, baseline = choose_baseline(
        made.production(window=(start, start + HOUR_US), history_us=start, recorded_us=recorded)
    )
    assert set((buckets % DAY_US // HOUR_US).tolist()) == {9}
    assert (len(buckets), baseline.says) == (180, "the same hours of the days before")


def test_choose_baseline_is_the_same_hours_of_the_week_where_two_weeks_hold_them():
    start = 15 * DAY_US + 9 * HOUR_US
    recorded = np.concatenate([minutes(0, 15 * 1440), minutes(start, 60)])
    buckets, baseline = choose_baseline(
        made.production(window=(start, start + HOUR_US), history_us=start, recorded_us=recorded)
    )
    assert baseline.says == "the same hours of the weeks before"
    assert set((buckets // DAY_US).tolist()) == {1, 8}


def test_choose_baseline_of_a_short_history_is_all_of_it():
    recorded = minutes(0, 40)
    buckets, baseline = choose_baseline(
        made.production(window=(30 * MINUTE_US, 40 * MINUTE_US), history_us=30 * MINUTE_US, recorded_us=recorded)
    )
    assert (len(buckets), baseline.says, baseline.recorded_s) == (30, "all of the time before", 1800.0)


def test_choose_baseline_leaves_out_known_incidents():
    row = {"time_us": 60 * MINUTE_US, "end_time_us": 70 * MINUTE_US, "source": "made", "incident_id": "I-1"}
    incidents = pl.DataFrame([row], schema=TABLES["incidents"].schema)
    buckets, baseline = choose_baseline(
        made.production(
            window=(200 * MINUTE_US, 210 * MINUTE_US), history_us=200 * MINUTE_US, recorded_us=minutes(0, 210),
            incidents=incidents,
        )
    )  # fmt: skip
    assert baseline.says == "all of the time before without known incidents"
    assert not ((buckets >= 60 * MINUTE_US) & (buckets < 70 * MINUTE_US)).any()
    assert 0 in buckets


def test_choose_baseline_without_history_is_nothing():
    buckets, baseline = choose_baseline(made.production(window=(0, HOUR_US), recorded_us=minutes(0, 60)))
    assert (len(buckets), baseline.buckets) == (0, 0)
    assert baseline.says == "nothing: no time before was recorded"
