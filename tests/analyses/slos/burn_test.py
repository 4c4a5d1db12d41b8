import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.slos.burn import (
    RULES,
    budget_left,
    budget_over_time,
    burn_over_time,
    measure_burns,
    used_up_in_h,
)
from prodintel_lib.analyses.slos.counts import Course
from prodintel_lib.windows import US_PER_S

from .made import START_US, at, course_of, promise

DAY = 288


def _states(course, target=0.99):
    return {alert["rule"]: alert["state"] for alert in measure_burns(promise(target), course).alerts}


def _ending(bad, *, quiet=3 * DAY):
    return course_of([100] * (quiet + len(bad)), [0] * quiet + bad)


def test_rules_are_those_of_the_workbook():
    assert [(rule.long, rule.short, rule.threshold, rule.severity) for rule in RULES] == [
        ("1h", "5m", 14.4, "page"),
        ("6h", "30m", 6.0, "page"),
        ("1d", "2h", 3.0, "ticket"),
        ("3d", "6h", 1.0, "ticket"),
    ]


def test_measure_burns_pages_when_an_hour_burns_fourteen_times():
    assert _states(_ending([15] * 12)) == {"1h/5m": "fires", "6h/30m": "quiet", "1d/2h": "quiet", "3d/6h": "quiet"}
    assert _states(_ending([14] * 12))["1h/5m"] == "quiet"


def test_measure_burns_stops_when_the_short_window_is_well_again():
    assert _states(_ending([60] * 12))["1h/5m"] == "fires"
    assert _states(_ending([60] * 12 + [0]))["1h/5m"] == "quiet"


def test_measure_burns_writes_tickets_of_slow_burns():
    assert _states(_ending([2] * 3 * DAY, quiet=0)) == {
        "1h/5m": "quiet",
        "6h/30m": "quiet",
        "1d/2h": "quiet",
        "3d/6h": "fires",
    }


def test_measure_burns_says_since_when_an_alert_fires():
    burns = measure_burns(promise(), _ending([60] * 12))
    # The hour's share reaches 14.4 % with the third bucket of 60 in 100: 180 of 1,200.
    assert burns.alerts[0]["since_us"] == at(3 * DAY + 3)


def test_measure_burns_does_not_shout_of_few_requests():
    burns = measure_burns(promise(0.999), course_of([0] * 11 + [5], [0] * 11 + [1]))
    assert burns.alerts[0]["state"] == "too few"
    assert "1 of 5 requests, too few to be sure" in burns.alerts[0]["reason"]
    assert measure_burns(promise(0.999), course_of([500], [3])).alerts[0]["state"] == "quiet"
    assert measure_burns(promise(0.9999), course_of([500], [2])).alerts[0]["state"] == "too few"
    assert measure_burns(promise(0.9999), course_of([500], [3])).alerts[0]["state"] == "fires"
    # Of 30 requests 8 failed, of which 5 are allowed: that may be chance.
    assert measure_burns(promise(0.83), course_of([30], [8])).alerts[3]["state"] == "too few"


def test_measure_burns_knows_nothing_without_requests():
    alerts = measure_burns(promise(), course_of([100] * 12 + [0], [50] * 12 + [0])).alerts
    assert (alerts[0]["state"], alerts[0]["burn_short"]) == ("not known", None)
    assert alerts[0]["reason"] == "no request of it was recorded in the last 5m"


def test_measure_burns_says_what_can_never_fire():
    states = _states(_ending([100] * 12), target=0.9)
    assert (states["1h/5m"], states["6h/30m"]) == ("cannot fire", "quiet")


def test_measure_burns_fires_at_the_first_failure_where_none_is_allowed():
    assert _states(course_of([100], [1]), target=1.0)["1h/5m"] == "fires"
    assert _states(course_of([100], [0]), target=1.0)["1h/5m"] == "quiet"


def test_measure_burns_tells_how_much_of_a_window_was_recorded():
    now = {row["window"]: row for row in measure_burns(promise(), course_of([100, 100], [1, 3])).now}
    assert (now["6h"]["n"], now["6h"]["bad"], now["6h"]["burn"]) == (200, 4, pytest.approx(2.0))
    assert now["6h"]["recorded_h"] == pytest.approx(1 / 6)
    assert now["6h"]["low"] < 2.0 < now["6h"]["high"]
    assert "(10 min 00 s of it recorded)" in measure_burns(promise(), course_of([100, 100], [1, 3])).alerts[1]["reason"]


def test_budget_left_is_overdrawn_below_zero():
    assert budget_left(promise(0.99), 5, 1000) == pytest.approx(0.5)
    assert budget_left(promise(0.99), 30, 1000) == pytest.approx(-2.0)
    assert math.isnan(budget_left(promise(0.99), 0, 0))
    assert [budget_left(promise(1.0), bad, 10) for bad in (0, 1)] == [1.0, -math.inf]


def test_budget_over_time_falls_from_whole_to_what_is_left():
    frame = budget_over_time(promise(0.99), course_of([500, 500], [0, 4]))
    assert frame.to_dicts() == [
        {"objective": "the promise", "bucket_us": at(0), "bad": 0, "total": 500, "left": 1.0},
        {"objective": "the promise", "bucket_us": at(1), "bad": 4, "total": 500, "left": pytest.approx(0.6)},
    ]


def test_burn_over_time_keeps_every_request_and_peak_when_thinned():
    course = course_of([10] * 5000, [0] * 2501 + [9] + [0] * 2498)
    frame = burn_over_time(promise(), course, measure_burns(promise(), course))
    assert frame.height <= 1000
    assert (frame["total"].sum(), frame["good"].sum()) == (50_000, 49_991)
    assert frame["burn_5m"].max() == pytest.approx(90.0)
    assert frame["bucket_us"].is_sorted()
    # The last day has every one of its 288 buckets.
    assert frame["bucket_us"].tail(288).to_list() == [at(bucket) for bucket in range(4712, 5000)]


def test_burn_over_time_keeps_every_bucket_of_a_short_record_with_a_long_gap():
    recorded = np.zeros(20_000, dtype=np.bool_)
    recorded[:3] = recorded[-5:] = True
    total = np.where(recorded, 10, 0)
    course = Course(START_US, 10 * US_PER_S, total, np.zeros(20_000, dtype=np.int64), recorded)
    frame = burn_over_time(promise(), course, measure_burns(promise(), course))
    assert frame["total"].to_list() == [10] * 8
    assert frame["bucket_us"][3] == at(19_995, 10)
    assert budget_over_time(promise(), course)["total"].to_list() == [10] * 8


def test_burn_over_time_is_null_where_it_is_not_known():
    course = course_of([10, 0], [1, 0])
    frame = burn_over_time(promise(), course, measure_burns(promise(), course))
    assert frame.select("burn_5m", "burn_1h").rows() == [
        (pytest.approx(10.0), pytest.approx(10.0)),
        (None, pytest.approx(10.0)),
    ]
    assert frame.schema["burn_5m"] == pl.Float64


def test_used_up_in_h_is_the_rest_at_the_pace_of_the_last_hour():
    assert used_up_in_h(promise(), 0.5, 14.0, period_h=672) == pytest.approx(24.0)
    assert used_up_in_h(promise(), -1.0, 14.0, period_h=672) == 0.0
    assert used_up_in_h(promise(), 0.5, 0.1, period_h=672) is None
    assert used_up_in_h(promise(), 0.5, None, period_h=672) is None
