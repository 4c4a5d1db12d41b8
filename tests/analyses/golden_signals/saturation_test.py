import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.saturation import measure_saturation
from prodintel_lib.analyses.golden_signals.schemas import SATURATION_SCHEMA, SATURATION_TIME_SCHEMA

from . import made
from .made import DAY_US, HOUR_US, MINUTE_US, metric


def saturation(metrics, *, window=(0, HOUR_US), **options):
    return measure_saturation(made.production(window=window, metrics=metrics, **options))


@pytest.mark.parametrize(
    ("levels", "risk"),
    [([0.5] * 60, "ok"), ([0.75] * 60, "watch"), ([0.5] * 57 + [0.95] * 3, "critical"), ([0.95] + [0.5] * 59, "ok"),
     ([0.95] * 2 + [0.85] * 8 + [0.5] * 50, "high"), ([0.5] * 58 + [0.72] * 2, "watch")],
)  # fmt: skip
def test_measure_saturation_rates_by_what_was_held_or_is_now(levels, risk):
    row = saturation(metric("memory.utilization", levels)).frame.row(0, named=True)
    assert (row["risk"], row["n"], row["highest"]) == (risk, 60, max(levels))


def test_measure_saturation_says_what_part_of_the_time():
    row = saturation(metric("memory.utilization", [0.95] * 6 + [0.85] * 6 + [0.75] * 6 + [0.1] * 42)).frame
    assert row.select("watch_share", "high_share", "critical_share").row(0) == pytest.approx((0.3, 0.2, 0.1))
    assert dict(row.schema) == SATURATION_SCHEMA


def test_measure_saturation_foresees_when_a_pool_is_full():
    levels = list(0.2 + 0.01 * np.arange(60))
    row = saturation(metric("memory.utilization", levels)).frame.row(0, named=True)
    assert row["hours_left"] == pytest.approx((1 - levels[-1]) / 0.6)
    assert row["trend"] == "rising"
    assert row["per_hour"] == pytest.approx(0.6)
    assert "rises by 60 points an hour" in row["says"]


def test_measure_saturation_does_not_take_the_morning_for_a_leak():
    chance = np.random.default_rng(1)
    at = np.arange(int(4.4 * 144))
    levels = 0.4 + 0.3 * np.sin(2 * np.pi * (at - 36) / 144) + chance.normal(0, 0.01, len(at))
    rows = metric("memory.utilization", list(levels)).with_columns(pl.col("bucket_us") * 10)
    window = (int(4.1 * DAY_US) // HOUR_US * HOUR_US, int(4.4 * DAY_US))
    found = saturation(rows, window=window, history_us=window[0], bucket_s=600)
    assert found.frame["hours_left"][0] is None
    raw = levels[-40:]
    assert raw[-1] - raw[0] > 0.3


def test_measure_saturation_foresees_a_leak_below_a_daily_rhythm():
    chance = np.random.default_rng(2)
    at = np.arange(5 * 144)
    levels = 0.2 + 0.1 * at / 144 + 0.05 * np.sin(2 * np.pi * at / 144) + chance.normal(0, 0.003, len(at))
    rows = metric("memory.utilization", list(levels)).with_columns(pl.col("bucket_us") * 10)
    row = saturation(rows, window=(4 * DAY_US, 5 * DAY_US), history_us=4 * DAY_US, bucket_s=600).frame.row(
        0, named=True
    )
    # At the peak of its day it is full when the mean is at 0.95.
    assert row["hours_left"] == pytest.approx((0.95 - 0.7) / 0.1 * 24, rel=0.15)
    assert row["hours_low"] <= row["hours_left"] <= row["hours_high"]
    assert row["says"].endswith("at the peak of its rhythm")


def test_measure_saturation_without_a_limit_says_so():
    row = saturation(metric("process.memory.usage", list(5e7 + 1e6 * np.arange(60.0)), unit="By")).frame.row(
        0, named=True
    )
    assert (row["risk"], row["hours_left"], row["trend"]) == ("no limit known", None, "rising")
    assert row["says"] == "no limit is known: neither a share nor a limit beside it was recorded"


def test_measure_saturation_puts_the_fullest_first_and_those_without_a_limit_last():
    parts = [metric(name, [value] * 10) for name, value in (("queue.depth", 900.0), ("memory.utilization", 0.2))]
    parts.append(metric("disk.utilization", [0.8] * 10))
    assert saturation(pl.concat(parts)).frame["metric_name"].to_list() == [
        "disk.utilization", "memory.utilization", "queue.depth",
    ]  # fmt: skip


def test_measure_saturation_looks_at_no_later_point_than_the_window():
    levels = [0.5] * 60 + list(np.linspace(0.5, 0.99, 60))
    row = saturation(metric("memory.utilization", levels), window=(0, HOUR_US)).frame.row(0, named=True)
    assert (row["highest"], row["risk"], row["n"], row["trend"]) == (0.5, "ok", 60, "steady")


def test_measure_saturation_over_time_and_history():
    found = saturation(
        metric("memory.utilization", [0.2] * 60 + [0.4] * 60), window=(HOUR_US, 2 * HOUR_US), history_us=HOUR_US
    )
    assert found.frame.select("level", "history_level", "history_n").row(0) == pytest.approx((0.4, 0.2, 60))
    assert dict(found.over_time.schema) == SATURATION_TIME_SCHEMA
    assert found.over_time["in_window"].sum() == 60
    assert found.over_time["bucket_us"].min() == 0


def test_measure_saturation_of_nothing_is_a_sentence():
    found = saturation(metric("orders.value", [1.0]))
    assert found.frame.is_empty()
    assert "No utilisation, pool, queue, memory or processor was recorded" in found._repr_html_()


def test_made_metrics_are_of_minutes():
    assert metric("x", [1.0, 2.0])["bucket_us"].to_list() == [0, MINUTE_US]
