"""Engines behind Narwhals: the same heavy pass on one machine (Polars, DuckDB) or beyond it (Spark).

A heavy pass takes a :class:`narwhals.LazyFrame` and never asks which engine it is on. This module opens Parquet files
on an engine, and brings a result back as a Polars frame whose types, order and last digits are the same on all.
"""

from __future__ import annotations

import atexit
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import narwhals as nw
import polars as pl

from prodintel_lib.errors import ParameterError, SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Engine = Literal["polars", "duckdb", "spark"]
# A frame, relation or session of an engine's own: what it is depends on the engine.
Native: TypeAlias = Any

# Engines add floats in different orders; the last of 15 to 17 digits is an accident of that order.
SIGNIFICANT_DIGITS: Final = 12
# A value that ends in exactly a half of the last digit kept (quantiles of round figures do) would go up on one engine
# and down on another. The nudge is larger than their differences and smaller than the digit.
_NUDGE: Final = 1 + 2**-43

_DUCKDB_TYPES: Final[Mapping[pl.DataType, str]] = {
    pl.Int64(): "BIGINT",
    pl.Float64(): "DOUBLE",
    pl.String(): "VARCHAR",
    pl.Boolean(): "BOOLEAN",
}
_SPARK_TYPES: Final[Mapping[pl.DataType, str]] = {
    pl.Int64(): "bigint",
    pl.Float64(): "double",
    pl.String(): "string",
    pl.Boolean(): "boolean",
}
# Two hundred partitions, Spark's default, are for a cluster; and nobody else need reach this one.
_LOCAL_SPARK: Final = {
    "spark.master": "local[*]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}


def scan_parquet(
    paths: Sequence[Path], *, schema: Mapping[str, pl.DataType], engine: str = "polars"
) -> nw.LazyFrame[Any]:
    """Open Parquet files of one schema as one lazy frame.

    Parameters
    ----------
    paths : sequence of Path
        May be empty: the frame then has the schema and no rows.
    schema : mapping of column name to Polars type
        Of every file; Int64, Float64, String and Boolean are what the canonical tables use.
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If the engine is unknown or its package is not installed.
    """
    if engine == "polars":
        if not paths:
            return nw.from_native(pl.LazyFrame(schema=dict(schema)))
        # The day in a file's path is the lake's business, not a column.
        return nw.from_native(pl.scan_parquet(list(paths), glob=False, hive_partitioning=False))
    if engine == "duckdb":
        return _scan_duckdb(paths, schema)
    if engine == "spark":
        return _scan_spark(paths, schema)
    raise ParameterError.unknown("engine", engine, known=get_args(Engine))


def collect(
    lazy: nw.LazyFrame[Any] | nw.DataFrame[Any], *, schema: Mapping[str, pl.DataType], sort_by: Sequence[str]
) -> pl.DataFrame:
    """Run a lazy frame and return the same Polars frame whatever the engine.

    Types are cast to the schema (DuckDB sums integers to 128 bits, lengths are 32 bits on Polars), floats are rounded
    to twelve significant digits, and rows are sorted.

    Parameters
    ----------
    lazy : narwhals.LazyFrame
    schema : mapping of column name to Polars type
        The columns of the result, in their order; every one must be there.
    sort_by : sequence of str
        Columns that tell the rows apart; nulls come first.

    Returns
    -------
    polars.DataFrame
        Exactly the schema, sorted.

    Raises
    ------
    SourceFormatError
        If a Parquet file behind the frame is damaged or gone.
    """
    try:
        frame = _to_polars(lazy.lazy().select(*schema).to_native())
    except (pl.exceptions.ComputeError, OSError) as error:
        if "parquet" not in str(error).lower():
            raise
        raise SourceFormatError(
            f"A Parquet file cannot be read: {str(error).splitlines()[0]}.",
            hint="delete the folder `lake` of the workspace and run `prodintel ingest`: it is made from the sources.",
        ) from error
    columns = [
        (pl.col(name).cast(dtype) * _NUDGE).round_sig_figs(SIGNIFICANT_DIGITS)
        if dtype.is_float()
        else pl.col(name).cast(dtype)
        for name, dtype in schema.items()
    ]
    return frame.select(columns).sort(list(sort_by), maintain_order=True)


def _to_polars(native: Native) -> pl.DataFrame:
    if isinstance(native, pl.LazyFrame):
        return native.collect()
    if type(native).__module__.partition(".")[0] == "pyspark":
        rows, names = native.collect(), native.columns
        return pl.DataFrame([tuple(row) for row in rows], schema=names, orient="row", infer_schema_length=None)
    return pl.DataFrame(_ArrowStream(native))


class _ArrowStream:
    """Hands over a DuckDB relation by the Arrow C stream protocol, which needs no pyarrow.

    Polars remembers the type of what it is given, and DuckDB's bindings report a type that is remembered as leaked when
    the interpreter ends: so Polars gets to see this one.
    """

    def __init__(self, relation: Native) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: Native = None) -> Native:
        return self._relation.__arrow_c_stream__(requested_schema)


def _lazy(native: Native) -> nw.LazyFrame[Any]:
    frame: nw.LazyFrame[Any] = nw.from_native(native)
    return frame


@cache
def _duckdb_connection() -> Native:
    """One connection for the process: relations of different connections cannot be joined."""
    import duckdb  # noqa: PLC0415 - one engine need not pay for another's import

    connection = duckdb.connect(":memory:")
    # What is still alive when the interpreter ends, DuckDB's bindings report on stderr as leaked.
    atexit.register(_duckdb_connection.cache_clear)
    atexit.register(connection.close)
    return connection


def _scan_duckdb(paths: Sequence[Path], schema: Mapping[str, pl.DataType]) -> nw.LazyFrame[Any]:
    connection = _duckdb_connection()
    if paths:
        files = connection.read_parquet([str(path) for path in paths], hive_partitioning=False)
        return _lazy(files.select(*(f'"{name}"' for name in schema)))
    columns = ", ".join(f'CAST(NULL AS {_DUCKDB_TYPES[dtype]}) AS "{name}"' for name, dtype in schema.items())
    return _lazy(connection.sql(f"SELECT {columns} WHERE false"))


def _scan_spark(paths: Sequence[Path], schema: Mapping[str, pl.DataType]) -> nw.LazyFrame[Any]:
    session = _spark_session()
    columns = ", ".join(f"`{name}` {_SPARK_TYPES[dtype]}" for name, dtype in schema.items())
    if not paths:
        return _lazy(session.createDataFrame([], columns))
    return _lazy(session.read.schema(columns).parquet(*(str(path) for path in paths)))


@cache
def _spark_session() -> Native:
    try:
        from pyspark import SparkConf  # noqa: PLC0415 - an extra
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ParameterError(
            "The engine `spark` needs the package pyspark, which is not installed.",
            hint="install the extra (`pip install prodintel[spark]`) and Java 17, or use `polars` or `duckdb`.",
        ) from error
    if (active := SparkSession.getActiveSession()) is not None:
        return active
    builder = SparkSession.builder.appName("prodintel").config("spark.sql.session.timeZone", "UTC")
    # Whoever submits to a cluster has named its master; without one this is a single machine.
    if SparkConf().get("spark.master") is None:
        for key, value in _LOCAL_SPARK.items():
            builder = builder.config(key, value)
    return builder.getOrCreate()
