import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.signal_series import build_signals
from prodintel_lib.analyses.signals import (
    SIGNALS_SCHEMA,
    find_signal_onsets,
    kind_of_signal,
    worse_direction,
)
from prodintel_lib.analyses.statistics import adjust_for_many
from prodintel_lib.errors import MissingColumnsError, NoDataError
from prodintel_lib.rollups.log_events import LOG_EVENTS_SCHEMA
from prodintel_lib.rollups.metric_points import POINTS_SCHEMA
from prodintel_lib.rollups.own_time import OWN_TIME_SCHEMA
from prodintel_lib.rollups.red import RED_SCHEMA
from prodintel_lib.windows import Window

MIN = 60_000_000


def series(service, signal, kind, values, *, n=1):
    return pl.DataFrame(
        {
            "time_us": np.arange(len(values)) * MIN,
            "service_name": service,
            "signal": signal,
            "kind": kind,
            "value": np.asarray(values, dtype=float),
            "n": n,
        },
        schema=SIGNALS_SCHEMA,
    )


def wobble(level, n, seed):
    return level * (1 + 0.02 * np.random.default_rng(seed).normal(size=n))


@pytest.mark.parametrize(
    ("name", "kind", "direction"),
    [
        ("http.server.request.duration", "latency", 1),
        ("checkout_error_ratio", "errors", 1),
        ("probe_success", "errors", -1),
        ("availability", "errors", -1),
        ("requests_per_sec", "traffic", 0),
        ("db.client.connection.count", "saturation", 1),
        ("cache_hit_ratio", "cache", -1),
        ("jvm.memory.used", "memory", 1),
        ("process.cpu.utilization", "cpu", 1),
        ("consumer_lag", "queue", 1),
        ("frobs", "other", 0),
    ],
)
def test_kind_of_signal_reads_the_words_of_a_name(name, kind, direction):
    assert (kind_of_signal(name), worse_direction(kind, name)) == (kind, direction)


def test_find_signal_onsets_finds_what_changed_and_what_is_worse_earliest_first():
    after = np.concatenate
    signals = pl.concat(
        [
            series("pay", "error_ratio", "errors", after([wobble(0.01, 60, 1), wobble(0.5, 20, 2)])),
            series("shop", "latency_ms", "latency", after([wobble(50, 65, 3), wobble(400, 15, 4)])),
            series("shop", "frobs", "other", after([wobble(9, 60, 5), wobble(3, 20, 6)])),
            series("auth", "latency_ms", "latency", wobble(50, 80, 7)),
            series("shop", "cache_hit_ratio", "cache", after([wobble(0.9, 62, 8), wobble(0.4, 18, 9)])),
        ]
    )
    found = find_signal_onsets(signals, window=Window(66 * MIN, 80 * MIN))
    assert found.onsets.select("service_name", "signal", "shape", pl.col("onset_us") // MIN, "is_worse").rows() == [
        ("pay", "error_ratio", "step", 60, True),
        ("shop", "frobs", "step", 60, None),
        ("shop", "cache_hit_ratio", "step", 62, True),
        ("shop", "latency_ms", "step", 65, True),
    ]
    assert found.first_us == 60 * MIN
    assert found.by_service.rows() == [("pay", 60 * MIN, 1), ("shop", 62 * MIN, 2)]
    assert (found.rows_read, found.series) == (400, signals)


def test_find_signal_onsets_finds_nothing_in_healthy_telemetry():
    signals = pl.concat([series("shop", f"latency_{n}_ms", "latency", wobble(50, 80, n)) for n in range(40)])
    found = find_signal_onsets(signals, window=Window(60 * MIN, 80 * MIN))
    assert found.onsets.is_empty()
    assert found.first_us is None
    assert found.series_tested + found.series_too_short == 40


def test_find_signal_onsets_asks_more_of_one_series_among_many():
    values = wobble(100, 80, 5)
    values[60:] += 7
    alone = find_signal_onsets(series("shop", "x_ms", "latency", values), window=Window(60 * MIN, 80 * MIN))
    calm = [series("shop", f"calm_{n}_ms", "latency", wobble(100, 80, n)) for n in range(30)]
    among = find_signal_onsets(
        pl.concat([series("shop", "x_ms", "latency", 10 * values - 900), *calm]), window=Window(60 * MIN, 80 * MIN)
    )
    one = find_signal_onsets(
        series("shop", "x_ms", "latency", 10 * values - 900), window=Window(60 * MIN, 80 * MIN)
    ).onsets
    assert alone.onsets.is_empty()
    assert one["q_value"][0] == pytest.approx(one["p_value"][0])
    assert among.onsets["q_value"][0] == pytest.approx(min(1.0, among.series_tested * one["p_value"][0]))


def test_find_signal_onsets_passes_over_what_is_certain_but_small():
    values = np.concatenate([wobble(100, 60, 1), wobble(112, 20, 2)])
    assert find_signal_onsets(
        series("shop", "latency_ms", "latency", values), window=Window(60 * MIN, 80 * MIN)
    ).onsets.is_empty()


def test_find_signal_onsets_judges_availability_by_what_is_missing():
    values = np.concatenate([wobble(99.9, 60, 1).clip(max=100), np.full(20, 90.0)])
    values[:60] = 99.9
    found = find_signal_onsets(series("shop", "availability", "errors", values), window=Window(60 * MIN, 80 * MIN))
    assert found.onsets["is_worse"].to_list() == [True]


def test_find_signal_onsets_says_what_is_missing():
    with pytest.raises(NoDataError, match="no metric, log or span around"):
        find_signal_onsets(pl.DataFrame(schema=SIGNALS_SCHEMA), window=Window(0, MIN))
    with pytest.raises(MissingColumnsError, match="kind"):
        find_signal_onsets(pl.DataFrame({"time_us": [1]}), window=Window(0, MIN))


def test_adjust_for_many_is_benjamini_and_hochbergs():
    assert adjust_for_many([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert adjust_for_many([]) == []


def test_build_signals_counts_zero_where_nothing_was_logged():
    events = pl.DataFrame(
        [{"bucket_us": MIN, "service_name": "pay", "level": "error", "shape": "no", "rows": 3}],
        schema=LOG_EVENTS_SCHEMA,
    )
    signals = build_signals(span=Window(0, 3 * MIN), log_events=events)
    rows = signals.filter(pl.col("signal") == "error logs").select("time_us", "kind", "value", "n").rows()
    assert rows == [(0, "log_errors", 0.0, 0), (MIN, "log_errors", 3.0, 3), (2 * MIN, "log_errors", 0.0, 0)]
    assert signals["signal"].unique().sort().to_list() == ["error logs", "log rows", "log: no"]


def test_build_signals_names_a_metric_by_series_and_by_instance_where_there_are_many():
    points = pl.DataFrame(
        [
            {"time_us": 1, "metric_name": "mem", "service_name": "a", "series": "k=1", "service_instance_id": "x"},
            {"time_us": 1, "metric_name": "mem", "service_name": "a", "series": "k=1", "service_instance_id": "y"},
            {"time_us": 1, "metric_name": "up", "service_name": "a", "series": "", "service_instance_id": "x"},
        ],
        schema=POINTS_SCHEMA,
    ).with_columns(value=pl.lit(2.0))
    signals = build_signals(span=Window(0, 10), points=points)
    assert signals["signal"].to_list() == ["mem (k=1) of x", "mem (k=1) of y", "up"]


def test_build_signals_weighs_routes_by_their_requests():
    red = pl.DataFrame(
        [
            {
                "bucket_us": 0,
                "service_name": "a",
                "operation": "x",
                "requests": 3,
                "failed": 1,
                "duration_ms_sum": 30.0,
            },
            {
                "bucket_us": 0,
                "service_name": "a",
                "operation": "y",
                "requests": 1,
                "failed": 1,
                "duration_ms_sum": 50.0,
            },
        ],
        schema=RED_SCHEMA,
    ).with_columns(duration_ms_p95=pl.Series([10.0, 50.0]))
    signals = build_signals(span=Window(0, MIN), red=red)
    assert dict(signals.select("signal", "value").iter_rows()) == {
        "mean duration of requests, ms": 20.0,
        "p95 duration of requests, ms": 20.0,
        "requests per second": pytest.approx(4 / 60),
        "requests that failed": 0.5,
    }


def test_build_signals_gives_both_ends_half_of_the_time_between_them():
    own = pl.DataFrame(
        [
            (0, "shop", "GET /", "", 2, 10.0, 3.6, 6.4),
            (0, "shop", "POST", "pay", 2, 40.0, 6.1, 18.5),
            (0, "pay", "", "", 1, 5.0, 1.8, 3.2),
        ],
        schema=OWN_TIME_SCHEMA,
        orient="row",
    )
    signals = build_signals(span=Window(0, MIN), own_time=own)
    assert signals.select("service_name", "value", "n").rows() == [("pay", 25.0, 1), ("shop", 7.5, 4)]
