from prodintel_lib.engines import collect
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_KEYS, METRIC_BUCKETS_SCHEMA, build_metric_buckets

S = 1_000_000


def buckets(metrics, *, bucket_s=10):
    lazy = build_metric_buckets(metrics, bucket_s=bucket_s)
    return collect(lazy, schema=METRIC_BUCKETS_SCHEMA, sort_by=METRIC_BUCKETS_KEYS)


def test_build_metric_buckets_sums_up_a_gauge(metrics):
    frame = buckets(
        metrics(
            {"time_us": 10 * S, "value": 1.0},
            {"time_us": 14 * S, "value": 6.0},
            {"time_us": 19 * S, "value": 2.0},
            {"time_us": 20 * S, "value": 9.0},
        )
    )
    assert frame.rows() == [
        (10 * S, "m", "", "pay", "", "", False, 3.0, 6.0, 2.0, 3),
        (20 * S, "m", "", "pay", "", "", False, 9.0, 9.0, 9.0, 1),
    ]


def test_build_metric_buckets_takes_counters_as_rates(metrics):
    hits = {"metric_kind": "sum", "is_monotonic": True, "temporality": "cumulative", "metric_unit": "{hit}"}
    frame = buckets(
        metrics(
            {**hits, "time_us": 9 * S, "value": 100.0},
            {**hits, "time_us": 11 * S, "value": 104.0},
            {**hits, "time_us": 15 * S, "value": 120.0},
        )
    )
    assert frame.rows() == [(10 * S, "m", "{hit}", "pay", "", "", True, 3.0, 4.0, 4.0, 2)]


def test_build_metric_buckets_keeps_series_and_instances_apart(metrics):
    frame = buckets(
        metrics(
            {"time_us": 0, "value": 1.0, "attributes": '{"state":"used"}'},
            {"time_us": 0, "value": 2.0, "attributes": '{"state":"idle"}'},
            {"time_us": 0, "value": 3.0, "attributes": '{"state":"idle"}', "service_instance_id": "i"},
        )
    )
    assert frame.select("service_instance_id", "series", "last").rows() == [
        ("", "state=idle", 2.0),
        ("", "state=used", 1.0),
        ("i", "state=idle", 3.0),
    ]


def test_build_metric_buckets_takes_the_largest_of_the_last_moment(metrics):
    frame = buckets(metrics({"time_us": 5, "value": 1.0}, {"time_us": 5, "value": 4.0}, {"time_us": 1, "value": 9.0}))
    assert frame.select("last", "max", "n").rows() == [(4.0, 9.0, 3)]
