from types import SimpleNamespace

import polars as pl
import pytest

from prodintel_lib.analyses.slos import (
    ALERTS_SCHEMA,
    BUDGET_SCHEMA,
    BURN_SCHEMA,
    FORECAST_SCHEMA,
    FORESEEN_SCHEMA,
    OBJECTIVES_SCHEMA,
)
from prodintel_lib.charts.slos import LEAST_BURN, MAX_PANELS, plot_budget, plot_burn
from prodintel_lib.markup import Note
from prodintel_lib.windows import Window

MINUTE_US = 60_000_000
PERIOD = Window(0, 600 * MINUTE_US)
ORDERS = "POST /orders: 99.9 % answered"


def frame(rows, schema):
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def objective(name=ORDERS, **changed):
    row = {"objective": name, "is_proposed": False, "n": 10_000, "bad": 7, "budget_left": 0.3}
    return {**row, **changed}


def burns(name=ORDERS, minutes=range(3), **values):
    row = {"objective": name, "good": 99, "total": 100}
    return [{**row, "bucket_us": minute * MINUTE_US, **values} for minute in minutes]


def budget(*left, name=ORDERS):
    return [
        {"objective": name, "bucket_us": minute * MINUTE_US, "bad": 1, "total": 100, "left": value}
        for minute, value in enumerate(left)
    ]


def alert(rule, threshold, *, state="quiet", name=ORDERS):
    return {"objective": name, "rule": rule, "severity": "page", "threshold": threshold, "state": state}


def report(objectives, **frames):
    schemas = {
        "burn": BURN_SCHEMA, "budget": BUDGET_SCHEMA, "budget_forecast": FORECAST_SCHEMA, "alerts": ALERTS_SCHEMA,
        "foreseen": FORESEEN_SCHEMA,
    }  # fmt: skip
    return SimpleNamespace(
        objectives=frame(objectives, OBJECTIVES_SCHEMA), period=PERIOD, as_of_us=10 * MINUTE_US, bucket_s=60,
        forecast_level=0.8, unpromised_routes=5,
        **{name: frame(frames.get(name, ()), schema) for name, schema in schemas.items()},
    )  # fmt: skip


def data_with(spec, column):
    return [rows for rows in spec["datasets"].values() if rows and column in rows[0]]


def test_plot_burn_draws_the_long_windows_with_the_requests_of_each_column():
    spec = plot_burn(report([objective()], burn=burns(burn_5m=9.0, burn_1h=20.0, burn_6h=2.0))).to_dict()
    [rows] = data_with(spec, "good")
    assert [(row["1h"], row["6h"], row["1d"], row["3d"], row["good"], row["total"]) for row in rows] == [
        (20.0, 2.0, None, None, 99, 100)
    ] * 3
    transforms = spec["vconcat"][0]["layer"][-1]["transform"]
    assert transforms[0] == {"fold": ["1h", "6h", "1d", "3d"], "as": ["window", "burn"]}
    # A burn of 0 has no place on a log axis; one that is not known must not be taken for 0.
    assert transforms[1]["calculate"] == f"isValid(datum.burn) ? max(datum.burn, {LEAST_BURN}) : null"


def test_plot_burn_draws_each_alert_at_its_rate_in_the_colour_of_its_long_window():
    alerts = [alert("1h/5m", 14.4, state="fires"), alert("3d/6h", 1.0), alert("1h/5m", 14.4, name="another")]
    spec = plot_burn(report([objective()], burn=burns(burn_1h=20.0), alerts=alerts)).to_dict()
    [rules] = data_with(spec, "due_at")
    assert [(row["window"], row["due_at"], row["state"]) for row in rules] == [
        ("1h", 14.4, "fires"), ("3d", 1.0, "quiet"),
    ]  # fmt: skip
    rule, line = (layer["encoding"]["color"] for layer in spec["vconcat"][0]["layer"])
    assert (rule["field"], rule["scale"]) == (line["field"], line["scale"])
    assert spec["vconcat"][0]["title"]["text"] == [
        "POST /orders: 99.9 % answered: alert 1h/5m fires (n 10,000)"
    ]  # fmt: skip
    assert spec["vconcat"][0]["layer"][-1]["encoding"]["y"]["scale"]["domain"] == [LEAST_BURN, 24.0]


def test_plot_burn_breaks_its_lines_where_nothing_was_recorded():
    gap = report([objective()], burn=burns(minutes=[0, 1, 2, 30, 31], burn_1h=2.0))
    gap.as_of_us = 32 * MINUTE_US
    [rows] = data_with(plot_burn(gap).to_dict(), "good")
    assert [row["1h"] for row in rows] == [2.0, 2.0, 2.0, None, 2.0, 2.0]


def test_plot_burn_shows_the_last_day_of_the_evidence_or_what_is_asked_for():
    late = report([objective()], burn=burns(minutes=[0, 60, 1500, 1501, 1502], burn_1h=2.0))
    late.as_of_us = 1503 * MINUTE_US
    [rows] = data_with(plot_burn(late).to_dict(), "good")
    assert [row["time"][8:16] for row in rows if row["1h"]] == ["02T01:00", "02T01:01", "02T01:02"]
    [rows] = data_with(plot_burn(late, within=Window(0, 90 * MINUTE_US)).to_dict(), "good")
    assert [row["time"][8:16] for row in rows if row["1h"]] == ["01T00:00", "01T01:00"]


def test_plot_burn_has_no_line_where_no_request_was_recorded():
    rows = [
        *burns(minutes=[0, 1], burn_1h=2.0),
        *burns(minutes=[2, 3, 4, 5, 6, 7], burn_1h=2.0),
        *burns(minutes=[8], burn_1h=2.0),
    ]
    for row in rows[2:8]:
        row["total"], row["good"] = 0, 0
    [drawn] = data_with(plot_burn(report([objective()], burn=rows)).to_dict(), "good")
    assert [(row["1h"], row["total"]) for row in drawn] == [(2.0, 100), (2.0, 100), (None, None), (2.0, 100)]


def test_plot_burn_shows_the_worst_objectives_and_says_which_are_proposed():
    names = [f"o{number}" for number in range(6)]
    rows = [objective(name, is_proposed=name == "o1") for name in names]
    burn = [row for name in names if name != "o2" for row in burns(name, burn_1h=2.0)]
    spec = plot_burn(report(rows, burn=burn)).to_dict()
    assert [panel["title"]["text"][0].partition(":")[0] for panel in spec["vconcat"]] == [
        "o0", "o1 (proposed)", "o3", "o4",
    ]  # fmt: skip
    assert len(spec["vconcat"]) == MAX_PANELS
    assert spec["title"]["text"].endswith("4 of 6 objectives")


def test_plot_budget_draws_what_is_left_and_the_forecast_with_its_interval():
    ahead = [{"objective": ORDERS, "time_us": 20 * MINUTE_US, "left_low": -0.2, "left": 0.1, "left_high": 0.25}]
    foreseen = [
        {"objective": ORDERS, "horizon": "6h", "probability": 0.12},
        {"objective": ORDERS, "horizon": "24h", "probability": None},
        {"objective": ORDERS, "horizon": "period", "probability": 0.71},
    ]
    spec = plot_budget(
        report([objective()], budget=budget(1.0, 0.6, 0.3), budget_forecast=ahead, foreseen=foreseen)
    ).to_dict()
    [past] = data_with(spec, "bad")
    assert [(row["used"], row["bad"], row["total"]) for row in past] == [(0.0, 1, 100), (0.4, 1, 100), (0.7, 1, 100)]
    [fan] = data_with(spec, "used_low")
    assert [(row["used_low"], row["used"], row["used_high"]) for row in fan] == [pytest.approx((0.75, 0.9, 1.2))]
    assert " ".join(spec["vconcat"][0]["title"]["text"]) == (
        "POST /orders: 99.9 % answered: 30 % left (7 bad of 10,000); chance that it is used up: 12 % in 6h, 71 % in a "
        "period"
    )
    assert spec["title"]["subtitle"].endswith("dashed: forecast with its 80 % interval")
    assert spec["vconcat"][0]["layer"][1]["encoding"]["y"]["scale"]["domain"] == [0, 1.25]


def test_plot_budget_that_is_overdrawn_many_times_stays_readable():
    spec = plot_budget(report([objective(budget_left=-19.4)], budget=budget(1.0, -19.4))).to_dict()
    y = spec["vconcat"][0]["layer"][1]["encoding"]["y"]
    assert (y["scale"]["type"], y["scale"]["domain"]) == ("symlog", [0, 20.4])
    assert y["axis"]["values"] == [0, 0.5, 1, 2, 5, 10, 20]
    assert " ".join(spec["vconcat"][0]["title"]["text"]) == (
        "POST /orders: 99.9 % answered: used up 20.4 times over (7 bad of 10,000)"
    )
    assert "forecast" not in spec["title"]["subtitle"]


@pytest.mark.parametrize("plot", [plot_burn, plot_budget])
def test_plots_without_an_objective_are_a_sentence(plot):
    note = plot(report([]))
    assert isinstance(note, Note)
    assert note.says == (
        "No objective is promised or can be proposed (5 routes were seen), so there is no budget to follow."
    )


@pytest.mark.parametrize(
    ("plot", "asked"),
    [(plot_burn, "1969-12-31 00:10:00-1970-01-01 00:10:00"), (plot_budget, "1970-01-01 00:00:00-10:00:00")],
)
def test_plots_of_objectives_without_a_request_are_a_sentence(plot, asked):
    note = plot(report([objective(n=0, budget_left=None)], burn=burns()))
    assert isinstance(note, Note)
    assert note.says == (
        f"No request that an objective is about was recorded in {asked} UTC (objectives: 1), so "
        "nothing is known of their budgets."
    )
