import math

import polars as pl
import pytest

from prodintel_lib.analyses.slos import measure_slos
from prodintel_lib.analyses.status_board import (
    BOARD_SCHEMA,
    active_findings,
    build_status_board,
    current_text,
)
from prodintel_lib.workspace import RouteSlo

from .made_board import (
    WINDOW,
    errors_row,
    finding_of,
    findings_of,
    golden_of,
    latency_row,
    promises,
    quiet_production,
    saturation_row,
    traffic_row,
)
from .slos.made import at, make_production, make_row

ROUTE = {"grain": "route", "service_name": "shop", "route": "GET /a"}
SERVICE = {"grain": "service", "service_name": "shop", "route": ""}


def _board(*findings, slos=(), **golden):
    return build_status_board(golden_of(**golden), promises(*slos), findings_of(*findings), quiet_production())


def _statuses(board):
    return [tuple(row) for row in board.rows.select("signal", "about", "status").rows()]


def test_build_status_board_is_well_where_all_is_as_usual():
    board = _board(latency=[latency_row()], traffic=[traffic_row()], errors=[errors_row()])
    assert board.verdict == "ok"
    assert board.sentence == "Of 3 signals none are bad and none are to be watched: 3 are as usual."
    assert _statuses(board) == [
        ("errors", "all requests", "ok"),
        ("latency", "all requests", "ok"),
        ("traffic", "all requests", "ok"),
    ]
    assert dict(board.rows.schema) == BOARD_SCHEMA
    assert board.as_of_us == at(576)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"trend": "rising", "ratio": 0.06}, "bad"),
        ({"trend": "new", "ratio": 0.04}, "watch"),
        ({"trend": "steady", "ratio": 0.2}, "ok"),
        ({"trend": "too few to say", "ratio": 0.01}, "unknown"),
        ({"trend": "too few to say", "ratio": 0.001}, "ok"),
        ({"trend": "none", "ratio": 0.01, "history_n": 0}, "unknown"),
        ({"trend": "none", "ratio": 0.2, "history_n": 0}, "watch"),
        ({"trend": "none", "ratio": None, "n": 0, "failed": 0}, "unknown"),
    ],
)
def test_build_status_board_judges_errors(given, status):
    assert _statuses(_board(errors=[errors_row(**given)])) == [("errors", "all requests", status)]


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        ({"verdict": "slower", "p95_ms": 130.0}, "watch", "p95 is 1.3 times what it was"),
        ({"verdict": "slower", "p95_ms": 110.0}, "ok", "p95 is 1.1 times what it was"),
        ({"verdict": "slower", "p95_ms": 300.0}, "bad", "p95 is 3 times what it was"),
        # What takes less than 100 ms feels instant whatever it took before.
        ({"verdict": "slower", "p95_ms": 99.0, "history_p95_ms": 9.0}, "ok", "p95 is 11 times what it was"),
        ({"verdict": "too few to say", "p95_ms": 130.0}, "unknown", "too few requests to say"),
        ({"verdict": "too few to say", "p95_ms": 90.0}, "ok", "p95 no higher than before"),
        ({"verdict": "faster", "p95_ms": 50.0}, "ok", "p95 is below what it was"),
        ({"verdict": "no history", "history_p95_ms": None}, "unknown", "nothing before it to compare with"),
        (
            {"verdict": "slower", "judged_by": "p99", "p99_ms": 250.0, "history_p99_ms": 100.0},
            "watch",
            "p99 is 2.5 times",
        ),
    ],
)
def test_build_status_board_judges_latency(given, status, reason):
    row = _board(latency=[latency_row(**given)]).rows.row(0, named=True)
    assert row["status"] == status
    assert row["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"verdict": "less", "times_usual": 0.4}, "watch"),
        ({"verdict": "more", "times_usual": 1.5}, "ok"),
        ({"verdict": "more", "times_usual": 3.0}, "watch"),
        ({"verdict": "too few to say"}, "unknown"),
    ],
)
def test_build_status_board_judges_traffic(given, status):
    assert _board(traffic=[traffic_row(**given)]).rows["status"][0] == status


def test_build_status_board_judges_what_has_a_limit():
    rows = [saturation_row(key=risk, resource=risk, risk=risk) for risk in ("ok", "high", "critical", "no limit known")]
    board = _board(saturation=rows, errors=[errors_row()])
    assert _statuses(board) == [
        ("saturation", "critical of shop", "bad"),
        ("saturation", "high of shop", "watch"),
        ("errors", "all requests", "ok"),
        ("saturation", "ok of shop", "ok"),
    ]
    # Only a machine shows it: users are well, so far.
    assert board.verdict == "watch"


def test_build_status_board_says_how_long_a_resource_was_how_full():
    full = saturation_row(risk="critical", watch_share=0.5, high_share=0.4, critical_share=0.25)
    filling = saturation_row(
        key="b", resource="disk", watch_share=0.5, risk="watch", hours_left=3.0, says="full in 3 h"
    )
    board = _board(saturation=[full, filling, saturation_row(key="c", resource="cpu")])
    assert board.rows.select("about", "reason").rows() == [
        ("connections of shop", "at 90 % or more for 25 % of the time"),
        ("disk of shop", "at 70 % or more for 50 % of the time; full in 3 h"),
        ("cpu of shop", "never at 70 %"),
    ]


def test_build_status_board_leaves_out_quiet_resources_beyond_the_fullest():
    rows = [saturation_row(key=str(place), resource=f"disk {place}") for place in range(9)]
    assert _board(saturation=rows).rows["about"].to_list() == [f"disk {place} of shop" for place in range(6)]


def test_build_status_board_has_a_row_for_each_promise_and_none_for_proposals():
    board = _board(slos=[RouteSlo(route="GET /a", availability=0.99), RouteSlo(route="GET /b", availability=0.9)])
    assert board.rows.select("signal", "about", "current", "status", "trend", "n").rows() == [
        ("budget", "GET /b: 90 % succeed", None, "unknown", "unknown", 0),
        ("budget", "GET /a: 99 % succeed", 1.0, "ok", "steady", 57_600),
    ]
    assert board.verdict == "ok"


def test_build_status_board_takes_figures_of_a_finding_that_lasts():
    board = _board(finding_of(), errors=[errors_row(), errors_row(**ROUTE)])
    row = board.rows.row(0, named=True)
    assert (row["about"], row["status"], row["current"], row["baseline"], row["n"], row["trend"]) == (
        "GET /a",
        "bad",
        0.4,
        0.002,
        500,
        "rising",
    )
    assert board.rows.height == 2
    assert board.verdict == "bad"
    assert board.sentence == (
        "Of 2 signals 1 is bad and none are to be watched. First: errors of GET /a, 40.0 %, 0.20 % before (n 500): "
        "Errors of GET /a rose."
    )


def test_build_status_board_cuts_a_long_reason_in_its_sentence_alone():
    board = _board(errors=[errors_row(trend="new", ratio=0.1, says="many words " * 40)])
    assert board.sentence.endswith(" many…")
    assert len(board.sentence) < 300
    assert board.rows["reason"][0] == "many words " * 40


def test_build_status_board_watches_a_finding_of_little_severity():
    assert _board(finding_of(severity="medium"), errors=[errors_row(**ROUTE)]).verdict == "watch"


def test_build_status_board_watches_what_is_over():
    board = _board(finding_of(ongoing=False), errors=[errors_row(**ROUTE)])
    assert board.rows.select("status", "current", "reason").row(0) == (
        "watch",
        0.002,
        "Errors of GET /a rose; over after 1 h 20 min",
    )


def test_build_status_board_keeps_what_the_window_says_of_what_is_over():
    rising = errors_row(**ROUTE, trend="rising", ratio=0.1)
    board = _board(finding_of(ongoing=False), errors=[rising])
    assert board.rows.select("status", "reason").row(0) == (
        "bad",
        "2 of 1,000 requests failed. Errors of GET /a rose; over after 1 h 20 min",
    )


def test_build_status_board_watches_a_budget_that_was_used_up_and_burns_no_more():
    rows = [make_row(at(bucket), "GET /a", 100, 50 * (bucket < 100)) for bucket in range(576)]
    production = make_production(rows, window=WINDOW, bucket_s=300)
    slos = measure_slos(production, [RouteSlo(route="GET /a", availability=0.99)], max_proposed_routes=0)
    assert slos.objectives["status"][0] == "bad"
    board = build_status_board(golden_of(errors=[errors_row()]), slos, findings_of(), production)
    assert (board.rows["status"][0], board.verdict) == ("watch", "watch")
    burning = [make_row(at(bucket), "GET /a", 100, 50 * (bucket > 400)) for bucket in range(576)]
    production = make_production(burning, window=WINDOW, bucket_s=300)
    slos = measure_slos(production, [RouteSlo(route="GET /a", availability=0.99)], max_proposed_routes=0)
    assert build_status_board(golden_of(), slos, findings_of(), production).verdict == "bad"


def test_build_status_board_gives_a_row_to_a_finding_that_has_none():
    finding = finding_of(
        signal="conversion",
        grain="journey",
        route="",
        service_name="",
        key="/checkout",
        current=math.nan,
        severity="low",
    )
    board = _board(finding, errors=[errors_row()])
    assert board.rows.select("signal", "about", "current", "status", "trend").row(0) == (
        "conversion",
        "/checkout",
        None,
        "watch",
        "unknown",
    )


def test_build_status_board_knows_no_figure_of_now_for_what_is_over_and_has_no_row():
    board = _board(finding_of(ongoing=False), errors=[errors_row()])
    assert board.rows.select("about", "current", "baseline", "n", "status").row(0) == (
        "GET /a",
        None,
        0.002,
        None,
        "watch",
    )


def test_build_status_board_counts_a_service_one_step_less_than_what_users_feel():
    finding = finding_of(route="", grain="service")
    assert _board(finding, errors=[errors_row(), errors_row(**SERVICE)]).verdict == "watch"


def test_build_status_board_leaves_out_quiet_services_and_quiet_routes_beyond_the_busiest():
    routes = [errors_row(grain="route", service_name="shop", route=f"GET /{place}") for place in range(9)]
    board = _board(errors=[errors_row(), errors_row(**SERVICE), *routes])
    assert board.rows["about"].to_list() == ["all requests", *(f"GET /{place}" for place in range(6))]


def test_build_status_board_cannot_tell_without_history():
    board = _board(latency=[latency_row(verdict="no history")])
    assert (board.verdict, board.sentence) == (
        "unknown",
        "Too little is known to tell: 1 of 1 signals cannot be compared.",
    )
    assert _board().verdict == "unknown"


def test_active_findings_tells_what_lasts_from_what_is_over():
    lasting, over = finding_of(), finding_of(ongoing=False, id="AN-1")
    assert active_findings(findings_of(over, lasting)) == ([lasting], [over])


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "ms", "–"),
        (0.377, "share", "37.7 %"),
        (0.0021, "share", "0.21 %"),
        (0.0, "share", "0.0 %"),
        (-0.5, "share", "used up 1.5 times"),
        (1200.0, "ms", "1,200 ms"),
        (2.5, "per_s", "2.50 /s"),
        (7.0, "", "7"),
    ],
)
def test_current_text_has_the_unit(value, unit, said):
    assert current_text(value, unit) == said


def test_status_board_html_escapes_and_says_its_status_in_words():
    hostile = "GET /<img src=x onerror=alert(1)>"
    html = _board(errors=[errors_row(**{**ROUTE, "route": hostile}, trend="new", ratio=0.1)])._repr_html_()
    assert "<img" not in html
    assert "✗ bad" in html
    assert "n 1,000" in html


def test_build_status_board_puts_the_worst_first():
    board = _board(
        errors=[errors_row(), errors_row(**ROUTE, trend="new", ratio=0.01)], traffic=[traffic_row(verdict="less")]
    )
    assert board.rows["status"].to_list() == ["watch", "watch", "ok"]
    assert board.rows["signal"].to_list() == ["errors", "traffic", "errors"]
    assert isinstance(board.rows, pl.DataFrame)
