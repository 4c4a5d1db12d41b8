import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.log_shapes import LOG_SHAPES_KEYS, LOG_SHAPES_SCHEMA, build_log_shapes

SCHEMA = {"time_us": pl.Int64(), "service_name": pl.String(), "message": pl.String()}
ROWS = [
    (30, "pay", "card 17 refused"),
    (10, "pay", "card 4 refused\n  at pay.py"),
    (20, "shop", "card 9 refused"),
    (40, None, None),
]


def test_build_log_shapes_counts_by_service_and_shape():
    lazy = nw.from_native(pl.LazyFrame(ROWS, schema=SCHEMA, orient="row"))
    frame = collect(build_log_shapes(lazy), schema=LOG_SHAPES_SCHEMA, sort_by=LOG_SHAPES_KEYS)
    assert frame.rows() == [
        ("", "", 1, 40, 40, "", ""),
        ("pay", "card <*> refused", 2, 10, 30, "card 17 refused", "card 4 refused"),
        ("shop", "card <*> refused", 1, 20, 20, "card 9 refused", "card 9 refused"),
    ]


def test_build_log_shapes_reads_the_column_it_is_told():
    lazy = nw.from_native(pl.LazyFrame(ROWS, schema=SCHEMA, orient="row").rename({"message": "body"}))
    frame = collect(build_log_shapes(lazy, message="body"), schema=LOG_SHAPES_SCHEMA, sort_by=LOG_SHAPES_KEYS)
    assert frame["rows"].to_list() == [1, 2, 1]


def test_build_log_shapes_is_the_same_on_duckdb(tmp_path):
    pl.DataFrame(ROWS, schema=SCHEMA, orient="row").write_parquet(tmp_path / "said.parquet")
    frames = [
        collect(
            build_log_shapes(scan_parquet([tmp_path / "said.parquet"], schema=SCHEMA, engine=engine)),
            schema=LOG_SHAPES_SCHEMA,
            sort_by=LOG_SHAPES_KEYS,
        )
        for engine in ("polars", "duckdb")
    ]
    assert frames[0].rows() == frames[1].rows()
    assert frames[0].height == 3
