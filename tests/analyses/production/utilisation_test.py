import pytest

from prodintel_lib.analyses.production.saturation import build_saturation_levels, direction_of
from prodintel_lib.analyses.production.utilisation import pair_hit_ratios, pair_utilisations
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA

from .made import B, framed, measured

DEFAULTS = {
    "metric_unit": "",
    "service_name": "shop",
    "service_instance_id": "",
    "series": "",
    "is_rate": False,
    "n": 1,
}


def metrics_of(*parts):
    return framed([row for part in parts for row in part], METRIC_BUCKETS_SCHEMA, DEFAULTS)


@pytest.mark.parametrize(
    ("used", "limit", "of_used", "of_limit"),
    [
        ("db.client.connection.count", "db.client.connection.max", "pool=a, state=used", "pool=a"),
        ("jvm.memory.used", "jvm.memory.limit", "pool=eden", "pool=eden"),
        ("process_open_fds", "process_max_fds", "", ""),
    ],
)
def test_pair_utilisations_divides_by_the_limit_of_the_same_series(used, limit, of_used, of_limit):
    rows = metrics_of(
        measured(used, {0: 5.0, 1: 8.0, 2: 1.0}, series=of_used),
        measured(limit, {0: 10.0, 1: 16.0}, series=of_limit),
        measured(limit, {0: 99.0}, series=f"{of_limit}, x=y" if of_limit else "x=y"),
        measured(limit, {0: 99.0}, series=of_limit, service_name="pay"),
    )
    found = pair_utilisations(rows)
    assert found.select("bucket_us", "metric_name", "metric_unit", "last", "other_name", "other_series").rows() == [
        (0, used, "1", 0.5, limit, of_limit),
        (B, used, "1", 0.5, limit, of_limit),
    ]


@pytest.mark.parametrize(
    ("used", "limit"),
    [
        ({"name": "pool.used", "series": "state=idle"}, {"name": "pool.max"}),
        ({"name": "pool.used", "metric_unit": "By"}, {"name": "pool.max", "metric_unit": "{slot}"}),
        ({"name": "pool.used", "is_rate": True}, {"name": "pool.max", "is_rate": True}),
        ({"name": "http.server.request.count"}, {"name": "http.server.request.size"}),
        ({"name": "pool.used"}, {"name": "queue.max"}),
        ({"name": "pool.used"}, {"name": "pool.max", "value": 0.0}),
    ],
)
def test_pair_utilisations_leaves_apart_what_is_no_pair(used, limit):
    parts = [
        measured(
            side["name"], {0: side.get("value", 5.0)}, **{k: v for k, v in side.items() if k not in {"name", "value"}}
        )
        for side in (used, limit)
    ]
    assert pair_utilisations(metrics_of(*parts)).height == 0


def test_pair_hit_ratios_divides_hits_by_lookups():
    rows = metrics_of(
        measured("cache.hits", {0: 3.0, 1: 0.0, 2: 1.0}, series="name=a", is_rate=True),
        measured("cache.misses", {0: 1.0, 1: 0.0}, series="name=a", is_rate=True),
        measured("cache.hits", {0: 3.0}, series="name=b", is_rate=True),
    )
    found = pair_hit_ratios(rows).select("bucket_us", "metric_name", "metric_unit", "series", "mean", "max", "last")
    assert found.rows() == [(0, "cache.hits", "1", "name=a", 0.75, 0.75, 0.75)]


def test_build_saturation_levels_takes_the_share_for_both_sides_of_a_pair():
    rows = metrics_of(
        measured("pool.used", {0: 5.0}, series="state=used"),
        measured("pool.used", {0: 3.0}, series="state=idle"),
        measured("pool.max", {0: 10.0}),
        measured("cache.hits", {0: 3.0}, is_rate=True),
        measured("cache.misses", {0: 1.0}, is_rate=True),
        measured("cache.evictions", {0: 7.0}, is_rate=True),
        measured("http.requests", {0: 7.0}, is_rate=True),
    )
    traced = rows["service_name"].unique().to_list()
    found = (
        build_saturation_levels(rows, traced=traced)
        .select("metric_name", "series", "value", "worse")
        .sort("metric_name", "series")
    )
    assert found.rows() == [
        ("cache.evictions", "", 7.0, 0),
        ("cache.hits", "", 0.75, -1),
        ("pool.used", "state=idle", 3.0, 0),
        ("pool.used", "state=used", 0.5, 1),
    ]


def test_build_saturation_levels_takes_the_fullest_instance_and_the_coldest_cache():
    parts = [measured("pool.used", {0: value}, service_instance_id=name) for name, value in (("a", 5.0), ("b", 8.0))]
    hits = [
        measured(f"cache.{kind}", {0: value}, service_instance_id=name)
        for name, kind, value in (("a", "hits", 1.0), ("a", "misses", 3.0), ("b", "hits", 3.0), ("b", "misses", 1.0))
    ]
    found = build_saturation_levels(metrics_of(*parts, *hits))
    assert found.select("metric_name", "service_instance_id", "value", "n").rows() == [
        ("pool.used", "", 8.0, 2),
        ("cache.hits", "", 0.25, 2),
    ]
    alone = build_saturation_levels(metrics_of(parts[0]))
    assert alone.select("service_instance_id", "value").rows() == [("a", 5.0)]


def test_build_saturation_levels_takes_every_metric_of_services_without_traces():
    rows = metrics_of(measured("http_p99_ms", {0: 5.0}), measured("cpu.utilization", {0: 0.5}))
    service = rows["service_name"][0]
    names = build_saturation_levels(rows).sort("metric_name")["metric_name"].to_list()
    assert names == ["cpu.utilization", "http_p99_ms"]
    assert build_saturation_levels(rows, traced=["another"])["metric_name"].n_unique() == 2
    assert build_saturation_levels(rows, traced=[service])["metric_name"].to_list() == ["cpu.utilization"]


def test_build_saturation_levels_of_nothing_is_empty():
    assert build_saturation_levels(metrics_of()).height == 0


@pytest.mark.parametrize(
    ("name", "series", "worse"),
    [("pool.count", "", 1), ("pool.count", "state=idle", 0), ("cache.hit_ratio", "", -1), ("cache.size", "", 0)],
)
def test_direction_of_says_which_way_is_worse(name, series, worse):
    assert direction_of(name, series) == worse
