"""The first error logged in each trace, and how much of a table there is."""

import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.coverage import COVERAGE_SCHEMA, build_coverage
from prodintel_lib.rollups.trace_errors import TRACE_ERRORS_KEYS, TRACE_ERRORS_SCHEMA, build_trace_errors
from prodintel_lib.tables import LOGS, conform

ROWS = [
    {"time_us": 30, "trace_id": "a", "severity_text": "ERROR", "service_name": "pay", "body": "second"},
    {
        "time_us": 20,
        "trace_id": "a",
        "severity_text": "error",
        "service_name": "pay",
        "body": "first",
        "error_type": "E",
    },
    {"time_us": 20, "trace_id": "a", "severity_number": 21, "service_name": "cards", "body": "at the same time"},
    {"time_us": 10, "trace_id": "a", "severity_text": "WARN", "service_name": "pay", "body": "a warning"},
    {"time_us": 10, "trace_id": "b", "severity_text": "INFO", "service_name": "pay", "body": "fine"},
    {"time_us": 11, "trace_id": "c", "severity_number": 9, "error_type": "E", "body": "caught and said so"},
    {"time_us": 12, "trace_id": "d", "error_type": "ValueError", "exception_message": "x" * 2000},
    {"time_us": 13, "severity_text": "ERROR", "service_name": "pay", "body": "in no trace"},
]


@pytest.fixture(params=["polars", "duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def logs(request, tmp_path, needs, needs_program):
    """Return the rows as a lazy frame of each engine."""
    if request.param == "spark":
        needs("pyspark")
        needs_program("java")
    conform(pl.DataFrame(ROWS, infer_schema_length=None), LOGS).write_parquet(tmp_path / "logs.parquet")
    return scan_parquet([tmp_path / "logs.parquet"], schema=LOGS.schema, engine=request.param)


def test_build_trace_errors_finds_the_first_error_of_each_trace(logs):
    found = collect(build_trace_errors(logs), schema=TRACE_ERRORS_SCHEMA, sort_by=TRACE_ERRORS_KEYS)
    assert found.rows() == [
        ("a", 20, 3, "cards", "E", "at the same time"),
        ("d", 12, 1, None, "ValueError", "x" * 1000),
    ]


def test_build_coverage_counts_rows_and_finds_the_first_and_last_time(logs):
    assert collect(build_coverage(logs), schema=COVERAGE_SCHEMA, sort_by=["rows"]).rows() == [(8, 10, 30)]


def test_build_coverage_of_nothing_has_no_times():
    nothing = scan_parquet([], schema=LOGS.schema)
    assert collect(build_coverage(nothing), schema=COVERAGE_SCHEMA, sort_by=["rows"]).rows() == [(0, None, None)]
