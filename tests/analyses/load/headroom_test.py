import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load import measure_headroom
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.rollups.arrivals import ARRIVALS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA

S = 1_000_000


def arrivals(rps):
    zeros = dict.fromkeys(ARRIVALS_SCHEMA, 0)
    rows = [
        {**zeros, "bucket_us": at * 60 * S, "endpoint": "", "requests": round(60 * rate), "duration_ms_sum": 0.0}
        for at, rate in enumerate(rps)
    ]
    return pl.DataFrame(rows, schema=ARRIVALS_SCHEMA)


def metrics(levels, *, name="system.cpu.utilization", service="shop"):
    rows = [(at * 60 * S, name, "1", service, "", "", False, level, level, level, 1) for at, level in enumerate(levels)]
    return pl.DataFrame(rows, schema=METRIC_BUCKETS_SCHEMA, orient="row")


def day(n=200):
    return 10 + 8 * np.sin(np.linspace(0, 6 * np.pi, n))


def test_measure_headroom_reads_the_traffic_at_the_limit_off_a_line():
    rps = np.round(60 * day()) / 60
    found = measure_headroom(metrics(0.1 + 0.02 * rps), arrivals(rps))
    row = found.frame.row(0, named=True)
    assert row["rps_at_limit"] == pytest.approx(35.0)
    assert row["times_peak"] == pytest.approx(35.0 / found.peak_rps)
    assert (row["service_name"], row["resource"], row["n"]) == ("shop", "system.cpu.utilization", 200)
    assert row["says"] == "rises by 2 points a request per second; beyond what was seen"


def test_measure_headroom_interval_holds_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        # Noise with a memory: neighbouring buckets are alike.
        noise = np.zeros(200)
        for at in range(1, 200):
            noise[at] = 0.5 * noise[at - 1] + 0.02 * rng.normal()
        rps = np.round(60 * day()) / 60
        row = measure_headroom(metrics(0.1 + 0.02 * rps + noise), arrivals(rps)).frame.row(0, named=True)
        hits += row["rps_low"] <= 35.0 <= row["rps_high"]
    assert hits >= 53


@pytest.mark.parametrize(
    ("rps", "level", "says"),
    [
        (day(10), lambda rps: 0.02 * rps, "10 points are too few: 20 are needed"),
        (10 + 0.1 * day(), lambda rps: 0.02 * rps, "traffic hardly varied"),
        (day(), lambda rps: 0.5 - 0.01 * rps, "it does not rise with traffic for certain"),
        (day(), lambda rps: np.random.default_rng(1).random(len(rps)), "it does not rise with traffic for certain"),
        (day(), lambda rps: 0.002 * rps**2, "it does not rise along a line"),
        (day(), lambda rps: 0.01 + 0.005 * rps, "further than 3 times the highest traffic seen"),
    ],
)
def test_measure_headroom_abstains_with_the_reason(rps, level, says):
    rps = np.round(60 * rps) / 60
    found = measure_headroom(metrics(level(rps)), arrivals(rps))
    row = found.frame.row(0, named=True)
    assert row["rps_at_limit"] is None
    assert row["says"].startswith(says)
    assert "not known" in found._repr_html_()


def test_measure_headroom_abstains_where_the_slope_may_as_well_be_zero():
    rps = np.round(60 * day()) / 60
    noise = np.random.default_rng(4).normal(0, 0.1, len(rps))
    level = 0.4 + 0.001 * (rps - rps.mean()) + noise - np.polyval(np.polyfit(rps, noise, 2), rps)
    row = measure_headroom(metrics(level), arrivals(rps)).frame.row(0, named=True)
    assert row["slope"] == pytest.approx(0.001)
    assert (row["rps_at_limit"], row["says"]) == (None, "it does not rise with traffic for certain")


def test_measure_headroom_puts_first_what_is_full_first():
    rps = np.round(60 * day()) / 60
    both = pl.concat(
        [metrics(0.02 * rps, service="a"), metrics(0.03 * rps, service="b"), metrics(0 * rps, service="c")]
    )
    found = measure_headroom(both, arrivals(rps), limit=0.6)
    assert found.frame.select("service_name").to_series().to_list() == ["b", "a", "c"]
    assert found.frame["rps_at_limit"][0] == pytest.approx(20.0)
    assert "at 60 %" in found._repr_html_()


def test_measure_headroom_keeps_the_points_that_its_rows_rest_on():
    both = pl.concat([metrics([0.1, 0.2]), metrics([0.5, 0.6, 0.7], service="pay")])
    # The third bucket has no request: there is nothing to set its utilisation against.
    found = measure_headroom(both, arrivals([1.0, 2.0]))
    assert found.points.rows() == [
        ("pay", "system.cpu.utilization", 0, 1.0, 0.5),
        ("pay", "system.cpu.utilization", 60 * S, 2.0, 0.6),
        ("shop", "system.cpu.utilization", 0, 1.0, 0.1),
        ("shop", "system.cpu.utilization", 60 * S, 2.0, 0.2),
    ]
    assert found.frame.select("service_name", "n").rows() == [("pay", 2), ("shop", 2)]


def test_measure_headroom_leaves_out_what_has_no_known_limit():
    rps = day()
    found = measure_headroom(metrics(1000 * rps, name="queue.length"), arrivals(rps))
    assert found.frame.is_empty()
    assert "No resource with a known limit was recorded" in found._repr_html_()


def test_measure_headroom_refuses_what_cannot_be_asked():
    with pytest.raises(ParameterError, match="a share above 0 and at most 1; it is 80"):
        measure_headroom(metrics([0.1]), arrivals([1.0]), limit=80)
    with pytest.raises(NoDataError, match="no request to set utilisations against"):
        measure_headroom(metrics([0.1]), arrivals([]))
