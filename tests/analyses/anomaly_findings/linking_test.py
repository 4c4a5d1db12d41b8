"""Who calls whom, where requests enter, and which episodes are one event."""

import dataclasses

import numpy as np
import polars as pl

from prodintel_lib.analyses.anomaly_findings.episodes import Episode, calm_us
from prodintel_lib.analyses.anomaly_findings.linking import Topology, link_episodes

from . import made

TOPOLOGY = Topology.of(made.Shop().production())


def episode(service, route, first, last, *, signal="error_ratio", **about):
    row = {"grain": "route", "region": "", "release": "", "metric_name": "", "service_instance_id": "", "worse": 1}
    row |= {"key": f"{signal} {service} {route}", "service_name": service, "route": route} | about
    return Episode(
        signal, row, 0, made.BUCKET_US, made.at(first), made.at(last), (made.at(first),), made.at(first), 9.0, 0.5, 0.01,
        100.0, 0.49,
    )  # fmt: skip


def linked(*episodes):
    return [[one.about["service_name"] or one.signal for one in group] for group in link_episodes(episodes, TOPOLOGY)]


def test_topology_of_calls_and_entries():
    assert TOPOLOGY.reached["gateway"] == {"orders", "payment", "catalogue"}
    assert TOPOLOGY.entries == {("gateway", "POST /pay"), ("gateway", "GET /home")}
    assert TOPOLOGY.is_call("payment", "orders")
    assert not TOPOLOGY.is_call("payment", "gateway")
    assert TOPOLOGY.is_on_one_path("payment", "gateway")
    assert not TOPOLOGY.is_on_one_path("payment", "catalogue")


def test_topology_takes_a_service_for_an_entry_only_where_most_of_its_requests_are():
    shop = made.Shop()
    production = shop.production()
    flush = production.requests.head(1).with_columns(
        service_name=pl.lit("payment"), route=pl.lit("DELETE /cache"), is_entry=pl.lit(value=True)
    )
    topology = Topology.of(dataclasses.replace(production, requests=production.requests.vstack(flush)))
    assert ("payment", "DELETE /cache") in topology.entries
    assert topology.entry_services == {"gateway"}


def test_topology_survives_a_circle_of_calls():
    shop = made.Shop()
    production = shop.production()
    back = production.calls.select(caller="dependency", dependency="caller", calls="calls", failed="failed")
    circle = dataclasses.replace(production, calls=production.calls.vstack(back))
    assert Topology.of(circle).reached["orders"] == {"gateway", "payment", "catalogue"}


def test_link_episodes_along_a_path_of_calls_that_begin_together():
    together = [episode("payment", "POST /charge", 30, 40), episode("gateway", "POST /pay", 32, 40)]
    assert linked(*together) == [["payment", "gateway"]]
    late = int(np.ceil(calm_us(made.BUCKET_US) / made.BUCKET_US)) + 31
    apart = [episode("payment", "POST /charge", 30, 60), episode("gateway", "POST /pay", late, 60)]
    assert linked(*apart) == [["payment"], ["gateway"]]


def test_link_episodes_parts_what_was_over_when_the_other_began():
    over = episode("payment", "POST /charge", 30, 31)
    assert linked(over, episode("gateway", "POST /pay", 34, 40)) == [["payment", "gateway"]]
    assert linked(over, episode("gateway", "POST /pay", 35, 40)) == [["payment"], ["gateway"]]


def test_link_episodes_of_what_begins_while_a_neighbour_lasts():
    neighbours = [episode("orders", "POST /orders", 30, 60), episode("gateway", "POST /pay", 50, 60)]
    assert linked(*neighbours) == [["orders", "gateway"]]
    over = [episode("orders", "POST /orders", 30, 35), episode("gateway", "POST /pay", 50, 60)]
    assert linked(*over) == [["orders"], ["gateway"]]


def test_link_episodes_lets_a_gauge_join_the_nearer_event_and_unite_none():
    gauge = episode("payment", "", 56, 70, signal="saturation", grain="metric", metric_name="pool")
    charging, refunding = episode("payment", "POST /charge", 28, 70), episode("payment", "POST /refund", 55, 70)
    groups = link_episodes([charging, gauge, refunding], TOPOLOGY)
    assert [[one.route or one.signal for one in group] for group in groups] == [
        ["POST /charge"],
        ["POST /refund", "saturation"],
    ]


def test_link_episodes_joins_visits_to_what_enters_from_outside():
    visits = episode("", "/cart", 33, 45, signal="conversion", grain="journey")
    assert linked(episode("gateway", "POST /pay", 30, 40), visits) == [["gateway", "conversion"]]
    assert linked(episode("payment", "POST /charge", 30, 40), visits) == [["payment"], ["conversion"]]


def test_link_episodes_keeps_machines_without_a_service_apart():
    one = episode("", "", 30, 40, signal="saturation", grain="metric", metric_name="cpu", service_instance_id="a")
    two = episode("", "", 30, 40, signal="saturation", grain="metric", metric_name="disk", service_instance_id="b")
    three = episode("", "", 31, 40, signal="saturation", grain="metric", metric_name="disk", service_instance_id="a")
    assert sorted(len(group) for group in link_episodes([one, two, three], TOPOLOGY)) == [1, 2]
