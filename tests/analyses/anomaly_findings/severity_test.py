"""How bad, and why: by whom it hit, how much and how long."""

import dataclasses
import math

import pytest

from prodintel_lib.analyses.anomaly_findings.figures import Figures
from prodintel_lib.analyses.anomaly_findings.severity import Circumstances, grade
from prodintel_lib.analyses.statistics import Proportion

SHARE = Figures(0.3, 0.01, 0.28, 0.32, 5000, 5000, "share", "requests that failed")
CASE = Circumstances("ERROR_RATE_SPIKE", SHARE, True, Proportion.of(1500, 50_000), 1500.0, 300.0, False, True)


def changed(**values):
    return grade(dataclasses.replace(CASE, **values))


@pytest.mark.parametrize(("hit", "severity"), [(100, "medium"), (500, "medium"), (5000, "high"), (12_500, "critical")])
def test_grade_rises_with_the_share_of_all_requests(hit, severity):
    assert changed(affected=Proportion.of(hit, 50_000))[0] == severity


def test_grade_of_a_small_share_everywhere_is_low():
    small = dataclasses.replace(SHARE, current=0.05)
    assert changed(figures=small, affected=Proportion.of(100, 50_000)) == (
        "low",
        "4.0 points more than before (n 5,000); 100 of 50,000 requests from outside went bad (0.2 %)",
    )


def test_grade_rises_by_one_with_an_hour():
    assert changed(duration_s=3600.0)[0] == "high"
    assert changed(duration_s=3600.0, is_ongoing=True)[1].endswith("lasts 1 h 00 min")


@pytest.mark.parametrize(("events", "most"), [(9.0, "low"), (29.0, "medium"), (99.0, "high"), (100.0, "critical")])
def test_grade_of_few_events_is_bounded(events, most):
    severity, reason = changed(affected=Proportion.of(20_000, 50_000), events=events)
    assert severity == most
    assert ("only" in reason) == (most != "critical")


def test_grade_of_what_nobody_outside_feels_is_medium_at_most():
    severity, reason = changed(is_felt=False, affected=None, figures=dataclasses.replace(SHARE, current=0.9))
    assert (severity, reason) == (
        "medium",
        "89.0 points more than before (n 5,000); no request from outside is known to be hit",
    )


def test_grade_is_bounded_by_the_strictest_limit():
    nearly_all = dataclasses.replace(SHARE, current=0.9)
    severity, reason = changed(is_felt=False, affected=None, figures=nearly_all, events=60.0)
    assert (severity, reason.rpartition("; ")[2]) == ("medium", "no request from outside is known to be hit")


def test_grade_of_what_need_not_be_worse_is_medium_at_most():
    surge = Figures(50.0, 1.0, 49.0, 51.0, 5000, 100, "per_s", "requests a second")
    found = changed(type="THROUGHPUT_SURGE", figures=surge, is_for_the_worse=False, affected=None)
    assert found == ("medium", "50.0 times as much (n 5,000); a change that need not be for the worse")


def test_grade_of_traffic_that_is_gone_is_high():
    gone = Figures(0.0, 10.0, 0.0, 0.1, 0, 1000, "per_s", "requests a second")
    assert changed(type="THROUGHPUT_DROP", figures=gone, affected=None) == ("high", "gone (n 0)")


def test_grade_of_a_full_gauge_is_medium():
    full = Figures(0.95, 0.7, 0.9, 1.0, 20, 60, "value", "median of db.pool.used")
    assert changed(type="SATURATION", figures=full, is_felt=False, affected=None)[0] == "medium"
    quarter = dataclasses.replace(full, current=0.5, baseline=0.4)
    assert changed(type="SATURATION", figures=quarter, is_felt=False, affected=None)[0] == "low"


def test_grade_of_what_still_feels_instant_is_low():
    quick = Figures(99.0, 9.0, 90.0, 110.0, 5000, 5000, "ms", "p95 of the duration")
    severity, reason = changed(type="LATENCY_DEGRADATION", figures=quick)
    assert (severity, reason.rpartition("; ")[2]) == ("low", "still under 100 ms, which feels instant")
    assert changed(type="LATENCY_DEGRADATION", figures=dataclasses.replace(quick, current=100.0))[0] == "high"


def test_grade_of_a_rare_route_is_never_critical():
    down = {"figures": dataclasses.replace(SHARE, current=1.0), "duration_s": 7200.0}
    severity, reason = changed(**down, affected=Proportion.of(499, 50_000))
    assert (severity, reason.rpartition("; ")[2]) == ("high", "under 1 % of the requests from outside")
    assert changed(**down, affected=Proportion.of(500, 50_000))[0] == "critical"


def test_grade_without_a_baseline_says_so():
    assert changed(figures=dataclasses.replace(SHARE, unit="ms", baseline=math.nan), affected=None) == (
        "low",
        "nothing to compare with (n 5,000)",
    )
