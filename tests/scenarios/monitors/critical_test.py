"""Which endpoints are critical, and why the others are not."""

import polars as pl

from prodintel_lib.scenarios.monitors.critical import choose_critical, measure_ways
from prodintel_lib.workspace import RouteSlo

COUNTS = {"GET /": 700, "GET /p": 200, "POST /buy": 60, "GET /help": 40}
REQUESTS = pl.DataFrame({"route": list(COUNTS), "requests": list(COUNTS.values())})


def choose(**changed):
    return choose_critical(REQUESTS, **{"slos": (), "converting": "", "ways": {}, **changed})


def test_choose_critical_takes_the_fewest_that_make_most_of_the_traffic():
    found, left_out = choose()
    assert found == {"GET /": ("70.0 % of the traffic",), "GET /p": ("20.0 % of the traffic",)}
    assert [each.what for each in left_out] == ["POST /buy", "GET /help"]
    assert left_out[1].why == "not critical: 4.0 % of the traffic, no promise, on no way to a conversion."


def test_choose_critical_puts_promises_and_conversions_first():
    found, _ = choose(slos=(RouteSlo(route="GET /help", latency_ms=10),), converting="POST /buy")
    assert list(found) == ["GET /help", "POST /buy", "GET /", "GET /p"]
    assert found["GET /help"] == ("promised in prodintel.yaml",)
    assert found["POST /buy"] == ("it converts",)


def test_choose_critical_says_what_is_promised_and_never_asked_for():
    _, left_out = choose(slos=(RouteSlo(route="GET /gone", availability=0.9),))
    assert (left_out[0].what, left_out[0].why) == ("GET /gone", "nothing was asked for there.")


def test_choose_critical_takes_what_most_converting_sessions_ask_for():
    found, _ = choose(ways={"GET /help": 0.85, "POST /buy": 0.79})
    assert found["GET /help"] == ("85 % of converting sessions ask for it",)
    assert "POST /buy" not in found


def test_measure_ways_counts_what_came_before_the_conversion():
    rows = [
        ("a", 1, "GET /"), ("a", 2, "POST /buy"), ("a", 3, "GET /help"),
        ("b", 1, "GET /"), ("b", 2, "GET /p"), ("b", 3, "POST /buy"),
        ("c", 1, "GET /help"),
    ]  # fmt: skip
    sent = pl.DataFrame(rows, schema=["session_id", "time_us", "route"], orient="row")
    assert measure_ways(sent, "POST /buy") == {"GET /": 1.0, "GET /p": 0.5}
    assert measure_ways(sent, "POST /other") == {}
