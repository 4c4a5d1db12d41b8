import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from prodintel_lib.analyses.anomalies import SeriesMatrix
from prodintel_lib.analyses.production import ABOUT_SCHEMA, SignalSet, build_series
from prodintel_lib.errors import ParameterError

from .made import B, asked, made_production, measured, signal_of

NAN = math.nan


def levels_of(signals, name, key):
    """Return the values of one series, and their exposure."""
    signal = signal_of(signals, name)
    row = signal.matrix.keys.index(key)
    exposure = signal.matrix.exposure
    return signal.matrix.values[row].tolist(), None if exposure is None else exposure[row].tolist()


def keys_of(signals, name):
    return signal_of(signals, name).matrix.keys


def test_build_series_counts_failures_of_requests_by_service_and_route():
    production = made_production(
        requests=[
            *asked([2, 3], route="GET /", failed=1),
            *asked([3], route="GET /", bin=50, requests=4, failed=2, is_entry=False),
            *asked([3], route="GET /b", requests=30),
        ],
        recorded=range(5),
    )
    signals = build_series(production)
    assert keys_of(signals, "error_ratio") == ("service shop", "shop: GET /b")
    assert signal_of(signals, "error_ratio").too_few == 1
    values, exposure = levels_of(build_series(production, min_requests=24), "error_ratio", "shop: GET /")
    assert_array_equal(values, [NAN, NAN, 1, 3, NAN])
    assert exposure == [0, 0, 10, 14, 0]
    assert signal_of(signals, "error_ratio").matrix.time_us.tolist() == [0, B, 2 * B, 3 * B, 4 * B]


def test_build_series_says_what_each_series_is_about():
    production = made_production(requests=asked(range(20)))
    about = signal_of(build_series(production), "error_ratio").about
    assert dict(about.schema) == ABOUT_SCHEMA
    service = ("service shop", "service", "shop", "", "", "", "", "", "", "", 1, 100)
    assert about.rows() == [service, ("shop: GET /", "route", "shop", "GET /", "", "", "", "", "", "", 1, 100)]


def test_build_series_throughput_is_zero_where_the_service_was_recorded_and_missing_at_the_edges():
    rows = [*asked(range(10)), *asked([4, 5, 6], route="GET /b", requests=50)]
    found = build_series(made_production(requests=rows, recorded=range(10)))
    assert_array_equal(levels_of(found, "throughput", "service shop")[0], [NAN, 10, 10, 10, 60, 60, 60, 10, 10, NAN])
    assert_array_equal(levels_of(found, "throughput", "shop: GET /b")[0], [NAN, 0, 0, 0, 50, 50, 50, 0, 0, NAN])


def test_build_series_throughput_is_missing_before_a_service_was_recorded():
    rows = [*asked(range(10)), *asked([4, 6], service_name="new", requests=50)]
    found = build_series(made_production(requests=rows, recorded=range(10)))
    assert_array_equal(levels_of(found, "throughput", "service new")[0], [NAN] * 4 + [50, 0, 50, 0, 0, NAN])
    alive = measured("process.cpu.utilization", dict.fromkeys(range(2, 10), 0.5), service_name="new")
    found = build_series(made_production(requests=rows, metrics=alive, recorded=range(10)))
    assert_array_equal(levels_of(found, "throughput", "service new")[0], [NAN, NAN, 0, 0, 50, 0, 50, 0, 0, NAN])


def test_build_series_of_metrics_and_a_few_requests_has_no_series_of_requests():
    metrics = measured("http_p99_ms", dict.fromkeys(range(10), 5.0), service_name="db")
    signals = build_series(made_production(requests=asked([3], service_name="shop"), metrics=metrics))
    assert {signal.signal for signal in signals} == {"saturation"}


def test_build_series_metrics_alone_do_not_say_that_nobody_asked():
    alive = measured("process.cpu.utilization", dict.fromkeys(range(10), 0.5))
    found = build_series(made_production(requests=asked([5, 6, 7, 8]), metrics=alive, recorded=range(10)))
    assert_array_equal(levels_of(found, "throughput", "service shop")[0], [NAN] * 5 + [10, 10, 10, 10, NAN])


def test_build_series_a_recording_after_a_gap_begins_anew():
    rows = [*asked(range(5)), *asked([100, 102, 103])]
    production = made_production(requests=rows, recorded=[*range(5), *range(100, 104)], window=(100, 104))
    times = signal_of(build_series(production), "throughput").matrix.time_us // B
    assert times.tolist() == [*range(17), *range(100, 104)]
    values = levels_of(build_series(production), "throughput", "service shop")[0]
    assert_array_equal(values, [NAN, 10, 10, 10, NAN, *[NAN] * 12, NAN, 0, 10, NAN])


def test_build_series_knows_regions_of_entries_and_releases_of_services():
    rows = [
        *asked(range(4), region="FR", release="1"),
        *asked(range(4, 8), region="DE", release="2", failed=1),
        *asked(range(8), region="US", is_entry=False, service_name="pay", route="charge"),
    ]
    signals = build_series(made_production(requests=rows, recorded=range(8)))
    errors = keys_of(signals, "error_ratio")
    assert errors[4:] == ("region DE", "region FR", "shop release 1", "shop release 2")
    assert sorted(errors[:4]) == ["pay: charge", "service pay", "service shop", "shop: GET /"]
    assert keys_of(signals, "throughput") == errors[:6]
    values, exposure = levels_of(signals, "error_ratio", "shop release 2")
    assert_array_equal(values, [NAN] * 4 + [1] * 4)
    assert exposure == [0] * 4 + [10] * 4


def test_build_series_does_not_learn_from_known_incidents():
    known = [{"time_us": 6 * B, "end_time_us": 8 * B, "incident_id": "I"}]
    rows = [
        row
        for first, last, bin_ in ((0, 3, 30), (3, 24, 60), (24, 40, 50))
        for row in asked(range(first, last), failed=2, bin=bin_)
    ]
    production = made_production(requests=rows, incidents=known, recorded=range(40), window=(30, 40), history=(0, 30))
    values, _ = levels_of(build_series(production), "error_ratio", "service shop")
    # Half of the six buckets before it; of the 32 after it sixteen.
    assert_array_equal(values, [2] * 3 + [NAN] * 21 + [2] * 16)
    latency, _ = levels_of(build_series(production), "latency", "service shop")
    assert_array_equal(latency, [NAN] * 24 + [10] * 6 + [0] * 10)


def test_build_series_latency_does_not_move_when_only_the_mix_of_routes_does():
    chance = np.random.default_rng(8)
    rows = [
        {"bucket_us": bucket * B, "route": route, "region": region, "bin": int(bin_), "requests": 1}
        for bucket in range(120)
        for route, usual, n in (("GET /fast", 20, 40 - bucket // 4), ("GET /slow", 60, 10 + bucket // 4))
        for region in ("DE", "FR")
        for bin_ in usual + chance.integers(0, 50, n)
    ]
    production = made_production(requests=rows, recorded=range(120), window=(60, 120), history=(0, 60))
    signals = build_series(production)
    for key in ("service shop", "region DE", "region FR"):
        values, exposure = (np.array(part[20:]) for part in levels_of(signals, "latency", key))
        assert exposure.sum() == (10_000 if key == "service shop" else 5_000)
        share = values.sum() / exposure.sum()
        # As far from each other, in standard errors, as two halves of the same coin tossed.
        halves = [values[at].sum() / exposure[at].sum() for at in (slice(0, 50), slice(50, 100))]
        assert 0 < share < 0.1
        assert abs(halves[1] - halves[0]) < 3 * math.sqrt(share * (1 - share) * 4 / exposure.sum())


def test_build_series_latency_of_a_service_is_the_sum_over_its_routes():
    chance = np.random.default_rng(9)
    rows = [
        {"bucket_us": bucket * B, "route": route, "bin": int(chance.integers(usual, usual + 9)), "requests": 40}
        for bucket in range(30)
        for route, usual in (("GET /fast", 20), ("GET /slow", 60))
    ]
    signals = build_series(made_production(requests=rows, recorded=range(30)))
    service, exposure = levels_of(signals, "latency", "service shop")
    routes = [levels_of(signals, "latency", f"shop: GET /{name}") for name in ("fast", "slow")]
    assert_array_equal(service, np.sum([values for values, _ in routes], axis=0))
    assert_array_equal(exposure, np.sum([of for _, of in routes], axis=0))
    assert np.nansum(service) > 0


def test_build_series_latency_of_a_route_waits_for_requests_of_its_own():
    # While nothing is known of any route, the service's 30 requests say what is usual, of the service.
    rows = [*asked(range(8), route="GET /a", requests=5), *asked(range(8), route="GET /b", requests=10)]
    signals = build_series(made_production(requests=rows, recorded=range(8)))
    assert_array_equal(levels_of(signals, "latency", "service shop")[1], [0, 0, 15, 10, 10, 10, 15, 15])
    assert_array_equal(levels_of(signals, "latency", "shop: GET /a")[1], [0, 0, 0, 0, 0, 0, 5, 5])
    assert_array_equal(levels_of(signals, "latency", "shop: GET /a")[0], [NAN] * 6 + [0, 0])


def test_build_series_leaves_out_what_was_recorded_in_incidents_only():
    known = [{"time_us": 5 * B, "end_time_us": 9 * B, "incident_id": "I"}]
    rows = [*asked(range(30)), *asked([6, 7], route="GET /b", requests=40)]
    production = made_production(requests=rows, incidents=known, recorded=range(30), window=(20, 30), history=(0, 20))
    errors = signal_of(build_series(production), "error_ratio")
    assert errors.matrix.keys == ("service shop", "shop: GET /")
    assert errors.too_few == 1


def test_build_series_looks_at_all_of_the_window_whatever_is_known():
    known = [{"time_us": 12 * B, "end_time_us": None, "incident_id": "I"}]
    production = made_production(requests=asked(range(20)), incidents=known)
    values, _ = levels_of(build_series(production), "error_ratio", "service shop")
    assert_array_equal(values, [0] * 6 + [NAN] * 4 + [0] * 10)


def test_build_series_leaves_out_the_series_with_the_least_traffic_and_says_how_many():
    rows = [row for number in range(6) for row in asked([number], route=f"GET /{number}", requests=30 + number)]
    errors = signal_of(build_series(made_production(requests=rows), max_series=3), "error_ratio")
    assert errors.matrix.keys == ("service shop", "shop: GET /5", "shop: GET /4")
    assert (errors.left_out, errors.too_few) == (4, 0)


def test_build_series_counts_error_logs_where_the_service_was_recorded():
    logs = [{"bucket_us": n * B, "errors": e, "rows": 5} for n, e in ((3, 0), (5, 2), (6, 1))]
    found = build_series(made_production(logs=logs, recorded=range(9)))
    values, exposure = levels_of(found, "log_errors", "service shop")
    assert_array_equal(values, [NAN] * 3 + [0, 0, 2, 1, 0, NAN])
    assert exposure is None


def test_build_series_brings_metrics_to_levels():
    metrics = [
        *measured("queue.depth", {0: 3.0, 2: 4.0}),
        *measured("queue.depth", {2: 9.0}, service_instance_id="i"),
        *measured("pool.used", {1: 3.0, 2: 6.0, 3: 6.0}),
        *measured("pool.max", {1: 12.0, 2: 12.0, 3: 0.0}),
        *measured("requests.total", {1: 3.0, 2: 6.0, 3: 6.0}),
    ]
    production = made_production(requests=asked([0]), metrics=metrics, recorded=range(4))
    saturation = signal_of(build_series(production), "saturation")
    assert saturation.matrix.kind == "level"
    assert saturation.about.select("key", "metric_unit", "worse", "requests").rows() == [
        ("shop queue.depth", "", 1, 0),
    ]
    assert_array_equal(saturation.matrix.values, [[3, NAN, 9, NAN]])
    assert saturation.too_few == 1


def test_build_series_of_visits_stands_on_buckets_of_its_own():
    visits = [
        {"bucket_us": 0, "journey": "/", "sessions": 30, "converted": 3},
        {"bucket_us": 0, "journey": "/p", "sessions": 10, "converted": 2, "views": 40, "errors": 8},
        {"bucket_us": 3 * B, "journey": "/p", "sessions": 60, "converted": 6, "views": 50, "errors": 60},
    ]
    signals = build_series(made_production(visits=visits, visit_bucket_s=30))
    assert keys_of(signals, "conversion") == ("journey of all", "journey /p", "journey /")
    assert signal_of(signals, "conversion").matrix.time_us.tolist() == [0, 3 * B]
    assert levels_of(signals, "conversion", "journey of all") == ([5, 6], [40, 60])
    assert levels_of(signals, "journey_mix", "journey /p") == ([10, 60], [40, 60])
    assert levels_of(signals, "frontend_errors", "journey /p") == ([8, 60], [40, 50])
    assert signal_of(signals, "frontend_errors").matrix.kind == "count"
    assert signal_of(signals, "conversion").about["worse"].unique().to_list() == [-1]


def test_build_series_has_no_conversion_where_nobody_converts():
    visits = [{"bucket_us": 0, "sessions": 40}]
    assert build_series(made_production(visits=visits)) == ()


def test_build_series_of_nothing_is_nothing():
    assert build_series(made_production()) == ()


def test_build_series_refuses_to_make_no_series():
    with pytest.raises(ParameterError, match="asked for 30 and 0"):
        build_series(made_production(), max_series=0)


def test_signal_set_wants_a_row_for_each_key():
    matrix = SeriesMatrix(("a",), np.array([0]), np.array([[1.0]]))
    about = signal_of(build_series(made_production(requests=asked(range(20)))), "error_ratio").about
    with pytest.raises(ParameterError, match="a row for each of the 1 keys"):
        SignalSet("error_ratio", matrix, about)
