"""Parquet through a mapping a frame at a time gives what its rows one at a time give."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.mapped import RowCollector, compile_mapping, read_mapped, read_mapped_parts
from prodintel_lib.sources.mapped_batches import FrameBatch, RowBatch
from prodintel_lib.sources.tabular import TabularFile
from prodintel_lib.workspace import TableMapping

TIME_US = 1_759_155_600_000_000
MAPPED = compile_mapping(
    TableMapping(
        "test",
        "rum_events",
        {
            "time_us": "any_time(at)",
            "event_kind": "optional(kind)",
            "url_path": "coalesce(path, 'none')",
            "duration_ms": "s_to_ms(took)",
            "lcp_ms": "took * 2",
            "http_response_status_code": "number",
            "user_is_new": "flag",
            "target_value": "took",
            "target_name": "concat(number, flag, path)",
            "page_title": "'Shop'",
        },
    )
)
SCHEMA = {
    "at": pl.Int64(),
    "kind": pl.String(),
    "path": pl.String(),
    "took": pl.Float64(),
    "number": pl.Int32(),
    "flag": pl.Boolean(),
    "other": pl.Float64(),
    "more": pl.List(pl.String()),
}
ROWS = st.fixed_dictionaries(
    {
        "at": st.none() | st.sampled_from([TIME_US, TIME_US // 1000, 5, -1]),
        "kind": st.sampled_from([None, "view", "VIEW", "custom", "other"]),
        "path": st.none() | st.text(max_size=5),
        "took": st.none() | st.floats(),
        "number": st.none() | st.integers(-(2**31), 2**31 - 1),
        "flag": st.none() | st.booleans(),
        "other": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "more": st.none() | st.lists(st.text(max_size=3), max_size=2),
    }
)


def row_by_row(path, mapped):
    """Read a Parquet file as its rows were read before frames were."""
    collected = RowCollector(mapped)
    for line, row in TabularFile(ByteStream(path), "parquet").rows():
        collected.add(line, row)
    return collected.result()


def equal(first, second):
    assert (first.rows_read, first.kept, first.quarantined) == (second.rows_read, second.kept, second.quarantined)
    for name, frame in first.frames.items():
        assert frame.equals(second.frames[name])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("parquet") / "events.parquet"


@given(rows=st.lists(ROWS, min_size=1, max_size=8))
def test_read_mapped_reads_parquet_by_frames_as_by_rows(path, rows):
    pl.DataFrame(rows, schema=SCHEMA).write_parquet(path)
    equal(read_mapped(ByteStream(path), MAPPED, form="parquet"), row_by_row(path, MAPPED))


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([0.1, 1e-5, -1e-7, 1e16, 123456789012345680.0, 5.0, 1e300, float("nan"), float("inf"), None]),
        pl.Series([0.1, 1e-5, 1e20, 16777217.0, None], dtype=pl.Float32),
        pl.Series([2**63, 0, None], dtype=pl.UInt64),
        pl.Series([True, False, None]),
        pl.Series([date(2025, 9, 29), None]),
        pl.Series([datetime(2025, 9, 29, 14, 20), datetime(2025, 9, 29, 14, 20, 0, 5)]),  # noqa: DTZ001 - as files have it
        pl.Series([datetime(2025, 9, 29, 14, 20, tzinfo=UTC), None]),
        pl.Series([time(14, 20), None]),
        pl.Series([Decimal("1.50"), None]),
        pl.Series([b"tea\xff", None]),
        pl.Series([["a", None], []]),
        pl.Series([{"a": 1.5, "b": "ü"}, None]),
        pl.Series(["a", "b", None], dtype=pl.Categorical),
        pl.Series(["käse", "", None]),
        pl.Series([None, None]),
    ],
    ids=str,
)
def test_texts_of_a_frame_are_those_of_its_rows(column):
    frame = column.alias("cell").to_frame()
    rows = frame.to_dicts()
    expected = RowBatch(rows, range(1, len(rows) + 1)).texts(["cell", "absent"])
    assert FrameBatch(frame, 1).texts(["cell", "absent"]).equals(expected)


def test_read_mapped_parts_of_parquet_have_the_rows_asked_for(path):
    rows = [{"at": TIME_US, "number": number} for number in range(5)]
    rows[1]["at"] = None
    pl.DataFrame(rows, schema=SCHEMA).with_columns(kind=pl.lit("view")).write_parquet(path)
    parts = list(read_mapped_parts(ByteStream(path), MAPPED, form="parquet", part_rows=2))
    assert [(part.rows_read, part.kept, [item.line for item in part.quarantined]) for part in parts] == [
        (2, {"rum_events": 1}, [2]),
        (2, {"rum_events": 2}, []),
        (1, {"rum_events": 1}, []),
    ]


def test_read_mapped_of_parquet_keeps_what_no_column_took_and_what_could_not_be_read(path):
    frame = pl.DataFrame({"at": [TIME_US], "path": "/", "took": -1.0, "number": 7, "flag": [None], "more": "x"})
    frame.with_columns(kind=pl.lit("view"), took=pl.lit("slow")).write_parquet(path)
    result = read_mapped(ByteStream(path), MAPPED, form="parquet")
    assert result.frames["rum_events"]["attributes"].to_list() == ['{"more":"x","took":"slow"}']
