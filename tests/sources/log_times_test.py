"""Times of logs: every shape in use, and what is assumed where a time does not say all."""

from datetime import UTC, datetime

import polars as pl
import pytest

from prodintel_lib.sources.log_times import FOUND_SHAPES, is_zoned, logged_times_us

LAST_US = int(datetime(2026, 11, 21, 19, tzinfo=UTC).timestamp()) * 1_000_000


def us(*parts):
    moment = datetime(*parts, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def shape_of(text):
    return next(shape for shape, pattern in FOUND_SHAPES if (found := pattern.search(text)) and found[0] == text)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("2025-09-29T14:20:00Z", "iso", us(2025, 9, 29, 14, 20)),
        ("2025-09-29 14:20:00,123", "iso", us(2025, 9, 29, 14, 20, 0, 123_000)),
        ("2025-09-29 16:20:00.5+02:00", "iso", us(2025, 9, 29, 14, 20, 0, 500_000)),
        ("2025-09-29T16:20:00.123456789+0200", "iso", us(2025, 9, 29, 14, 20, 0, 123_456)),
        ("2025-09-29 14:20:00.1 UTC", "iso", us(2025, 9, 29, 14, 20, 0, 100_000)),
        ("29/Sep/2025:16:20:00 +0200", "clf", us(2025, 9, 29, 14, 20)),
        ("2025/09/29 14:20:00", "slashed", us(2025, 9, 29, 14, 20)),
        ("29-Sep-2025 14:20:00 UTC", "day month year", us(2025, 9, 29, 14, 20)),
        ("29-Sep-2025 16:20:00 Europe/Berlin", "day month year", us(2025, 9, 29, 14, 20)),
        ("29 Sep 2025 16:20:00,7 +0200", "day month year", us(2025, 9, 29, 14, 20, 0, 700_000)),
        ("Mon Sep 29 14:20:00.123456 2025", "asctime", us(2025, 9, 29, 14, 20, 0, 123_456)),
        ("Sun Dec  4 04:47:44 2005", "asctime", us(2005, 12, 4, 4, 47, 44)),
        ("2005-06-03-15.42.50.675872", "dotted", us(2005, 6, 3, 15, 42, 50, 675_872)),
        ("20171223-22:15:29:606", "compact", us(2017, 12, 23, 22, 15, 29, 606_000)),
        ("20171223T221529Z", "compact", us(2017, 12, 23, 22, 15, 29)),
        ("081109 203615", "short year", us(2008, 11, 9, 20, 36, 15)),
        ("17/06/09 20:10:40", "short year", us(2017, 6, 9, 20, 10, 40)),
        ("1117838570", "epoch", us(2005, 6, 3, 22, 42, 50)),
        ("1117838570.25", "epoch", us(2005, 6, 3, 22, 42, 50, 250_000)),
        ("1117838570123", "epoch", us(2005, 6, 3, 22, 42, 50, 123_000)),
        ("Nov 21 10:00:00", "syslog", us(2026, 11, 21, 10)),
        ("Dec  1 10:00:00", "syslog", us(2025, 12, 1, 10)),
        ("Feb 29 10:00:00", "syslog", us(2024, 2, 29, 10)),
        ("I1121 10:00:00.123456", "klog", us(2026, 11, 21, 10, 0, 0, 123_456)),
        ("03-17 16:13:38.811", "month-day", us(2026, 3, 17, 16, 13, 38, 811_000)),
        ("10.30 16:49:06", "month.day", us(2026, 10, 30, 16, 49, 6)),
    ],
)
def test_time_shapes_read_what_they_find(text, shape, expected):
    found = shape_of(text)
    read = pl.DataFrame({"text": [text, "x"]}).select(found.parse(pl.col("text"), LAST_US)).to_series()
    assert (found.name, read.to_list()) == (shape, [expected, None])


def test_time_without_a_year_is_of_the_last_year_in_which_it_had_passed():
    shape = shape_of("Nov 22 18:59:00")
    texts = pl.DataFrame({"text": ["Nov 22 18:59:00", "Nov 22 19:01:00"]})
    # A day ahead of the file's own time: clocks differ.
    assert texts.select(shape.parse(pl.col("text"), LAST_US)).to_series().to_list() == [
        us(2026, 11, 22, 18, 59),
        us(2025, 11, 22, 19, 1),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-09-29T14:20:00.5Z", us(2025, 9, 29, 14, 20, 0, 500_000)),
        ("2025-09-29 14:20:00,123", us(2025, 9, 29, 14, 20, 0, 123_000)),
        ("1759155600", us(2025, 9, 29, 14, 20)),
        ("1759155600000000", us(2025, 9, 29, 14, 20)),
        ("[29/Sep/2025:14:20:00 +0000]", us(2025, 9, 29, 14, 20)),
        ("Sep 29, 2025 @ 14:20:00.123", us(2025, 9, 29, 14, 20, 0, 123_000)),
        ("2025-13-29T14:20:00Z", None),
        ("soon", None),
        (None, None),
    ],
)
def test_logged_times_reads_what_machines_write(text, expected):
    assert logged_times_us(pl.Series(["2025-09-29T14:20:00Z", text])).to_list() == [us(2025, 9, 29, 14, 20), expected]


def test_is_zoned_tells_what_need_not_be_assumed():
    texts = pl.Series(["2025-09-29T14:20:00Z", "2025-09-29 14:20:00", "1759155600", "x Europe/Berlin", "1 +0200"])
    assert texts.to_frame("t").select(is_zoned(pl.col("t"))).to_series().to_list() == [True, False, True, True, True]
