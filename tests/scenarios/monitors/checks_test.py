"""What healthy answers are like, and which checks are made of it."""

import polars as pl
import pytest

from prodintel_lib.scenarios.monitors.checks import CLIENT_MS, Limit, Share, find_limit, make_checks, measure_standard
from prodintel_lib.scenarios.monitors.rules import Case
from prodintel_lib.workspace import RouteSlo
from tests.scenarios.guards.productions import requests
from tests.scenarios.monitors.rules_test import request

ROUTE = "GET /api/home"


def light(n=400, *, failed=0, status=200, duration_ms=20.0, refused=0):
    statuses = [500] * failed + [402] * refused + [status] * (n - failed - refused)
    return pl.DataFrame(
        {
            "http_response_status_code": statuses,
            "failed": [each == 500 for each in statuses],
            "duration_ms": [duration_ms] * n,
        }
    )


def cases(n, answer=lambda number: {"n": number}):
    return [Case(request("GET", "/api/home", answer=answer(k), time_us=k), ()) for k in range(n)]


def standard(**changed):
    told = {
        "limit": Limit(150, 50.0, "is fast"),
        "requests": requests(0, 40),
        "light": light(),
        "cases": cases(120),
        "steps": (),
        "replaced": frozenset(),
    }
    return measure_standard(ROUTE, **{**told, **changed})


def test_find_limit_takes_the_strictest_promise():
    slos = (
        RouteSlo(route=ROUTE, latency_ms=800, percentile=99),
        RouteSlo(route=ROUTE, latency_ms=300, percentile=90),
        RouteSlo(route="GET /other", latency_ms=1, percentile=99.9),
    )
    limit = find_limit(ROUTE, requests(0, 40), slos)
    assert (limit.limit_ms, limit.server_ms) == (800, 800.0)
    assert limit.says == "takes at most 800 ms, as prodintel.yaml promises for 99 %"


@pytest.mark.parametrize(
    ("buckets", "percentile"), [(30, "99th"), (29, "95th"), (6, "95th"), (5, "90th"), (3, "90th"), (2, None)]
)
def test_find_limit_measures_the_highest_percentile_that_has_an_upper_bound(buckets, percentile):
    # Of 299 requests, 59 or 29 the slowest is the upper bound of the 99th, 95th or 90th percentile.
    limit = find_limit(ROUTE, requests(0, buckets), ())
    if percentile is None:
        assert limit is None
        return
    assert f"the upper bound of the {percentile} percentile in production" in limit.says
    assert limit.limit_ms - CLIENT_MS == pytest.approx(20 * 1.04, abs=2)


def test_find_limit_lies_above_the_slow_ones_that_a_percentile_may_hide():
    # Seven of four hundred are slow: surely more than one in a hundred may be.
    limit = find_limit(ROUTE, pl.concat([requests(0, 33), requests(33, 7, slow=1)]), ())
    assert limit.server_ms == pytest.approx(900 * 1.04, rel=0.05)


def test_measure_standard_counts_what_fails_and_what_is_slow():
    made = standard(requests=pl.concat([requests(0, 39), requests(39, 1, failed=1, slow=2)]))
    assert (made.failed, made.slow) == (Share(1, 400), Share(2, 400))
    assert made.patience_ms == 2_000


def test_measure_standard_takes_the_statuses_that_are_no_accident():
    assert standard(light=light(400, refused=4)).statuses == (200, 402)
    assert standard(light=light(400, refused=3, failed=20)).statuses == (200,)


def test_measure_standard_holds_the_second_half_to_a_schema_of_the_first():
    made = standard(cases=cases(120, lambda n: {"n": n} if n < 100 else {"m": n}))
    assert made.broken == Share(20, 60)
    assert standard().broken == Share(0, 60)


def test_make_checks_says_why_there_is_no_schema():
    checks, without = make_checks(standard(cases=cases(49)), 6, light())
    assert [check.id for check in checks] == ["availability", "latency"]
    assert [(each.what, each.why) for each in without] == [
        (f"{ROUTE}: schema", "fewer than 50 answers were recorded with their bodies.")
    ]


def test_make_checks_leaves_out_what_production_itself_does_not_keep():
    rotten = standard(requests=requests(0, 40, failed=3))
    checks, without = make_checks(rotten, 6, light())
    assert "availability" not in [check.id for check in checks]
    assert without[0].why.startswith("120 of 400 requests did not keep it in healthy time already, at most 34 %")


def test_make_checks_counts_groups_of_production_that_would_have_been_red():
    seen = light(402, failed=6)
    (availability, *_), _ = make_checks(standard(), 6, seen)
    assert (availability.tries, availability.group_alarms, availability.groups) == (3, 1, 67)
