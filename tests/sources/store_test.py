import duckdb
import orjson
import polars as pl
import pytest

from prodintel_lib.lake import ROW_GROUP_ROWS, Lake, Manifest, SourceEntry
from prodintel_lib.sources import store as store_module
from prodintel_lib.sources.model import ReadResult, Rejected
from prodintel_lib.sources.store import SourceStore
from prodintel_lib.tables import INCIDENTS, LOGS, SPANS, conform

DAY_US = 86_400_000_000
START_US = 20_000 * DAY_US


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def spans(*numbers, day=0):
    rows = [
        {"time_us": START_US + day * DAY_US + n, "duration_ms": 1.0, "trace_id": "t", "span_id": str(n)}
        for n in numbers
    ]
    return ReadResult({"spans": conform(pl.DataFrame(rows), SPANS)}, len(rows))


def rejected(*lines, reason="bad"):
    return ReadResult({}, len(lines), quarantined=tuple(Rejected(reason, line, "x") for line in lines))


def stored(lake, store, column="span_id"):
    frames = [pl.read_parquet(lake.folder / file.relative_path, hive_partitioning=False) for file in store.files]
    return sorted(value for frame in frames for value in frame[column])


def test_add_counts_a_row_told_twice_in_whichever_part_and_day(lake):
    store = SourceStore(lake, "a", known=[])
    for part in (spans(1, 2, 2), spans(2, 3), spans(1, 4, day=1)):
        store.add(part)
    assert (store.rows_read, dict(store.kept), dict(store.dropped)) == (7, {"spans": 4}, {"duplicate": 3})
    assert stored(lake, store) == ["1", "2", "3", "4"]
    assert not store.overlaps


def test_add_leaves_out_what_another_source_has_on_the_same_day(lake):
    other = SourceStore(lake, "other", known=[])
    other.add(spans(1, 2))
    store = SourceStore(lake, "a", known=other.files)
    store.add(spans(2, 3))
    store.add(spans(1, day=1))
    assert (dict(store.kept), dict(store.dropped), store.overlaps) == ({"spans": 2}, {"duplicate": 1}, True)
    assert stored(lake, store) == ["1", "3"]


def test_add_keeps_equal_rows_of_a_table_without_identity(lake):
    line = conform(pl.DataFrame([{"time_us": START_US, "body": "again"}]), LOGS)
    store = SourceStore(lake, "a", known=[])
    for _ in range(2):
        store.add(ReadResult({"logs": line}, 1))
    assert (store.kept["logs"], stored(lake, store, "body")) == (2, ["again", "again"])


def test_add_takes_nulls_of_an_identity_for_the_same(lake):
    open_still = conform(pl.DataFrame([{"time_us": START_US, "source": "s", "incident_id": "1"}]), INCIDENTS)
    resolved = open_still.with_columns(pl.lit(START_US + 5).alias("end_time_us"))
    store = SourceStore(lake, "a", known=[])
    for frame in (open_still, open_still, resolved):
        store.add(ReadResult({"incidents": frame}, 1))
    assert (store.kept["incidents"], store.dropped["duplicate"]) == (2, 1)


def test_finish_writes_excerpts_of_the_first_and_counts_all_others(lake, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_EXCERPTS", 3)
    store = SourceStore(lake, "a", known=[])
    for part in (rejected(1, 2), rejected(5, 4, 6), rejected(7, reason="worse"), rejected(8)):
        store.add(part)
    store.finish("digest")
    assert store.quarantined == 7
    lines = [orjson.loads(line) for line in (lake.folder / "quarantine" / "digest.jsonl").read_bytes().splitlines()]
    assert lines == [
        {"reason": "bad", "file": "a", "line": 1, "excerpt": "x"},
        {"reason": "bad", "file": "a", "line": 2, "excerpt": "x"},
        {"reason": "bad", "file": "a", "line": 5, "excerpt": "x"},
        {"reason": "bad", "file": "a", "rows_without_excerpt": 3},
        {"reason": "worse", "file": "a", "rows_without_excerpt": 1},
    ]
    entry = SourceEntry(1, 1, "digest", "otlp", 7, {}, {}, quarantined=7)
    lake.publish(Manifest(1, {"a": entry}))
    assert lake.quarantine_reasons() == {"bad": 6, "worse": 1}


def test_finish_writes_no_quarantine_where_all_could_be_read(lake):
    store = SourceStore(lake, "a", known=[])
    store.add(spans(1))
    store.finish("digest")
    assert not (lake.folder / "quarantine").exists()


def test_write_makes_row_groups_that_a_window_can_pass_over(lake):
    rows = 3 * ROW_GROUP_ROWS
    frame = conform(
        pl.DataFrame({"time_us": pl.int_range(START_US + rows, START_US, -1, eager=True)}).with_columns(
            pl.lit(1.0).alias("duration_ms"), pl.lit("t").alias("trace_id"), pl.lit("s").alias("span_id")
        ),
        SPANS,
    )
    (file,) = lake.write(SPANS, frame)
    path = lake.folder / file.relative_path
    groups = duckdb.sql(
        "SELECT CAST(stats_min_value AS BIGINT), CAST(stats_max_value AS BIGINT), row_group_num_rows "
        f"FROM parquet_metadata('{path}') WHERE path_in_schema = 'time_us' ORDER BY row_group_id"
    ).fetchall()
    first = START_US + 1
    assert groups == [
        (first + start, first + start + ROW_GROUP_ROWS - 1, ROW_GROUP_ROWS) for start in range(0, rows, ROW_GROUP_ROWS)
    ]
