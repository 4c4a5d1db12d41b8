import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.schemas import FORECAST_SCHEMA, TRAFFIC_SCHEMA, TRAFFIC_TIME_SCHEMA
from prodintel_lib.analyses.golden_signals.subjects import choose_subjects
from prodintel_lib.analyses.golden_signals.traffic import measure_traffic

from . import made
from .made import DAY_US, HOUR_US, MINUTE_US


def traffic(counts, *, bucket_us=MINUTE_US, window, history_us, **options):
    """Requests of one route, a count a bucket; a bucket of 0 is recorded and holds none."""
    times = np.arange(len(counts), dtype=np.int64) * bucket_us
    rows = made.requests([{"bucket_us": int(at), "requests": int(n)} for at, n in zip(times, counts, strict=True) if n])
    production = made.production(
        rows, window=window, history_us=history_us, recorded_us=times, bucket_s=bucket_us // 1_000_000, **options
    )
    return measure_traffic(production, choose_subjects(production, services=None, max_routes=12))


def short(now, seed=1):
    chance = np.random.default_rng(seed)
    counts = np.concatenate([chance.poisson(60, 60), chance.poisson(now, 60)])
    return traffic(counts, window=(HOUR_US, 2 * HOUR_US), history_us=HOUR_US)


@pytest.mark.parametrize(("now", "verdict"), [(60, "usual"), (120, "more"), (20, "less")])
def test_measure_traffic_compares_with_the_usual_rate(now, verdict):
    row = short(now).frame.row(0, named=True)
    assert row["verdict"] == verdict
    assert row["usual_rps"] == pytest.approx(1.0, rel=0.05)
    assert row["rps"] == pytest.approx(now / 60, rel=0.05)
    assert row["times_usual"] == pytest.approx(now / 60, rel=0.08)


def test_measure_traffic_counts_recorded_buckets_without_requests():
    frame = traffic([0, 0, 30, 30], window=(0, 4 * MINUTE_US), history_us=0).frame
    row = frame.row(0, named=True)
    assert (row["n"], row["recorded_s"], row["rps"], row["verdict"]) == (60, 240.0, 0.25, "no history")


def test_measure_traffic_sees_a_falling_rate():
    counts = np.random.default_rng(2).poisson(np.linspace(200, 60, 120))
    row = traffic(counts, window=(0, 2 * HOUR_US), history_us=0).frame.row(0, named=True)
    assert row["trend"] == "falling"
    assert dict(traffic(counts, window=(0, 2 * HOUR_US), history_us=0).frame.schema) == TRAFFIC_SCHEMA


def weeks(days=21, seed=3):
    """Buckets of ten minutes with a daily rhythm and quiet weekends, from a Thursday on."""
    at = np.arange(days * 144)
    weekend = np.where((at // 144 + 3) % 7 >= 5, 0.5, 1.0)
    mean = 300 * weekend * (1 + 0.6 * np.sin(2 * np.pi * (at - 48) / 144))
    return np.random.default_rng(seed).poisson(mean)


TEN = 10 * MINUTE_US
LAST_DAY = {"bucket_us": TEN, "window": (20 * DAY_US, 21 * DAY_US), "history_us": 20 * DAY_US}


def test_measure_traffic_forecasts_the_next_day_with_its_rhythm():
    found = traffic(weeks(), **LAST_DAY)
    whole = found.forecast.filter(pl.col("grain") == "all")
    assert dict(whole.schema) == FORECAST_SCHEMA
    assert whole["bucket_us"].to_list() == [21 * DAY_US + hour * HOUR_US for hour in range(24)]
    # It is a Thursday again.
    usual = 300 / 600 * (1 + 0.6 * np.sin(2 * np.pi * (np.arange(24) + 0.42 - 8) / 24))
    assert np.abs(whole["rps"].to_numpy() - usual).max() < 0.06
    row = found.frame.row(0, named=True)
    assert row["coverage_n"] > 500
    assert 0.7 <= row["coverage"] <= 1
    assert "backtested values lay in the 80% interval" in row["forecast_says"]


def test_measure_traffic_describes_rhythm_profile_and_parts():
    found = traffic(weeks(), **LAST_DAY)
    row = found.frame.row(0, named=True)
    assert "most from 14:00 to 15:00 UTC" in row["pattern"]
    assert row["seasonal_strength"] > 0.9
    profile = found.profile.filter(pl.col("grain") == "all")
    assert (profile["period"].unique().to_list(), profile.height) == (["week"], 168)
    parts = found.decomposition.filter(pl.col("grain") == "all")
    added = parts["trend_rps"] + parts["seasonal_rps"] + parts["remainder_rps"]
    assert (added - parts["observed_rps"]).abs().max() < 1e-9


def test_measure_traffic_knows_what_is_usual_at_each_hour():
    course = traffic(weeks(), **LAST_DAY).over_time.filter(pl.col("grain") == "all", "in_window")
    assert dict(course.schema) == TRAFFIC_TIME_SCHEMA
    peak, trough = (course.filter(pl.col("bucket_us") % DAY_US == hour * HOUR_US) for hour in (14, 2))
    assert peak["usual_rps"][0] > 3 * trough["usual_rps"][0]
    assert (peak["usual_low_rps"] <= peak["usual_rps"]).all()


def test_measure_traffic_of_a_few_minutes_forecasts_nothing_and_says_why():
    found = traffic([20] * 40, window=(0, 40 * MINUTE_US), history_us=0)
    assert found.forecast.is_empty()
    assert found.frame["forecast_says"][0] == (
        "no forecast: 40 min 00 s were recorded without a gap, at least 1 h 00 min are needed for a level"
    )


def test_measure_traffic_of_some_hours_forecasts_the_level_alone():
    found = traffic(
        np.random.default_rng(4).poisson(50, 240), window=(2 * HOUR_US, 4 * HOUR_US), history_us=2 * HOUR_US
    )
    whole = found.forecast.filter(pl.col("grain") == "all")
    assert whole.height == 40
    assert whole["rps"][0] == pytest.approx(50 / 60, rel=0.1)
    assert "level only" in found.frame["forecast_says"][0]


def test_measure_traffic_warns_of_a_day_of_the_week_it_never_saw():
    found = traffic(
        weeks(8)[4 * 144 :], bucket_us=TEN, window=(3 * DAY_US, 4 * DAY_US), history_us=3 * DAY_US
    )  # Monday to Thursday as the counts go, Thursday to Sunday by the clock; a Monday comes next.
    assert "the history holds no such day of the week" in found.frame["forecast_says"][0]
