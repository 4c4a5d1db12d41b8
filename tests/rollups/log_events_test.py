import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.log_events import LOG_EVENTS_KEYS, LOG_EVENTS_SCHEMA, build_log_events
from prodintel_lib.tables import LOGS, conform

S = 1_000_000


def table(*rows):
    return conform(pl.DataFrame([{"time_us": 0, **row} for row in rows], infer_schema_length=None), LOGS)


def events(*rows, bucket_s=60):
    lazy = nw.from_native(table(*rows).lazy())
    return collect(build_log_events(lazy, bucket_s=bucket_s), schema=LOG_EVENTS_SCHEMA, sort_by=LOG_EVENTS_KEYS)


def test_build_log_events_counts_by_bucket_service_level_and_shape():
    frame = events(
        {"time_us": 5 * S, "service_name": "pay", "severity_text": "ERROR", "body": "card 17 refused after 3.5 s"},
        {"time_us": 2 * S, "service_name": "pay", "severity_text": "ERROR", "body": "card 4 refused after 12 s"},
        {"time_us": 60 * S, "service_name": "pay", "severity_text": "ERROR", "body": "card 5 refused after 1 s"},
        {"time_us": 3 * S, "service_name": "pay", "severity_text": "info", "body": "card 6 taken"},
        {"time_us": 9 * S, "service_name": "pay", "severity_text": "info", "body": "card 6 taken"},
    )
    assert frame.select(
        "bucket_us", "service_name", "level", "shape", "rows", "messages", "first_us", "example"
    ).rows() == [
        (0, "pay", "error", "card <n> refused after <n> s", 2, 2, 2 * S, "card 17 refused after 3.5 s"),
        (0, "pay", "info", "card <n> taken", 2, 1, 3 * S, "card 6 taken"),
        (60 * S, "pay", "error", "card <n> refused after <n> s", 1, 1, 60 * S, "card 5 refused after 1 s"),
    ]


@pytest.mark.parametrize(
    ("row", "level"),
    [
        ({"severity_number": 17}, "error"),
        ({"severity_number": 16}, "warning"),
        ({"severity_number": 12, "severity_text": "ERROR"}, "info"),
        ({"severity_text": "Fatal"}, "error"),
        ({"severity_text": "CRITICAL"}, "error"),
        ({"severity_text": "warning"}, "warning"),
        ({"severity_text": "INFO", "error_type": "E"}, "info"),
        ({"error_type": "E"}, "error"),
        ({}, "info"),
    ],
)
def test_build_log_events_reads_the_level_from_number_text_or_exception(row, level):
    assert events(row)["level"].to_list() == [level]


def test_build_log_events_masks_ids_of_every_form():
    said = [
        "order 4ebe0420-ba70-4d15-b63c-18f3a6bba9ce lost",
        "order 8c1e62de-aaaa-bbbb-cccc-0123456789ab lost",
    ]
    assert events(*({"body": text} for text in said))["shape"].to_list() == ["order <id> lost"]
    assert events({"body": "trace 4ebe0420ba704d15 lost"})["shape"].to_list() == ["trace <id> lost"]


def test_build_log_events_takes_the_exception_where_there_is_no_message():
    frame = events({"exception_message": "no route 7", "error_type": "KeyError", "exception_stacktrace": "at a.py:3"})
    assert frame.select("shape", "example_error_type", "example_stacktrace").rows() == [
        ("no route <n>", "KeyError", "at a.py:3")
    ]


def some_logs(seed):
    chance = random.Random(seed)
    return [
        {
            "time_us": chance.randrange(500 * S),
            "service_name": chance.choice(["shop", "pay", None]),
            "severity_text": chance.choice(["ERROR", "warn", "INFO", None]),
            "severity_number": chance.choice([None, 9, 13, 17, 21]),
            "body": chance.choice([None, f"é item {chance.randrange(9)} of {chance.random():.3f}", "0xdeadbeef01 ok"]),
            "error_type": chance.choice([None, "KeyError"]),
            "exception_message": chance.choice([None, "no 'x'"]),
            "attributes": chance.choice([None, '{"a":1}']),
        }
        for _ in range(2000)
    ]


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_build_log_events_gives_the_same_on_every_engine(tmp_path, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    table(*some_logs(7)).write_parquet(tmp_path / "logs.parquet")

    def run(name):
        logs = scan_parquet([tmp_path / "logs.parquet"], schema=LOGS.schema, engine=name)
        return collect(build_log_events(logs, bucket_s=60), schema=LOG_EVENTS_SCHEMA, sort_by=LOG_EVENTS_KEYS)

    assert run("polars").height > 50
    assert run(engine).equals(run("polars"))
