import random

import polars as pl
import pytest

from prodintel_lib.analyses.frontend_errors.impact import measure_impact
from prodintel_lib.analyses.frontend_errors.risk_sets import tally_risks
from prodintel_lib.analyses.frontend_errors.tally import ANYWHERE

EVERYWHERE = pl.DataFrame({"pattern_id": ["E"], "home": [ANYWHERE]})


def made(sessions, *, seed, leaves_for_it):
    """Make sessions that meet E on one view in five, go on from a view in 7 of 10, and buy after five.

    Of those who meet it, a share leaves because of it.
    """
    chance = random.Random(seed)
    views, met, clients = [], [], []
    for number in range(sessions):
        view, here, bought = 0, True, False
        while here and not bought:
            view += 1
            views.append((number, view, "/shop"))
            hit = chance.random() < 0.2
            if hit:
                met.append(("E", number, view, True))
            here = chance.random() < 0.7 and not (hit and chance.random() < leaves_for_it)
            bought = here and view == 5
        clients.append((number, bought, *([""] * 4)))
    return (
        pl.DataFrame(views, schema=["session_key", "view_no", "route"], orient="row"),
        pl.DataFrame(met, schema=["pattern_id", "session_key", "first_view_no", "before_conversion"], orient="row"),
        pl.DataFrame(
            clients,
            schema=["session_key", "converted", "device_type", "region", "browser_name", "user_is_new"],
            orient="row",
        ),
    )


def test_measure_impact_charges_nothing_to_an_error_that_long_sessions_meet_more_often():
    views, met, clients = made(6000, seed=1, leaves_for_it=0.0)
    ever = clients.with_columns(pl.col("session_key").is_in(met["session_key"].implode()).alias("ever"))
    share = dict(ever.group_by("ever").agg(pl.col("converted").mean()).iter_rows())
    assert share[True] > share[False] + 0.1
    row = measure_impact(tally_risks(views, met, clients), EVERYWHERE).row(0, named=True)
    assert row["low"] < 0 < row["high"]
    assert abs(row["difference"]) < 0.02
    assert row["p_value"] > 0.05


def test_measure_impact_finds_what_an_error_costs_though_who_met_it_bought_more_often():
    views, met, clients = made(6000, seed=2, leaves_for_it=0.2)
    ever = clients.with_columns(pl.col("session_key").is_in(met["session_key"].implode()).alias("ever"))
    share = dict(ever.group_by("ever").agg(pl.col("converted").mean()).iter_rows())
    assert share[True] > share[False]
    row = measure_impact(tally_risks(views, met, clients), EVERYWHERE).row(0, named=True)
    assert row["high"] < 0
    assert row["p_value"] < 1e-3
    # What is met later again, the others meet as well.
    assert row["difference"] == pytest.approx(-0.2 * row["unexposed_share"], rel=0.2)


def test_measure_impact_is_right_nineteen_times_in_twenty_where_nothing_is_lost():
    outside = 0
    for seed in range(200):
        row = measure_impact(tally_risks(*made(400, seed=seed, leaves_for_it=0.0)), EVERYWHERE).row(0, named=True)
        outside += not row["low"] <= 0 <= row["high"]
    assert outside <= 16


def test_measure_impact_counts_the_views_of_a_session_as_one_session():
    views = pl.DataFrame({"session_key": ["a"] * 4 + ["b"], "view_no": [1, 2, 3, 4, 1], "route": ["/"] * 5})
    met = pl.DataFrame({"pattern_id": ["E"], "session_key": ["b"], "first_view_no": [1], "before_conversion": [True]})
    clients = pl.DataFrame({"session_key": ["a", "b"], "converted": [True, False], **dict.fromkeys(
        ("device_type", "region", "browser_name", "user_is_new"), "")})  # fmt: skip
    row = measure_impact(tally_risks(views, met, clients), EVERYWHERE).row(0, named=True)
    # Two views in the stratum, of sessions with four and one: each stands for 2 / 5 of a session.
    assert (row["exposed"], row["matched_exposed"], row["matched_unexposed"]) == (1, 1, 0)
    assert (row["exposed_share"], row["unexposed_share"]) == (0.0, 1.0)


def test_measure_impact_looks_for_others_where_all_of_a_browser_met_it():
    kinds = [("a", "Safari"), ("b", "Safari"), ("c", "Firefox"), ("d", "Firefox")]
    views = pl.DataFrame({"session_key": [key for key, _ in kinds], "view_no": [1] * 4, "route": ["/"] * 4})
    met = pl.DataFrame(
        {"pattern_id": ["E"] * 2, "session_key": ["a", "b"], "first_view_no": [1, 1], "before_conversion": [True] * 2}
    )
    clients = pl.DataFrame(
        {
            "session_key": [key for key, _ in kinds],
            "converted": [False, False, True, False],
            "browser_name": [name for _, name in kinds],
            "device_type": [""] * 4,
            "region": [""] * 4,
            "user_is_new": ["new"] * 4,
        }
    )
    row = measure_impact(tally_risks(views, met, clients), EVERYWHERE).row(0, named=True)
    assert row["matched_on"] == "page, number of the view, device, region, new or returning"
    assert (row["matched_exposed"], row["matched_unexposed"], row["difference"]) == (2, 2, -0.5)


def test_measure_impact_of_a_page_leaves_other_pages_out():
    views = pl.DataFrame({"session_key": ["a", "a", "b", "b"], "view_no": [1, 2, 1, 2], "route": ["/", "/pay"] * 2})
    met = pl.DataFrame({"pattern_id": ["E"], "session_key": ["a"], "first_view_no": [1], "before_conversion": [True]})
    clients = pl.DataFrame({"session_key": ["a", "b"], "converted": [True, False], **dict.fromkeys(
        ("device_type", "region", "browser_name", "user_is_new"), "")})  # fmt: skip
    homes = pl.DataFrame({"pattern_id": ["E"], "home": ["/pay"]})
    assert measure_impact(tally_risks(views, met, clients), homes).is_empty()
