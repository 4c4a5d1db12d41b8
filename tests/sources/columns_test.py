import polars as pl

from prodintel_lib.sources.columns import CHUNK_ROWS, ColumnChunks
from prodintel_lib.tables import ALERTS


def write(rows, line, **values):
    for name, value in values.items():
        rows.columns[name][rows.height] = value
    rows.commit(line)


def test_column_chunks_carry_nothing_from_one_chunk_into_the_next():
    rows = ColumnChunks(ALERTS)
    for number in range(CHUNK_ROWS):
        write(rows, 1, time_us=number, summary="full")
    write(rows, 2, time_us=-1)
    frame = rows.frame()
    assert frame.schema == pl.Schema(ALERTS.schema)
    assert frame["time_us"].to_list() == [*range(CHUNK_ROWS), -1]
    assert frame["summary"].to_list() == ["full"] * CHUNK_ROWS + [None]


def test_column_chunks_forget_a_revoked_row():
    rows = ColumnChunks(ALERTS)
    rows.columns["summary"][rows.height] = "half"
    rows.revoke()
    write(rows, 1, time_us=7)
    assert rows.frame().select("time_us", "summary").rows() == [(7, None)]


def test_column_chunks_repair_and_then_check():
    rows = ColumnChunks(
        ALERTS,
        repairs=(pl.col("event").str.to_lowercase(),),
        checks={"no event": pl.col("event").is_not_null(), "odd event": pl.col("event") == "triggered"},
    )
    for line, event in ((4, "Triggered"), (5, None), (6, "lunch")):
        write(rows, line, time_us=line, event=event)
    assert rows.frame()["event"].to_list() == ["triggered"]
    assert [(item.reason, item.line, item.excerpt) for item in rows.rejected] == [
        ("no event", 5, '{"time_us":5}'),
        ("odd event", 6, '{"time_us":6,"event":"lunch"}'),
    ]


def test_column_chunks_without_rows_have_the_schema():
    assert ColumnChunks(ALERTS).frame().equals(pl.DataFrame(schema=ALERTS.schema))
