"""Whether a rollup of the same files is the same, byte for byte, on another engine."""

from prodintel_lib.engines import collect, scan_parquet


def run(engine, files, rollup, *, tables):
    """Run a rollup, given as what builds it, its schema and its keys, over files of tables of the same names."""
    build, schema, keys = rollup
    lazy = build(lambda table: scan_parquet([files[table]], schema=tables[table].schema, engine=engine))
    return collect(lazy, schema=schema, sort_by=list(keys))


def assert_same_on(engine, files, rollup, *, tables, more_than, needs, needs_program):
    """Compare an engine with Polars; `more_than` rows say that there was something to compare."""
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    expected, found = (run(name, files, rollup, tables=tables) for name in ("polars", engine))
    assert expected.height > more_than
    assert found.schema == expected.schema
    assert found.write_csv().encode() == expected.write_csv().encode()
