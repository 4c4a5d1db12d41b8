"""Drupal's log: drush's JSON, the table's CSV, and serialised PHP read without making anything of it."""

import csv
import io
import os
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.php_values import read_php_value
from prodintel_lib.sources.watchdog import NOT_AN_ENTRY, read_watchdog_parts

TIME_US = 1_759_155_600_000_000
HEADER = [
    "wid",
    "uid",
    "type",
    "message",
    "variables",
    "severity",
    "link",
    "location",
    "referer",
    "hostname",
    "timestamp",
]


def serialised(value):
    if value is None:
        return "N;"
    if isinstance(value, bool):
        return f"b:{int(value)};"
    if isinstance(value, int):
        return f"i:{value};"
    if isinstance(value, float):
        return f"d:{value!r};"
    if isinstance(value, str):
        return f's:{len(value.encode())}:"{value}";'
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    return f"a:{len(items)}:{{{''.join(serialised(key) + serialised(item) for key, item in items)}}}"


def table(*entries):
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue().encode()


ERROR = {
    "wid": "5", "uid": "7", "type": "php", "message": "%type: @message in %function (line %line of %file).",
    "variables": serialised({"%type": "RuntimeException", "@message": 'no "é" & so', "%function": "f()", "%line": 12,
                             "%file": "/app/a.php", "severity_level": 3, "@backtrace_string": "#0 f()"}),
    "severity": "3", "link": "", "location": "https://shop.example/x", "referer": "", "hostname": "192.0.2.1",
    "timestamp": "1759155600",
}  # fmt: skip


def read(stream, content):
    file = stream(content)
    assert recognise_file(file.path.read_bytes()) == "watchdog"
    return joined_parts(read_watchdog_parts(file))


def rows(result):
    assert result.quarantined == ()
    return [{n: v for n, v in row.items() if v is not None} for row in result.frames["logs"].to_dicts()]


def test_read_watchdog_puts_variables_into_the_message_of_the_table(stream):
    (row,) = rows(read(stream, table(ERROR)))
    attributes = orjson.loads(row.pop("attributes"))
    assert row == {
        "time_us": TIME_US,
        "severity_text": "ERROR",
        "severity_number": 17,
        "body": 'RuntimeException: no "é" & so in f() (line 12 of /app/a.php).',
        "logger_name": "php",
        "error_type": "RuntimeException",
        "exception_message": 'no "é" & so',
        "exception_stacktrace": "#0 f()",
        "user_id": "7",
    }
    assert attributes == {
        "wid": "5",
        "location": "https://shop.example/x",
        "hostname": "192.0.2.1",
        "message_template": ERROR["message"],
        "variables": {"severity_level": 3},
    }


def test_read_watchdog_keeps_variables_it_cannot_read(stream):
    (row,) = rows(read(stream, table(ERROR | {"variables": 's:99:"x";', "uid": "0"})))
    assert (row["body"], "user_id" in row) == (ERROR["message"], False)
    assert orjson.loads(row["attributes"])["variables"] == 's:99:"x";'


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("20/Nov 10:00", (2026, 11, 20, 10)),
        ("22/Dec 10:00", (2025, 12, 22, 10)),
        ("Mon, 09/29/2025 - 14:20", (2025, 9, 29, 14, 20)),
        ("2025-09-29 14:20", (2025, 9, 29, 14, 20)),
    ],
)
def test_read_watchdog_reads_drush_s_list(stream, date, expected):
    entry = {
        "wid": "12",
        "date": date,
        "type": "cron",
        "severity": "Notice",
        "message": "Cron <em>run</em> ok &amp; done",
    }
    file = stream({"12": entry, "13": entry})
    last = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    os.utime(file.path, (last, last))
    assert recognise_file(file.path.read_bytes()) == "watchdog"
    row, again = rows(joined_parts(read_watchdog_parts(file)))
    assert row == again
    assert (row["body"], row["severity_number"], row["logger_name"]) == ("Cron run ok & done", 10, "cron")
    assert row["time_us"] == int(datetime(*expected, tzinfo=UTC).timestamp()) * 1_000_000
    assert "assumed UTC" in orjson.loads(row["attributes"])["time_is"]


def test_read_watchdog_reads_a_list_and_quarantines_what_is_no_entry(stream):
    entry = {"wid": 1, "type": "x", "severity": 4, "message": "m", "timestamp": 1_759_155_600, "variables": {"@a": 1}}
    file = stream([entry, {"wid": 2}, 7, entry | {"timestamp": None}])
    result = joined_parts(read_watchdog_parts(file))
    assert [item.reason for item in result.quarantined] == [NOT_AN_ENTRY, NOT_AN_ENTRY, "missing or impossible time"]
    assert (result.rows_read, result.frames["logs"]["severity_text"].to_list()) == (4, ["WARN"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"N;", None),
        (b"b:1;", True),
        (b"i:-7;", -7),
        (b"d:0.5;", 0.5),
        (b"d:INF;", "INF"),
        (b's:3:"a"b";', 'a"b'),
        ('s:2:"é";'.encode(), "é"),
        (b'a:2:{i:0;s:1:"a";i:1;r:1;}', ["a", None]),
        (b'a:1:{s:1:"k";a:0:{}}', {"k": []}),
        (b'O:3:"Foo":1:{s:6:"\0*\0bar";i:1;}', {"__class__": "Foo", "bar": 1}),
        (b'C:3:"Foo":2:{xy}', {"__class__": "Foo"}),
    ],
)
def test_read_php_value_reads_every_kind(content, expected):
    assert read_php_value(content) == expected


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"a:1:{i:0;N;", b's:9:"a";', b"i:1;i:2;", b"a:1:{b:1;N;}", b"i:" + b"9" * 50 + b";", b"a:99999999:{",
     b"a:1:{i:0;" * 100, b'O:1:"A":x', b"d:x;"],
)  # fmt: skip
def test_read_php_value_refuses_what_is_none(content):
    with pytest.raises(ValueError, match=r"."):
        read_php_value(content)


def test_read_php_value_bounds_depth_and_number():
    nested = b"a:1:{i:0;" * 65 + b"N;" + b"}" * 65
    assert read_php_value(nested[9:-1]) is not None
    for content in (nested, b"a:10000:{" + b"".join(b"i:%d;N;" % number for number in range(10_000)) + b"}"):
        with pytest.raises(ValueError, match="nested too deep, or too many values"):
            read_php_value(content)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc@%", min_size=1), inner, min_size=1, max_size=4),
        max_leaves=20,
    )
)  # fmt: skip
def test_read_php_value_reads_back_what_php_writes(value):
    assert read_php_value(serialised(value).encode()) == value


@given(content=st.binary(max_size=60) | st.text('aisON:;{}"0123', max_size=60).map(str.encode))
def test_read_php_value_reads_or_refuses_any_bytes(content):
    try:
        read_php_value(content)
    except ValueError:
        return
