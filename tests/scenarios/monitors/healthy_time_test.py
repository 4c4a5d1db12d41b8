"""Which time counts as healthy: neither open incidents nor what is far worse than usual."""

from dataclasses import replace

import polars as pl

from prodintel_lib.scenarios.monitors.healthy_time import find_healthy_time
from prodintel_lib.tables import INCIDENTS
from tests.scenarios.guards.productions import BUCKET_US, START_US, production, requests


def place(healthy):
    return ((healthy.buckets - START_US) // BUCKET_US).tolist()


def test_find_healthy_time_keeps_all_of_a_calm_stretch():
    made = production(requests(0, 30, failed=0), requests(30, 1, failed=1))
    healthy = find_healthy_time(made, made.window)
    assert place(healthy) == list(range(31))
    assert (healthy.abnormal, healthy.in_incidents, healthy.recorded) == (0, 0, 31)


def test_find_healthy_time_leaves_out_what_fails_far_too_often_and_its_edges():
    made = production(requests(0, 20), requests(20, 3, failed=8), requests(23, 20))
    healthy = find_healthy_time(made, made.window)
    # Thirty seconds on either side.
    assert place(healthy) == [*range(17), *range(26, 43)]
    assert healthy.abnormal == 9
    assert healthy.requests["failed"].sum() == 0


def test_find_healthy_time_leaves_out_what_is_far_too_slow():
    made = production(requests(0, 20), requests(20, 3, slow=8), requests(23, 20))
    assert 21 not in place(find_healthy_time(made, made.window))


def test_find_healthy_time_judges_each_route_by_its_own_share():
    # A route that always fails in three of ten is as it always is.
    made = production(requests(0, 40, route="GET /flaky", failed=3), requests(0, 40))
    assert place(find_healthy_time(made, made.window)) == list(range(40))


def test_find_healthy_time_leaves_out_open_incidents():
    incident = {
        "time_us": START_US + 10 * BUCKET_US, "source": "x", "incident_id": "i", "end_time_us": START_US + 12 * BUCKET_US
    }  # fmt: skip
    made = replace(production(requests(0, 30)), incidents=pl.DataFrame([incident], schema=INCIDENTS.schema))
    healthy = find_healthy_time(made, made.window)
    assert place(healthy) == [*range(7), *range(15, 30)]
    assert healthy.in_incidents == 8
    assert "Healthy time: 4 of 5 recorded minutes; 1.3 were in open incidents, and in 0.0 more" in healthy.says


def test_find_healthy_time_takes_an_incident_without_an_end_to_the_end_of_the_window():
    incident = {"time_us": START_US + 10 * BUCKET_US, "source": "x", "incident_id": "i"}
    made = replace(production(requests(0, 30)), incidents=pl.DataFrame([incident], schema=INCIDENTS.schema))
    assert place(find_healthy_time(made, made.window)) == list(range(7))


def test_find_healthy_time_counts_only_what_came_from_outside():
    made = production(requests(0, 30), requests(0, 30, route="GET /inner", is_entry=False, failed=10))
    healthy = find_healthy_time(made, made.window)
    assert set(healthy.requests["route"]) == {"GET /api/home"}
    assert healthy.abnormal == 0


def test_contains_says_of_times_whether_their_bucket_is_healthy():
    made = production(requests(0, 20), requests(20, 3, failed=8), requests(23, 20))
    times = pl.Series([START_US + 5, START_US + 21 * BUCKET_US + 5])
    assert find_healthy_time(made, made.window).contains(times).to_list() == [True, False]
