import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.latency import measure_latency, measure_scatter
from prodintel_lib.analyses.golden_signals.schemas import LATENCY_SCHEMA, LATENCY_TIME_SCHEMA
from prodintel_lib.analyses.golden_signals.subjects import choose_subjects

from . import made
from .made import HOUR_US, MINUTE_US


def latency(rows, **options):
    production = made.production(rows, **options)
    return measure_latency(production, choose_subjects(production, services=None, max_routes=12))


def minutes_of(durations, start_minute, minutes):
    return (start_minute + np.arange(len(durations)) * minutes // len(durations)) * MINUTE_US


def before_and_now(before, now, seed=1):
    """Two hours of durations about a median before the window's hour."""
    chance = np.random.default_rng(seed)
    old, new = chance.lognormal(math.log(before), 0.5, 6000), chance.lognormal(math.log(now), 0.5, 3000)
    return pl.concat([made.drawn(old, minutes_of(old, 0, 120)), made.drawn(new, minutes_of(new, 120, 60))])


WINDOW = {"window": (2 * HOUR_US, 3 * HOUR_US), "history_us": 2 * HOUR_US}


def test_measure_latency_gives_percentiles_with_their_n():
    frame = latency(before_and_now(20, 20), **WINDOW).frame
    row = frame.filter(pl.col("grain") == "route").row(0, named=True)
    exact = 20 * math.exp(0.5 * 1.6449)
    assert row["n"] == 3000
    assert row["p50_ms"] == pytest.approx(20, rel=0.05)
    assert row["p95_ms"] == pytest.approx(exact, rel=0.1)
    assert row["p95_low_ms"] < exact < row["p95_high_ms"]
    assert row["p999_ms"] is None
    assert row["tail_ratio"] == pytest.approx(row["p99_ms"] / row["p50_ms"])
    assert dict(frame.schema) == LATENCY_SCHEMA


@pytest.mark.parametrize(("now", "verdict"), [(40, "slower"), (10, "faster"), (20, "same")])
def test_measure_latency_compares_with_the_time_before(now, verdict):
    row = latency(before_and_now(20, now), **WINDOW).frame.row(0, named=True)
    assert (row["verdict"], row["judged_by"]) == (verdict, "p95")


def test_measure_latency_without_history_says_so():
    rows = before_and_now(20, 20).filter(pl.col("bucket_us") >= 2 * HOUR_US)
    row = latency(rows, window=(2 * HOUR_US, 3 * HOUR_US)).frame.row(0, named=True)
    assert (row["verdict"], row["history_n"]) == ("no history", None)


@pytest.mark.parametrize(("now", "verdict"), [(40, "too few to say"), (100, "slower")])
def test_measure_latency_asks_for_more_where_one_other_day_is_all_there_is(now, verdict):
    rows = before_and_now(20, now)
    later = rows.with_columns(
        pl.when(pl.col("bucket_us") >= 2 * HOUR_US).then(pl.col("bucket_us") + 20 * HOUR_US).otherwise("bucket_us")
    )
    found = latency(later, window=(22 * HOUR_US, 23 * HOUR_US), history_us=22 * HOUR_US)
    assert found.frame["verdict"][0] == verdict


def test_measure_latency_does_not_call_one_more_bad_hour_slower_where_hours_differ():
    chance = np.random.default_rng(2)
    parts = []
    for hour in range(9):
        durations = chance.lognormal(math.log((45, 20, 20, 20)[hour % 4]), 0.3, 2000)
        parts.append(made.drawn(durations, minutes_of(durations, 60 * hour, 60)))
    window = {"window": (8 * HOUR_US, 9 * HOUR_US), "history_us": 8 * HOUR_US}
    assert latency(pl.concat(parts), **window).frame["verdict"][0] != "slower"


def test_measure_latency_sees_a_rising_median():
    chance = np.random.default_rng(3)
    at = np.arange(6000)
    durations = chance.lognormal(np.log(20 * (1 + at / 6000)), 0.2)
    row = latency(made.drawn(durations, minutes_of(durations, 0, 120)), window=(0, 2 * HOUR_US)).frame.row(
        0, named=True
    )
    assert row["trend"] == "rising"
    assert row["trend_low"] < 2**0.5 - 1 < row["trend_high"]


def test_measure_latency_gives_no_rate_an_hour_that_is_beyond_all_measure():
    chance = np.random.default_rng(6)
    at = np.arange(6000)
    durations = chance.lognormal(np.log(10) + 5 * at / 6000, 0.2)
    seconds = at * 1_000_000 // 100 // 5_000_000 * 5_000_000
    production = made.production(made.drawn(durations, seconds), window=(0, MINUTE_US), bucket_s=5)
    frame = measure_latency(production, choose_subjects(production, services=None, max_routes=1)).frame
    assert frame.select("trend", "trend_per_hour").row(0) == ("rising", None)


def test_measure_latency_finds_the_modes_of_a_region():
    chance = np.random.default_rng(4)
    fast, slow = chance.lognormal(math.log(10), 0.3, 2000), chance.lognormal(math.log(200), 0.3, 600)
    rows = pl.concat(
        [
            made.drawn(fast, minutes_of(fast, 0, 60), region="eu"),
            made.drawn(slow, minutes_of(slow, 0, 60), region="us"),
        ]
    )
    found = latency(rows, window=(0, HOUR_US))
    route = found.frame.filter(pl.col("grain") == "route").row(0, named=True)
    assert (route["modes"], route["modes_p"]) == (2, 0.005)
    assert route["split_by"].startswith("region: 100 % of 600 with us are slow")
    modes = found.modes.filter(pl.col("grain") == "route")
    assert modes["n"].to_list() == [2000, 600]
    assert modes["value_ms"].to_list() == pytest.approx([10, 200], rel=0.15)
    assert found.places["shop", "GET /a"].causes[0].attributes == {"region": "us"}
    shown = found.distribution.filter(pl.col("grain") == "route")
    assert (shown["n"].sum(), set(shown["mode"])) == (2600, {1, 2})


def test_measure_latency_does_not_count_a_slow_stretch_as_a_kind_of_requests():
    chance = np.random.default_rng(7)
    fast, slow = chance.lognormal(math.log(10), 0.3, 2000), chance.lognormal(math.log(200), 0.3, 600)
    rows = pl.concat([made.drawn(fast, minutes_of(fast, 0, 45)), made.drawn(slow, minutes_of(slow, 45, 15))])
    found = latency(rows, window=(0, HOUR_US))
    route = found.frame.filter(pl.col("grain") == "route").row(0, named=True)
    assert route["modes"] == 1
    assert route["split_by"].startswith("only during 1970-01-01 00:45:00-01:00:00 UTC: 100 % of 600 are slow")
    assert found.modes.height == 2


def test_measure_latency_tells_where_requests_are_too_few_for_modes():
    frame = latency(made.requests([{"requests": 40}]), window=(0, HOUR_US)).frame
    row = frame.filter(pl.col("grain") == "route").row(0, named=True)
    assert (row["modes"], row["modes_say"]) == (None, "40 requests are too few to tell modes from chance")


def test_measure_latency_over_time_holds_as_much_history_as_the_window_is_long():
    found = latency(before_and_now(20, 20), **WINDOW)
    whole = found.over_time.filter(pl.col("grain") == "all")
    assert dict(whole.schema) == LATENCY_TIME_SCHEMA
    assert whole["bucket_us"].min() == HOUR_US
    assert whole.filter("in_window")["n"].sum() == 3000


def test_measure_scatter_is_more_where_slow_requests_come_together():
    chance = np.random.default_rng(5)
    even = chance.lognormal(3, 0.5, 6000)
    about = {"grain": "all", "service_name": "", "route": ""}
    bursts = even * np.where(np.arange(6000) // 100 % 8 == 0, 5, 1)
    scatter = [
        measure_scatter(made.drawn(durations, minutes_of(even, 0, 60)).with_columns(
            pl.lit(value).alias(name) for name, value in about.items()
        ))["dispersion"][0]
        for durations in (even, bursts)
    ]  # fmt: skip
    assert scatter[0] < 1.5
    assert scatter[1] > 10


def test_latency_html_escapes_names_from_production():
    rows = made.requests([{"route": "<script>alert(1)</script>", "service_name": "<i>shop</i>", "requests": 200}])
    shown = latency(rows, window=(0, HOUR_US))._repr_html_()
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;i&gt;" in shown
