"""How much it is and was, and what that is made of."""

import math

import numpy as np
import pytest

from prodintel_lib.analyses.anomaly_findings import find_anomalies
from prodintel_lib.analyses.anomaly_findings.figures import Figures, choose_reference, usual_limits_ms

from . import made


def figures(current, baseline, *, unit="share", n=100, baseline_n=1000):
    return Figures(current, baseline, math.nan, math.nan, n, baseline_n, unit, "")


@pytest.mark.parametrize(
    ("current", "baseline", "unit", "magnitude"),
    [(0.3, 0.1, "share", 0.2), (300.0, 100.0, "ms", 3.0), (5.0, 0.0, "per_s", math.inf)],
)
def test_magnitude_is_a_difference_of_shares_and_a_ratio_of_the_rest(current, baseline, unit, magnitude):
    assert figures(current, baseline, unit=unit).magnitude == pytest.approx(magnitude)


def test_magnitude_without_a_baseline_is_unknown():
    assert math.isnan(figures(0.3, math.nan).magnitude)
    assert math.isnan(figures(0.0, 0.0, unit="ms").magnitude)


def test_ratio_of_a_share_that_was_never_seen_counts_half_an_event():
    assert figures(0.3, 0.0).ratio == pytest.approx(0.3 / 0.0005)
    assert figures(0.0, 5.0, unit="per_s").ratio == math.inf


def test_choose_reference_is_the_last_hour_of_buckets_but_one():
    production = made.Shop(buckets=200).production()
    assert choose_reference(production, made.at(150)) == (made.at(89), made.at(148))
    assert choose_reference(production, made.at(0)) is None


def test_choose_reference_stays_in_its_recording_where_that_is_long_enough():
    production = made.Shop(buckets=100, missing=tuple(range(40, 60))).production()
    assert choose_reference(production, made.at(70)) == (made.at(60), made.at(68))
    assert choose_reference(production, made.at(63)) == (made.at(2 - 2), made.at(61))


def test_usual_limits_ms_are_the_ninety_ninth_percentile_by_route_from_outside():
    shop = made.Shop()
    limits = usual_limits_ms(shop.production(), (made.at(0), made.at(19)))
    assert {route: round(limit) for route, limit in limits.items()} == {"GET /home": 1393, "POST /pay": 1393}
    for key in shop.slow:
        shop.slow[key][:] = 1
    assert round(usual_limits_ms(shop.production(), (made.at(0), made.at(19)))["POST /pay"]) == 126
    few = made.Shop(per_bucket=1)
    assert usual_limits_ms(few.production(), (made.at(0), made.at(18))) == {}


def test_figures_of_few_slow_requests_are_medians():
    shop = made.Shop(per_bucket=10)
    for key in shop.slow:
        shop.slow[key][:] = 0
    shop.slowed("POST /pay", 30, 33, slow=9)
    [one] = find_anomalies(shop.production(), shop.series(), detector=made.Known()).findings
    assert (one.measure, one.n, round(one.current), round(one.baseline)) == ("p50 of the duration", 40, 1393, 126)


def test_figures_of_a_gauge_have_the_interval_of_a_median():
    gauge = np.full(60, 0.3)
    gauge[30:40] = np.linspace(0.91, 1.0, 10)
    shop = made.Shop().gauge("payment", "db.pool.used", gauge)
    [one] = find_anomalies(shop.production(), shop.series(), detector=made.Known()).findings
    assert (one.unit, one.measure, one.n) == ("value", "median of db.pool.used", 10)
    assert (one.low, one.current, one.high) == pytest.approx((0.92, 0.955, 1.0))


def test_figures_of_traffic_have_the_interval_of_a_poisson_rate():
    shop = made.Shop().traffic("GET /home", 30, 39, requests=0)
    [one] = find_anomalies(shop.production(), shop.series(), detector=made.Known()).findings
    assert (one.current, one.low, one.n) == (0.0, 0.0, 0)
    assert one.high == pytest.approx(3.6889 / 100, rel=1e-4)
