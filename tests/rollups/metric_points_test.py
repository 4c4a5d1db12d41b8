import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.metric_points import POINTS_KEYS, POINTS_SCHEMA, build_metric_points

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
