from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import (
    Window,
    format_duration,
    format_time,
    parse_duration_s,
    parse_time,
    to_datetime,
    to_us,
)

NOON_US = 1_759_147_200_000_000  # 2025-09-29T12:00:00Z
S = 1_000_000


@pytest.mark.parametrize("end", [10, 9])
def test_window_refuses_to_end_before_it_starts(end):
    with pytest.raises(ParameterError, match="A window ends after it starts; this one starts 1970-01-01 00:00:00 UTC"):
        Window(10, end)


def test_window_is_half_open():
    window = Window(10, 20)
    assert [window.contains(time) for time in (9, 10, 19, 20)] == [False, True, True, False]


def test_window_widens_by_seconds():
    assert Window(10 * S, 20 * S).widened(before_s=3, after_s=0.5) == Window(7 * S, 20 * S + S // 2)
    assert Window(0, 1_500_000).duration_s == 1.5


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        (1800, "2025-09-29 12:00:00-12:30:00 UTC"),
        (86_400, "2025-09-29 12:00:00-2025-09-30 12:00:00 UTC"),
    ],
)
def test_label_writes_the_date_once_where_it_is_one_day(seconds, label):
    assert Window(NOON_US, NOON_US + seconds * S).label() == label


@pytest.mark.parametrize(
    ("text", "start_s", "end_s"),
    [
        ("2025-09-29T12:00/12:30", 0, 1800),
        ("2025-09-29T12:00:10/12:00:20", 10, 20),
        ("2025-09-29T12:00Z/12:30Z", 0, 1800),
        ("2025-09-29T14:00+02:00/14:30+02:00", 0, 1800),
        ("2025-09-29T12:00/2025-09-30T12:00", 0, 86_400),
        (" 2025-09-29T12:00 / 2025-09-29T12:01 ", 0, 60),
    ],
)
def test_parse_reads_a_start_and_an_end(text, start_s, end_s):
    assert Window.parse(text) == Window(NOON_US + start_s * S, NOON_US + end_s * S)


@pytest.mark.parametrize(
    "text", ["2025-09-29T12:00:00/12:30", "2025-09-29T12:00Z/12:30", "2025-09-29T14:00+02:00/14:30"]
)
def test_parse_reads_an_end_that_is_only_a_time_of_day(text):
    assert Window.parse(text) == Window(NOON_US, NOON_US + 1800 * S)


@pytest.mark.parametrize(("seconds", "text"), [(59.96, "1 min 00 s"), (0.9996, "1.0 s"), (0.9994, "999 ms")])
def test_format_duration_rounds_up_into_the_next_unit(seconds, text):
    assert format_duration(seconds) == text


def test_parse_reads_a_length_that_ends_now():
    assert Window.parse("7d", now=to_datetime(NOON_US)) == Window(NOON_US - 7 * 86_400 * S, NOON_US)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7d", "The window `7d` has no start and end"),
        ("noon/2025-09-29T12:30", "`noon` is not a time"),
        ("2025-09-29T12:30/12:00", "A window ends after it starts"),
        ("/", "is not a time"),
    ],
)
def test_parse_refuses_other_texts(text, message):
    with pytest.raises(ParameterError, match=message):
        Window.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), (" 2w ", 1_209_600)]
)
def test_parse_duration_s_reads_every_unit(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7y", "1h30m", "\u0667d"])
def test_parse_duration_s_refuses_other_texts(text):
    with pytest.raises(ParameterError, match="is not a length of time"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    "text", ["2025-09-29T12:00:00Z", "2025-09-29T12:00", "2025-09-29T14:00:00+02:00", " 2025-09-29 12:00:00.000000 "]
)
def test_parse_time_reads_iso_times(text):
    assert parse_time(text) == NOON_US


@pytest.mark.parametrize("text", ["", "noon", "2025-13-01", "12:00", "1759147200"])
def test_parse_time_refuses_other_texts(text):
    with pytest.raises(ParameterError, match="is not a time"):
        parse_time(text)


def test_to_us_is_exact_where_floats_are_not():
    assert to_us(datetime(2025, 9, 29, 12, 0, 0, 1, tzinfo=UTC)) == NOON_US + 1
    assert to_us(datetime(2025, 9, 29, 14, tzinfo=timezone(timedelta(hours=2)))) == NOON_US


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_to_datetime_and_back_is_the_same(time_us):
    assert to_us(to_datetime(time_us)) == time_us


def test_format_time_shows_seconds_or_milliseconds():
    assert format_time(NOON_US + 1_999_999) == "2025-09-29 12:00:01 UTC"
    assert format_time(NOON_US + 1_007_999, precision="ms") == "2025-09-29 12:00:01.007 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.85, "850 ms"),
        (12.4, "12.4 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (342, "5 min 42 s"),
        (3599.6, "1 h 00 min"),
        (7440, "2 h 04 min"),
        (86_400, "1 d 0 h"),
        (266_400, "3 d 2 h"),
    ],
)
def test_format_duration_uses_two_units_at_most(seconds, text):
    assert format_duration(seconds) == text


def test_window_overlaps_what_has_a_time_in_common_with_it():
    window = Window(10, 20)
    assert [window.overlaps(Window(*ends)) for ends in ((0, 10), (0, 11), (12, 13), (19, 30), (20, 30))] == [
        False, True, True, True, False,
    ]  # fmt: skip
