import json

import polars as pl
import pytest

from prodintel_lib.analyses.slos import (
    ALERTS_SCHEMA,
    BUDGET_SCHEMA,
    BURN_SCHEMA,
    FORECAST_SCHEMA,
    FORESEEN_SCHEMA,
    NOW_SCHEMA,
    OBJECTIVES_SCHEMA,
    measure_slos,
)
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.windows import Window
from prodintel_lib.workspace import RouteSlo

from .made import at, make_production, make_row

DAY = 288
WINDOW = Window(at(DAY), at(2 * DAY))


def _measured(bad, *, slos=None, requests=100, window=WINDOW, route="GET /a", **others):
    rows = [make_row(at(bucket), route, requests, failed) for bucket, failed in enumerate(bad)]
    slos = [RouteSlo(route="GET /a", availability=0.99)] if slos is None else slos
    return measure_slos(make_production(rows, window=window, bucket_s=300), slos, **others)


def test_measure_slos_counts_what_was_kept_and_what_is_left():
    report = _measured([0] * DAY + [1] * DAY)
    row = report.objective("GET /a: 99 % succeed")
    assert (row["n"], row["good"], row["bad"], row["allowed"]) == (57_600, 57_312, 288, 576.0)
    assert row["compliance"] == pytest.approx(0.995)
    assert row["budget_left"] == pytest.approx(0.5)
    assert row["low"] < 0.995 < row["high"]
    assert row["design_effect"] > 1
    assert row["recorded_h"] == pytest.approx(48)
    # Burning at 1 a day, half of 28 days is left: 14 days.
    assert row["used_up_in_h"] == pytest.approx(336)
    assert (row["status"], row["alert"], row["is_proposed"], row["is_exact"]) == ("ok", "", False, True)


def test_measure_slos_gives_frames_of_the_schemas():
    report = _measured([0] * DAY + [1] * DAY, slos=[])
    for frame, schema in (
        (report.objectives, OBJECTIVES_SCHEMA),
        (report.now, NOW_SCHEMA),
        (report.alerts, ALERTS_SCHEMA),
        (report.foreseen, FORESEEN_SCHEMA),
        (report.burn, BURN_SCHEMA),
        (report.budget, BUDGET_SCHEMA),
        (report.budget_forecast, FORECAST_SCHEMA),
    ):
        assert dict(frame.schema) == schema
        assert not frame.is_empty()


def test_measure_slos_is_bad_while_it_pages_and_once_used_up():
    paging = _measured([0] * (2 * DAY - 12) + [16] * 12)
    assert paging.objectives.select("status", "alert").row(0) == ("bad", "page 1h/5m")
    assert paging.objectives["reason"][0] == "burns 16x over 1h, 16x over 5m: 192 of 1,200 requests"
    spent = _measured([10] * DAY + [0] * DAY)
    assert spent.objectives.select("status", "alert", "reason").row(0) == (
        "bad",
        "",
        "the budget is used up: 2,880 bad requests, 576.0 allowed of 57,600",
    )


def test_measure_slos_is_to_be_watched_while_little_is_left():
    assert _measured([1] * DAY + [0] * DAY).objectives["status"][0] == "ok"
    almost = _measured([3] * 150 + [0] * (2 * DAY - 150))
    assert almost.objectives.select("status", "reason").row(0) == ("watch", "22 % of the budget is left")


def test_measure_slos_never_calls_a_proposal_broken():
    report = _measured([0] * DAY + [0] * (DAY - 12) + [50] * 12, slos=[])
    row = report.objectives.filter(kind="availability").row(0, named=True)
    assert (row["is_proposed"], row["status"], row["alert"]) == (True, "watch", "page 1h/5m")


def test_measure_slos_puts_promises_first_and_the_worst_of_them_before_others():
    rows = [
        make_row(at(bucket), route, 100, failed)
        for bucket in range(2 * DAY)
        for route, failed in (("GET /a", 0), ("GET /b", 5), ("GET /c", 0))
    ]
    slos = [RouteSlo(route=f"GET /{name}", availability=0.99) for name in "abz"]
    report = measure_slos(make_production(rows, window=WINDOW, bucket_s=300), slos)
    assert list(report.objectives["objective"][:3]) == [
        "GET /b: 99 % succeed",
        "GET /z: 99 % succeed",
        "GET /a: 99 % succeed",
    ]
    assert set(report.objectives["route"][3:]) == {"GET /c"}
    assert report.unpromised_routes == 0


def test_measure_slos_knows_nothing_of_a_route_that_was_not_asked_for():
    report = _measured(
        [0] * 2 * DAY, route="GET /api/orders", slos=[RouteSlo(route="GET /api/order", availability=0.9)]
    )
    row = report.objective("GET /api/order: 90 % succeed")
    assert (row["status"], row["n"], row["compliance"], row["budget_left"]) == ("unknown", 0, None, None)
    assert row["reason"] == "no request of this route was recorded; there is `GET /api/orders`"
    burns = report.now.filter(pl.col("objective") == row["objective"])["burn"]
    assert burns.null_count() == len(burns) == 7


def test_measure_slos_is_as_of_the_last_bucket_recorded():
    report = _measured([0] * (DAY + 10))
    assert report.as_of_us == at(DAY + 10)
    assert report.period.end_us == report.as_of_us


def test_measure_slos_counts_a_latency_against_its_limit():
    rows = [make_row(at(bucket), "GET /a", 100, over_limit=2) for bucket in range(2 * DAY)]
    slos = [RouteSlo(route="GET /a", latency_ms=250, percentile=99)]
    production = make_production(rows, window=WINDOW, bucket_s=300, limits_ms={"GET /a": 250})
    row = measure_slos(production, slos).objective("GET /a: 99 % within 250 ms")
    assert (row["kind"], row["limit_ms"], row["percentile"], row["is_exact"]) == ("latency", 250.0, 99.0, True)
    assert row["compliance"] == pytest.approx(0.98)
    coarse = measure_slos(make_production(rows, window=WINDOW, bucket_s=300), slos)
    assert coarse.objective("GET /a: 99 % within 250 ms")["is_exact"] is False


def test_measure_slos_counts_the_routes_nobody_promises_anything_of():
    assert _measured([0], requests=3, window=Window(at(0), at(1)), slos=[]).unpromised_routes == 1
    assert _measured([0] * 2 * DAY, slos=[], max_proposed_routes=0).unpromised_routes == 1


def test_measure_slos_needs_something_recorded_in_the_window():
    with pytest.raises(NoDataError, match=r"Nothing was recorded in 2025-09-02 00:00:00-2025-09-03 00:00:00 UTC"):
        _measured([0] * 10)


def test_measure_slos_needs_a_period_of_a_day():
    with pytest.raises(ParameterError, match="A period is at least 1 day long; it is 0"):
        _measured([0] * 2 * DAY, period_days=0)


def test_slo_report_objective_names_the_nearest():
    with pytest.raises(ParameterError, match="did you mean `GET /a: 99 % succeed`"):
        _measured([0] * 2 * DAY).objective("GET /a: 99 % succed")


def test_slo_report_to_dict_is_json():
    document = _measured([0] * (2 * DAY - 12) + [16] * 12).to_dict()
    (first, *_) = json.loads(json.dumps(document))["objectives"]
    assert (first["objective"], first["alert"], len(first["now"]), len(first["alerts"]), len(first["foreseen"])) == (
        "GET /a: 99 % succeed",
        "page 1h/5m",
        7,
        4,
        3,
    )


def test_slo_report_to_dict_has_no_infinity():
    report = _measured([0] * (2 * DAY - 1) + [1], slos=[RouteSlo(route="GET /a", availability=1)])
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(text)["objectives"][0]["budget_left"] is None
