"""Levels in words and numbers, and found in lines that do not label them."""

import polars as pl
import pytest

from prodintel_lib.sources.log_levels import found_level, level_name, level_names, level_of


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        ("info", "bunyan", 9),
        (" Warning ", "bunyan", 13),
        ("CRITICAL", "bunyan", 18),
        ("audit", "bunyan", None),
        (10, "bunyan", 1),
        (60, "bunyan", 21),
        (10, "python", 5),
        (50, "python", 21),
        (0, "syslog", 21),
        ("7", "syslog", 5),
        (17, "otel", 17),
        (25, "otel", None),
        (True, "bunyan", None),
        (None, "bunyan", None),
        ("9" * 5000, "bunyan", None),
        ("²", "syslog", None),
    ],
)
def test_level_of_reads_words_and_scales(value, scale, expected):
    assert level_of(value, scale=scale) == expected


def test_level_names_are_opentelemetry_s():
    numbers = pl.DataFrame({"n": [1, 5, 10, 16, 17, 24, None]})
    names = numbers.select(level_names(pl.col("n"))).to_series().to_list()
    assert names == ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", None]
    assert level_name(24) == "FATAL"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('level=error msg="no answer"', 17),
        ('{"severity": "warning"}', 13),
        ("2025/09/29 14:20:00 [error] 123#0: *1 x", 17),
        ("[core:error] x", 17),
        ("main WARN  pay: x", 13),
        ("id\tERROR\tboom", 17),
        ("PHP Fatal error:  Uncaught X", 21),
        ("PHP Notice:  Undefined index", 10),
        ("Error: no such file", None),
        ("there was no ERROR_CODE", None),
        ("finished without error", None),
        ("an error (warning) in prose", 13),
        ("x" * 200 + " ERROR ", None),
        ("", None),
    ],
)
def test_found_level_takes_what_stands_apart(text, expected):
    assert pl.DataFrame({"t": [text]}).select(found_level(pl.col("t"))).item() == expected
