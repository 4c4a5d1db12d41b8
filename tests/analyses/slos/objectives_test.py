import pytest

from prodintel_lib.analyses.production import latency_limits_ms
from prodintel_lib.analyses.slos.objectives import (
    entry_routes,
    list_objectives,
    propose_objectives,
)
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import Window
from prodintel_lib.workspace import RouteSlo

from .made import at, make_production, make_row


def _proposed(rows, *, window, without=(), max_routes=12):
    production = make_production(rows, window=window, bucket_s=300)
    found = propose_objectives(
        production, without=without, as_of_us=window.end_us, period_days=28, max_routes=max_routes
    )
    return [objective.name for objective in found]


def test_list_objectives_makes_one_of_each_promise():
    found = list_objectives([RouteSlo(route="POST /a", latency_ms=2500, percentile=99, availability=0.995)])
    assert [(one.name, one.kind, one.target, one.allowed_share, one.limit_ms) for one in found] == [
        ("POST /a: 99.5 % succeed", "availability", 0.995, 0.005, None),
        ("POST /a: 99 % within 2,500 ms", "latency", 0.99, 0.01, 2500.0),
    ]


def test_list_objectives_tells_periods_apart_and_refuses_the_same_twice():
    week = RouteSlo(route="GET /a", availability=0.99, period_days=7)
    month = RouteSlo(route="GET /a", availability=0.99)
    assert [one.name for one in list_objectives([week, month])] == [
        "GET /a: 99 % succeed, in 7 days",
        "GET /a: 99 % succeed, in 28 days",
    ]
    with pytest.raises(ParameterError, match="promises the same thing twice: GET /a: 99 % succeed, in 28 days"):
        list_objectives([month, month])


def test_list_objectives_says_all_where_nothing_may_fail():
    (found,) = list_objectives([RouteSlo(route="GET /a", availability=1.0)])
    assert (found.name, found.allowed_share) == ("GET /a: all succeed", 0.0)


def test_latency_limits_are_the_strictest_percentiles():
    slos = [
        RouteSlo(route="GET /a", latency_ms=200, percentile=95),
        RouteSlo(route="GET /a", latency_ms=900, percentile=99),
        RouteSlo(route="GET /a", latency_ms=100, percentile=50),
        RouteSlo(route="GET /b", availability=0.9),
    ]
    assert latency_limits_ms(slos) == {"GET /a": 900.0}


def test_entry_routes_are_the_busiest_first():
    rows = [
        make_row(at(0), "GET /b", 5),
        make_row(at(0), "GET /a", 5),
        make_row(at(0), "GET /c", 9),
        make_row(at(0), "GET /d", 99, is_entry=False),
    ]
    assert entry_routes(make_production(rows, window=Window(at(0), at(1)), bucket_s=300).requests) == [
        "GET /c",
        "GET /a",
        "GET /b",
    ]


def test_propose_objectives_proposes_what_was_kept_with_certainty_before_the_window():
    # 10,000 requests with 20 failures, spread evenly: 99.8 %, at least 99.69 %. Durations of 10 ms (bin 29), 2 % of 48.
    history = [
        row
        for bucket in range(100)
        for row in (
            make_row(at(bucket), "GET /a", 98, bucket % 5 == 0, bin=29),
            make_row(at(bucket), "GET /a", 2, bin=48),
        )
    ]
    outage = [make_row(at(100), "GET /a", 1000, 1000, bin=80)]
    window = Window(at(100), at(101))
    assert _proposed(history + outage, window=window) == ["GET /a: 99.5 % succeed", "GET /a: 99 % within 50 ms"]


def test_propose_objectives_proposes_nothing_of_too_few_requests():
    assert _proposed([make_row(at(0), "GET /a", 20)], window=Window(at(0), at(1))) == []


def test_propose_objectives_learns_from_the_window_where_there_is_nothing_else():
    assert _proposed([make_row(at(0), "GET /a", 200, bin=29)], window=Window(at(0), at(1))) == [
        "GET /a: 98 % succeed",
        "GET /a: 95 % within 15 ms",
    ]


def test_propose_objectives_leaves_promised_routes_and_takes_the_busiest():
    rows = [make_row(at(0), f"GET /{name}", 1000 + order, bin=29) for order, name in enumerate("abc")]
    promised = list_objectives([RouteSlo(route="GET /c", availability=0.9)])
    found = _proposed(rows, window=Window(at(0), at(1)), without=promised, max_routes=1)
    assert found == ["GET /b: 99.5 % succeed", "GET /b: 99 % within 15 ms"]
    assert _proposed(rows, window=Window(at(0), at(1)), max_routes=0) == []
