import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.resources import RESOURCES_SCHEMA, find_resources

from .made import metric


def found(*parts):
    frame = find_resources(pl.concat(parts))
    assert dict(frame.schema) == RESOURCES_SCHEMA
    return [(row["metric_name"], row["limit_from"], round(row["mean"], 6)) for row in frame.iter_rows(named=True)]


def test_find_resources_divides_what_is_used_by_its_limit():
    used = metric(
        "db.client.connection.count", [6.0], unit="{connection}", series="pool=a, db.client.connection.state=used"
    )
    idle = metric(
        "db.client.connection.count", [2.0], unit="{connection}", series="pool=a, db.client.connection.state=idle"
    )
    limit = metric("db.client.connection.max", [8.0], unit="{connection}", series="pool=a")
    assert found(used, idle, limit) == [("db.client.connection.count", "used of limit", 0.75)]


def test_find_resources_takes_the_spare_part_of_a_whole():
    spare = metric("node_filesystem_avail_bytes", [20.0], series="mountpoint=/", unit="By")
    size = metric("node_filesystem_size_bytes", [80.0], series="mountpoint=/", unit="By")
    assert found(spare, size) == [("node_filesystem_avail_bytes", "used of limit", 0.75)]


def test_find_resources_splits_words_in_camel_case():
    spare = metric("node_memory_MemAvailable_bytes", [30.0])
    assert found(spare, metric("node_memory_MemTotal_bytes", [40.0])) == [
        ("node_memory_MemAvailable_bytes", "used of limit", 0.25)
    ]


def test_find_resources_takes_the_used_state_of_a_disk_of_all_its_states():
    parts = [
        metric("system.filesystem.usage", [value], unit="By", series=f"device=sda, system.filesystem.state={state}")
        for state, value in (("used", 30.0), ("free", 60.0), ("reserved", 10.0))
    ]
    assert found(*parts) == [("system.filesystem.usage", "used of used and free", 0.3)]


@pytest.mark.parametrize(
    ("name", "unit", "value", "share"),
    [
        ("system.cpu.utilization", "1", 0.4, 0.4),
        ("cpu_usage_percent", "%", 40.0, 0.4),
        ("memory.utilization", "", 85.0, 0.85),
    ],
)
def test_find_resources_reads_shares_and_percentages(name, unit, value, share):
    assert found(metric(name, [value], unit=unit)) == [(name, "utilisation", share)]


def test_find_resources_gives_a_processor_above_one_no_limit():
    assert found(metric("process.cpu.utilization", [0.5, 3.2])) == [
        ("process.cpu.utilization", "", 0.5), ("process.cpu.utilization", "", 3.2),
    ]  # fmt: skip


def test_find_resources_lists_levels_without_a_limit():
    assert found(metric("process.memory.usage", [5e7], unit="By"), metric("queue.depth", [4.0])) == [
        ("process.memory.usage", "", 5e7), ("queue.depth", "", 4.0),
    ]  # fmt: skip


def test_find_resources_leaves_out_rates_and_what_is_no_resource():
    assert found(metric("process.cpu.time", [0.4], is_rate=True), metric("orders.value", [12.0])) == []


def test_find_resources_takes_the_fullest_instance():
    one, two = (metric("system.memory.utilization", [value]) for value in (0.3, 0.9))
    two = two.with_columns(pl.lit("b").alias("service_instance_id"))
    one = one.with_columns(pl.lit("a").alias("service_instance_id"))
    frame = find_resources(pl.concat([one, two]))
    assert frame.select("service_instance_id", "mean").rows() == [("", 0.9)]
