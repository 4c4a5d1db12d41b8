import math
from decimal import Decimal

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib import engines
from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.errors import ParameterError

SCHEMA = {"key": pl.String(), "n": pl.Int64(), "x": pl.Float64(), "flag": pl.Boolean()}


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "day=2025-09-29"
    folder.mkdir()
    parts = (
        {"key": ["b", "a"], "n": [2, 1], "x": [0.1, 0.2], "flag": [True, None]},
        {"key": ["a", None], "n": [3, 4], "x": [0.3, None], "flag": [False, True]},
    )
    paths = []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number}.parquet")
        pl.DataFrame(part, schema=SCHEMA).write_parquet(paths[-1])
    return paths


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_scan_parquet_reads_files_without_their_folders_name(files, engine):
    lazy = scan_parquet(files, schema=SCHEMA, engine=engine)
    assert lazy.collect_schema().names() == list(SCHEMA)
    frame = collect(lazy, schema=SCHEMA, sort_by=["key", "n"])
    assert frame.schema == pl.Schema(SCHEMA)
    assert frame.rows() == [(None, 4, None, True), ("a", 1, 0.2, None), ("a", 3, 0.3, False), ("b", 2, 0.1, True)]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_scan_parquet_of_nothing_has_the_schema(engine):
    lazy = scan_parquet([], schema=SCHEMA, engine=engine)
    assert collect(lazy, schema=SCHEMA, sort_by=["key"]).equals(pl.DataFrame(schema=SCHEMA))


def test_scan_parquet_names_the_nearest_engine():
    with pytest.raises(ParameterError, match="Unknown engine `duckbd`; known: duckdb, polars, spark"):
        scan_parquet([], schema=SCHEMA, engine="duckbd")


def test_scan_parquet_says_what_spark_needs(files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    engines._spark_session.cache_clear()
    with pytest.raises(ParameterError, match=r"needs the package pyspark.*\nHint: install the extra"):
        scan_parquet(files, schema=SCHEMA, engine="spark")


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_collect_casts_what_engines_type_differently(files, engine):
    sums = scan_parquet(files, schema=SCHEMA, engine=engine).group_by("key").agg(
        nw.len().alias("rows"), nw.col("n").sum(), nw.col("x").sum()
    )  # fmt: skip
    schema = {"key": pl.String(), "rows": pl.Int64(), "n": pl.Int64(), "x": pl.Float64()}
    frame = collect(sums, schema=schema, sort_by=["key"])
    assert frame.schema == pl.Schema(schema)
    assert [row for row in frame.rows() if row[0]] == [("a", 2, 4, 0.5), ("b", 1, 2, 0.1)]


def test_collect_casts_decimals():
    lazy = nw.from_native(pl.LazyFrame({"n": [Decimal("12.5")]}))
    assert collect(lazy, schema={"n": pl.Float64()}, sort_by=["n"]).rows() == [(12.5,)]


@pytest.mark.parametrize("half", [3.45, 1234.567890125, 501.5017755, 987.153127000005])
def test_collect_rounds_alike_whatever_the_last_digits(half):
    around = [half, math.nextafter(half, 0), math.nextafter(half, math.inf)]
    lazy = nw.from_native(pl.LazyFrame({"i": [0, 1, 2], "x": around}))
    assert collect(lazy, schema={"x": pl.Float64()}, sort_by=["x"])["x"].n_unique() == 1


def test_collect_leaves_figures_as_they_are():
    values = [0.0, -1.5, 45.0, 1e-9, 123456.789, 1e15]
    lazy = nw.from_native(pl.LazyFrame({"x": values}))
    assert collect(lazy, schema={"x": pl.Float64()}, sort_by=["x"])["x"].to_list() == sorted(values)
