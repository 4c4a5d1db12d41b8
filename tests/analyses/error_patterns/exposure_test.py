import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns.exposure import TIME, Traffic, choose_bucket_s, measure_changes
from prodintel_lib.windows import Window

S = 1_000_000
WINDOW, BASELINE = Window(15 * S, 45 * S), Window(0, 15 * S)
COUNTS = pl.DataFrame(
    [
        ("requests", "shop", 0, 40, 0, False),
        ("requests", "shop", 10 * S, 20, 0, False),
        ("requests", "shop", 10 * S, 30, 0, True),
        ("requests", "shop", 40 * S, 10, 0, True),
        ("other log rows", "shop", 0, 99, 0, False),
        ("other log rows", "cron", 0, 7, 0, False),
        ("requests", "sampled", 20 * S, 3, 0, True),
    ],
    schema=["unit", "service_name", "bucket_us", "rows", "bot_rows", "in_window"],
    orient="row",
)
TRAFFIC = Traffic(WINDOW, BASELINE, 10, COUNTS, pl.DataFrame())


@pytest.mark.parametrize(
    ("origin", "service", "errors", "unit"),
    [
        ("log", "shop", 100, "requests"),
        ("log", "cron", 7, "other log rows"),
        ("log", "cron", 8, TIME),
        ("span", "sampled", 4, TIME),
        ("log", "nobody", 1, TIME),
        ("browser", "web", 1, "views and requests"),
    ],
)
def test_unit_of_takes_what_is_counted_as_fully_as_the_errors(origin, service, errors, unit):
    assert TRAFFIC.unit_of(origin, service, errors=errors) == unit


def test_exposure_splits_a_bucket_between_the_window_and_the_baseline():
    assert TRAFFIC.exposure("requests", "shop", in_window=True).tolist() == [30, 0, 0, 10]
    assert TRAFFIC.exposure("requests", "shop", in_window=False).tolist() == [40, 20]
    assert TRAFFIC.exposure(TIME, "", in_window=True).tolist() == [5, 10, 10, 5]
    assert TRAFFIC.exposure(TIME, "", in_window=False).tolist() == [10, 5]


@pytest.mark.parametrize(("minutes", "width_s"), [(20, 10), (60, 30), (7 * 24 * 60, 600)])
def test_choose_bucket_s_is_the_finest_of_not_too_many_and_ten_minutes_at_most(minutes, width_s):
    window = Window(0, minutes * 60 * S)
    assert choose_bucket_s(window, Window(-window.end_us, 0)) == width_s


def test_measure_changes_compares_rates_by_the_traffic_of_the_service():
    patterns = pl.DataFrame({"pattern_no": [0], "origin": ["log"], "service_name": ["shop"]})
    buckets = pl.DataFrame({"pattern_no": [0, 0], "in_window": [True, False], "bucket_us": [40 * S, 0], "rows": [8, 6]})
    (row,) = measure_changes(patterns, buckets, TRAFFIC).iter_rows(named=True)
    assert (row["exposure"], row["baseline_exposure"], row["exposure_unit"]) == (40, 60, "requests")
    assert row["rate_ratio"] == pytest.approx((8 / 40) / (6 / 60))
    assert row["trend"] == "too few to say"
    assert "8 in the window, 6 before" in row["trend_reason"]
    assert np.isfinite(row["ratio_high"])
