import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.metric_points import (
    POINTS_KEYS,
    POINTS_SCHEMA,
    RESETS_KEYS,
    RESETS_SCHEMA,
    build_counter_resets,
    build_metric_points,
)

S = 1_000_000
COUNTER = {"metric_kind": "sum", "is_monotonic": True, "temporality": "cumulative"}


def points(frame):
    return collect(build_metric_points(frame), schema=POINTS_SCHEMA, sort_by=POINTS_KEYS)


def test_build_metric_points_leaves_gauges_and_levels_as_they_are(metrics):
    frame = points(
        metrics(
            {"time_us": 1, "value": 5.0},
            {"time_us": 2, "value": 3.0},
            {"time_us": 1, "value": 9.0, "metric_name": "n", "metric_kind": "sum", "is_monotonic": False},
            {"time_us": 1, "value": None, "metric_name": "gap"},
            {"time_us": 1, "metric_kind": "histogram", "metric_name": "h", "count": 3},
        )
    )
    assert frame.select("metric_name", "time_us", "is_rate", "value").rows() == [
        ("m", 1, False, 5.0),
        ("m", 2, False, 3.0),
        ("n", 1, False, 9.0),
    ]


def test_build_metric_points_turns_counters_into_rates_across_a_reset(metrics):
    totals = [(0, 10.0), (10, 30.0), (20, 35.0), (30, 4.0), (32, 6.0)]
    frame = points(metrics(*({"time_us": at * S, "value": total, **COUNTER} for at, total in totals)))
    assert frame.select("time_us", "is_rate", "value").rows() == [
        (10 * S, True, 2.0),
        (20 * S, True, 0.5),
        (30 * S, True, 0.4),
        (32 * S, True, 1.0),
    ]


def resets(frame):
    found = collect(build_counter_resets(frame), schema=RESETS_SCHEMA, sort_by=RESETS_KEYS)
    return found.select("time_us", "before", "value").rows()


def test_build_metric_points_counts_from_zero_where_a_counter_says_that_it_began_anew(metrics):
    totals = [(0, 0, 10.0), (10, 0, 30.0), (20, 15, 80.0), (30, 15, 90.0)]
    frame = metrics(*({"time_us": t * S, "start_time_us": s * S, "value": v, **COUNTER} for t, s, v in totals))
    assert points(frame)["value"].to_list() == [2.0, 8.0, 1.0]
    assert resets(frame) == [(20 * S, 30.0, 80.0)]


def test_build_metric_points_keeps_the_count_where_only_the_start_was_corrected(metrics):
    totals = [(0, -9, 10.0), (10, -5, 30.0), (20, None, 40.0)]
    frame = metrics(*({"time_us": t * S, "start_time_us": s and s * S, "value": v, **COUNTER} for t, s, v in totals))
    assert points(frame)["value"].to_list() == [2.0, 1.0]
    assert resets(frame) == []


def test_build_metric_points_takes_points_by_time_and_each_once(metrics):
    totals = [(20, 35.0), (0, 10.0), (10, 30.0), (20, 35.0), (10, 30.0), (30, 4.0), (30, 400.0), (40, 14.0)]
    frame = metrics(*({"time_us": t * S, "value": v, **COUNTER} for t, v in totals))
    assert points(frame).select("time_us", "value").rows() == [
        (10 * S, 2.0),
        (20 * S, 0.5),
        (30 * S, 0.4),
        (40 * S, 1.0),
    ]
    assert resets(frame) == [(30 * S, 35.0, 4.0)]


def test_build_metric_points_counts_a_gauge_and_a_delta_that_came_twice_once(metrics):
    delta = {**COUNTER, "temporality": "delta", "metric_name": "d", "time_us": 10 * S, "start_time_us": 5 * S}
    gauge = {"time_us": 10 * S, "value": 3.0}
    frame = points(metrics(gauge, gauge, {**delta, "value": 20.0}, {**delta, "value": 20.0}, {**delta, "value": 5.0}))
    assert frame.select("metric_name", "value").rows() == [("d", 1.0), ("d", 4.0), ("m", 3.0)]


def test_build_counter_resets_knows_only_counters_that_add_up(metrics):
    falling = [(0, 9.0), (10, 3.0)]
    kinds = ({"metric_kind": "gauge"}, {**COUNTER, "temporality": "delta"}, {**COUNTER, "is_monotonic": False})
    frame = metrics(*({"time_us": t * S, "value": v, **kind} for kind in kinds for t, v in falling))
    assert resets(frame) == []


def test_build_metric_points_takes_deltas_over_their_own_interval(metrics):
    delta = {**COUNTER, "temporality": "delta"}
    frame = points(
        metrics(
            {"time_us": 10 * S, "start_time_us": 5 * S, "value": 20.0, **delta},
            {"time_us": 20 * S, "value": 20.0, **delta},
        )
    )
    assert frame.select("time_us", "value").rows() == [(10 * S, 4.0), (20 * S, 2.0)]


def test_build_metric_points_never_mixes_series(metrics):
    rows = [
        {"time_us": at * S, "value": value, "attributes": attributes, "service_instance_id": instance, **COUNTER}
        for at, value, attributes, instance in (
            (0, 1.0, '{"state":"used"}', "1"),
            (1, 2.0, '{"state":"used"}', "1"),
            (1, 100.0, '{"state":"idle"}', "1"),
            (1, 100.0, '{"state":"used"}', "2"),
        )
    ]
    assert points(metrics(*rows)).select("series", "service_instance_id", "value").rows() == [("state=used", "1", 1.0)]


@pytest.mark.parametrize(
    ("attributes", "series"),
    [
        ('{"pool":"p","state":"used","description":"d","resource":{"a":"b"},"scope":"s"}', "pool=p, state=used"),
        ('{"state":"used"}', "state=used"),
        ('{"n":3,"on":true}', "n=3, on=true"),
        ('{"description":"how many"}', ""),
        ('{"resource":{"host":"h"}}', ""),
        ('{"q":"say \\"resource\\":1"}', "q=say \\resource\\=1"),
        ("{}", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_build_metric_points_names_a_series_by_its_own_attributes(metrics, attributes, series):
    frame = points(metrics({"time_us": 1, "value": 1.0, "attributes": attributes}))
    assert frame["series"].to_list() == [series]
