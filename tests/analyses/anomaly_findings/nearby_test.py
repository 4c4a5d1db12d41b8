"""Which changes are near, and what to do about it."""

import polars as pl
import pytest

from prodintel_lib.analyses.anomaly_findings import CHANGES_SCHEMA, find_anomalies
from prodintel_lib.analyses.anomaly_findings.nearby import recommend

from . import made


def finding_in(shop):
    [one] = find_anomalies(shop.production(), shop.series(), detector=made.Known()).findings
    return one


def test_nearby_changes_come_by_how_near_they_are_in_the_system():
    shop = made.Shop(buckets=60).fail("orders", 30, 39)
    for number, service in enumerate(("somewhere", "gateway", "payment", "orders")):
        shop.changed(service, 25 - number, change_id=f"c-{number}")
    near = finding_in(shop).nearby_changes
    assert near.select("service_name", "relation", "minutes_before").rows() == [
        ("orders", "same service", pytest.approx(8 / 6)),
        ("payment", "called by it", pytest.approx(7 / 6)),
        ("gateway", "its caller", pytest.approx(6 / 6)),
        ("somewhere", "elsewhere", pytest.approx(5 / 6)),
    ]


def test_nearby_changes_of_the_origin_come_first():
    shop = made.Shop().fail("payment", 30, 39).fail("POST /pay", 30, 39)
    shop.changed("gateway", 28, change_id="c-1").changed("payment", 25, change_id="c-2")
    assert finding_in(shop).nearby_changes["service_name"].to_list() == ["payment", "gateway"]


def test_nearby_changes_leave_out_what_came_after_and_what_failed():
    shop = made.Shop().fail("orders", 30, 39).changed("orders", 32)
    assert finding_in(shop).nearby_changes.is_empty()
    failed = made.Shop().fail("orders", 30, 39).changed("orders", 25)
    failed.changes[0]["status"] = "failure"
    assert finding_in(failed).nearby_changes.is_empty()


def test_recommend_names_a_change_of_the_service_and_that_undoing_is_an_option():
    shop = made.Shop().fail("orders", 30, 39).changed("orders", 27, version="3.1")
    assert finding_in(shop).recommendation == (
        "Look at the deployment of orders 3.1, 30.0 s before it began; it began in orders, so undoing it is an option."
    )


def test_recommend_says_of_a_change_elsewhere_on_the_path_that_it_is_near():
    shop = made.Shop().fail("payment", 30, 39).fail("POST /pay", 30, 39)
    shop.changed("gateway", 27, version="7").changed("catalogue", 28, change_id="c-2")
    assert finding_in(shop).recommendation == (
        "Start at payment, where it began; near is the deployment of gateway 7, 30.0 s before it began (same service); 1 more "
        "change is near."
    )


def test_recommend_names_the_end_of_the_chain():
    shop = made.Shop().fail("payment", 30, 39).fail("POST /pay", 30, 39)
    assert finding_in(shop).recommendation == (
        "Start at payment: it is the last in the chain of calls whose requests went bad too."
    )


def test_recommend_abstains_where_nothing_stands_out():
    assert finding_in(made.Shop().fail("GET /home", 30, 39)).recommendation == (
        "No single place and no change stands out; look at the failed requests of GET /home, and at what they depend "
        "on."
    )


@pytest.mark.parametrize("minutes", [61.0, 1000.0])
def test_recommend_does_not_blame_what_is_long_past(minutes):
    row = ("c", "deployment", "deployment of pay", "pay", "2", 0, minutes, "same service")
    changes = pl.DataFrame([row], schema=CHANGES_SCHEMA, orient="row")
    said = recommend("SATURATION", name="pay pool", service="pay", origin="", changes=changes, places=None)
    assert said == (
        "No single place and no change stands out; look at what holds pay pool, and at how long until it is full."
    )
