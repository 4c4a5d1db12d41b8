"""Text logs: what is learnt from their lines, what is put together, and what is no log."""

import gzip
import os
from datetime import UTC, datetime

import orjson
import pytest

from prodintel_lib.sources import text_folding
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.text_layout import learn_layout
from prodintel_lib.sources.text_logs import NO_RECORD, read_text_log_parts

LAST_S = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
TIME_US = 1_759_155_600_000_000
ZONE = {"time_is": "zone assumed UTC"}
TRACE = "5b8efff798038103d269b633813fc60c"


def read(stream, *lines, form="text_log"):
    file = stream(*(line.encode() if isinstance(line, str) else line for line in lines))
    os.utime(file.path, (LAST_S, LAST_S))
    assert recognise_file(file.path.read_bytes()) == form
    return joined_parts(read_text_log_parts(file))


def rows(result):
    shown = [{n: v for n, v in row.items() if v is not None} for row in result.frames["logs"].to_dicts()]
    return [row | {"attributes": orjson.loads(row.get("attributes", "{}"))} for row in shown]


@pytest.mark.parametrize(
    ("line", "level", "logger", "body"),
    [
        ("2025-09-29 14:20:00,000 ERROR [main] shop.Pay: no answer", "ERROR", "shop.Pay", "no answer"),
        ("2025-09-29 14:20:00.000  WARN 1 --- [nio-1] shop.Pay : slow", "WARN", None, "1 --- [nio-1] shop.Pay : slow"),
        ("2025-09-29 14:20:00,000 - shop.pay - ERROR - no answer", "ERROR", "shop.pay", "no answer"),
        ("2025/09/29 14:20:00 [error] 7#0: *1 no answer", "ERROR", None, "7#0: *1 no answer"),
        ("[Mon Sep 29 14:20:00.000000 2025] [core:warn] [pid 7] no answer", "WARN", None, "[pid 7] no answer"),
        ("[29-Sep-2025 14:20:00 UTC] PHP Warning:  no answer", "WARN", "PHP", "no answer"),
        ("[29-Sep-2025 14:20:00] NOTICE: fpm is running", "INFO", None, "fpm is running"),
        ("1759155600 7 node up and running", None, None, "7 node up and running"),
        ("7:M 29 Sep 2025 14:20:00.000 * Ready to accept", None, None, "* Ready to accept"),
        ("2025-09-29 14:20:00 UTC [7] LOG:  no answer", "INFO", None, "no answer"),
        ("I, [2025-09-29T14:20:00.0 #12]  INFO -- : started up", "INFO", None, "started up"),
        ('time="2025-09-29T14:20:00Z" level=error msg="no"', "ERROR", None, 'level=error msg="no"'),
        ("20250929-14:20:00:0|Step|no answer", None, None, "Step|no answer"),
        ("INFO 2025-09-29T14:20:00Z started up", "INFO", None, "started up"),
        ("2025-09-29T14:20:00.000Z\t8f5e7a70-52b7\tERROR\tno answer", "ERROR", None, "no answer"),
    ],
    ids=["log4j", "spring", "python", "nginx", "apache", "php", "fpm", "epoch", "redis", "postgres", "ruby", "logfmt", "health",
         "level first", "lambda"],
)  # fmt: skip
def test_read_text_logs_learns_the_layout(stream, line, level, logger, body):
    made = rows(read(stream, line, line))
    assert made[0] == made[1]
    told = [made[0].get(name) for name in ("time_us", "severity_text", "logger_name", "body")]
    assert told == [TIME_US, level, logger, body]
    # What stands before the message, and the message, are the line.
    head = made[0]["attributes"]["head"]
    assert (line.startswith(head), line.endswith(body)) == (True, True)
    assert line[len(head) : len(line) - len(body)].strip() == ""


def test_read_text_logs_reads_klog_and_completes_its_year(stream):
    row, _ = rows(read(stream, *["E0929 14:20:00.5       1 main.go:13] Failed to bind"] * 2))
    assert (row["severity_text"], row["body"]) == ("ERROR", "Failed to bind")
    assert row["time_us"] == int(datetime(2026, 9, 29, 14, 20, 0, 500_000, UTC).timestamp() * 1e6)
    assert row["attributes"] == {
        "head": "E0929 14:20:00.5       1 main.go:13]",
        "time_is": "year taken from the file's own time, zone assumed UTC",
    }


def test_read_text_logs_folds_a_trace_into_the_record_before_it(stream):
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "    g()", "", "ValueError: no"]
    result = read(stream, "2025-09-29 14:20:00,000 ERROR pay: failed", *trace, "2025-09-29 14:20:01,000 INFO pay: on")
    first, second = rows(result)
    assert result.rows_read == 2
    assert (first["body"], first["error_type"], first["exception_message"]) == ("failed", "ValueError", "no")
    assert first["exception_stacktrace"] == "\n".join(trace)
    assert second["body"] == "on"


def test_read_text_logs_folds_php_s_traces_of_both_kinds(stream):
    plain = ["[29-Sep-2025 14:20:00 UTC] PHP Fatal error:  Uncaught App\\NoStock: none in /app/a.php:12", "Stack trace:",
             "#0 /app/b.php(3): f()", "#1 {main}", "  thrown in /app/a.php on line 12"]  # fmt: skip
    debug = ["[29-Sep-2025 14:20:01 UTC] PHP Warning:  Undefined variable $x", "[29-Sep-2025 14:20:01 UTC] PHP Stack trace:",
             "[29-Sep-2025 14:20:01 UTC] PHP   1. {main}() /app/a.php:0"]  # fmt: skip
    first, second = rows(read(stream, *plain, *debug))
    assert (first["severity_text"], first["error_type"], first["exception_message"]) == (
        "FATAL",
        "App\\NoStock",
        "none",
    )
    assert (second["severity_text"], second["body"].split("\n")[1:]) == ("WARN", debug[1:])


def test_read_text_logs_reads_ids_of_traces_where_the_text_names_them(stream):
    line = f"2025-09-29 14:20:00 INFO pay TraceID: {TRACE} SpanID: eee19b7ec3c1b174 charged"
    row, _ = rows(read(stream, line, line))
    assert (row["trace_id"], row["span_id"]) == (TRACE, "eee19b7ec3c1b174")


def test_read_text_logs_reads_a_mix_of_programs(stream):
    lines = ["2025/09/29 14:20:00 [error] 7#0: *1 no answer", "[29-Sep-2025 14:20:00] NOTICE: fpm is running",
             '192.0.2.1 - - [29/Sep/2025:14:20:00 +0000] "GET / HTTP/1.1" 502 1'] * 2  # fmt: skip
    made = rows(read(stream, *lines))
    assert {row["time_us"] for row in made} == {TIME_US}
    assert [row.get("severity_text") for row in made] == ["ERROR", "INFO", None] * 2


def test_read_text_logs_quarantines_what_comes_before_the_first_record_as_one(stream):
    result = read(stream, "Starting", "up", "2025-09-29 14:20:00 INFO pay: on", "2025-09-29 14:20:00 INFO pay: on")
    assert [(item.reason, item.line, item.excerpt) for item in result.quarantined] == [(NO_RECORD, 1, "Starting\nup")]
    assert result.rows_read == 3


def test_read_text_logs_keeps_a_damaged_time_with_the_record_before(stream):
    result = read(stream, *["2025-09-29 14:20:00 INFO a b"] * 3, "2025-99-29 14:20:00 INFO c d")
    assert [(item.reason, item.line) for item in result.quarantined] == [("missing or impossible time", 4)]
    assert result.rows_read == 4


@pytest.mark.parametrize("part_rows", [1, 2, 3, 100])
def test_read_text_logs_does_not_cut_a_record_where_a_part_ends(stream, part_rows):
    lines = [
        b"2025-09-29 14:20:00 ERROR pay: a",
        b"  at b",
        b"  at c",
        b"",
        b"2025-09-29 14:20:01 ERROR pay: d",
        b"  at e",
    ]
    parts = list(read_text_log_parts(stream(*lines), part_rows=part_rows))
    bodies = [body for part in parts if part.frames for body in part.frames["logs"]["body"]]
    assert bodies == ["a\n  at b\n  at c", "d\n  at e"]
    assert sum(part.rows_read for part in parts) == 2


@pytest.mark.parametrize("part_rows", [2, 5, 100])
def test_read_text_logs_bounds_a_record(stream, monkeypatch, part_rows):
    monkeypatch.setattr(text_folding, "MAX_RECORD_LINES", 3)
    lines = [b"2025-09-29 14:20:00 ERROR pay: a", *(b"  line %d" % number for number in range(7))]
    result = joined_parts(read_text_log_parts(stream(*lines), part_rows=part_rows))
    made = rows(result)
    assert [row["body"].split() for row in made] == [
        ["a", "line", "0", "line", "1"],
        ["line", "2", "line", "3", "line", "4"],
        ["line", "5", "line", "6"],
    ]
    assert [row["time_us"] for row in made] == [TIME_US] * 3
    assert ["continues" in row["attributes"] for row in made] == [False, True, True]


def test_read_text_logs_bounds_a_record_by_its_bytes(stream, monkeypatch):
    monkeypatch.setattr(text_folding, "MAX_RECORD_BYTES", 100)
    lines = [b"2025-09-29 14:20:00 ERROR pay: a", b"  " + b"x" * 90, b"  y", b"2025-09-29 14:20:01 ERROR pay: b"]
    made = rows(joined_parts(read_text_log_parts(stream(*lines))))
    assert [row["body"].strip()[:1] for row in made] == ["a", "x", "b"]


def test_read_text_logs_says_where_a_damaged_file_ends(stream):
    file = stream()
    file.path.write_bytes(gzip.compress(b"2025-09-29 14:20:00 INFO pay: on\n" * 3)[:-4])
    result = joined_parts(read_text_log_parts(file))
    assert [item.reason for item in result.quarantined] == ["truncated gzip data"]
    assert result.kept == {"logs": 3}


@pytest.mark.parametrize(
    "head",
    [
        b"time,value\n2025-09-29 14:20:00,1.5\n2025-09-29 14:21:00,1.7\n",
        b"2025-09-29 14:20:00,web,up\n2025-09-29 14:21:00,db,down\n",
        b"name;when;what\nweb;2025-09-29 14:20:00;it is up\ndb;2025-09-29 14:21:00;it is down\n",
        b"http_requests_total 1027 1759155600000\nhttp_requests_total 3 1759155600000\n",
        b"1759155600 1.5 2.5\n1759155660 1.5 2.5\n",
        b"Minutes of 2025-09-29\nWe met at 14:20 and talked.\nThen we went home.\n",
        b'{"note": "2025-09-29 14:20:00 ERROR x"}\n',
        b"- id: INC-1\n  started: 2025-09-29T14:20:00Z\n",
        b"<event time='2025-09-29T14:20:00Z'>x</event>\n<?xml?>\n",
        b"\0" * 100,
        b"2025-09-29 14:20:00 a\0b\n",
    ],
)
def test_recognise_takes_no_tables_and_no_prose_for_logs(head):
    assert recognise_file(head) is None or recognise_file(head) == "plain"


def test_learn_layout_takes_no_level_of_some_lines_for_a_logger():
    lines = ["2025-09-29 14:20:00 UTC [7] " + word + ":  x" for word in ("LOG", "ERROR", "DETAIL", "STATEMENT")]
    assert [(place.has_logger, place.level_token) for place in learn_layout(lines)] == [(False, None)]


def test_learn_layout_wants_times_in_most_lines():
    assert learn_layout(["words"] * 6 + ["2025-09-29 14:20:00 INFO x"] * 5) == ()
    assert [place.shape.name for place in learn_layout(["words"] * 4 + ["2025-09-29 14:20:00 INFO x"] * 5)] == ["iso"]


SYSTEMS = {
    "Android": (1773764018811000, {"DEBUG": 650, "ERROR": 3, "INFO": 920, "TRACE": 257, "WARN": 170}),
    "Apache": (1133671664000000, {"ERROR": 595, "INFO": 1405}),
    "BGL": (1117838570000000, {"ERROR": 48, "FATAL": 347, "INFO": 1597, "WARN": 8}),
    "HDFS": (1226262975000000, {"INFO": 1920, "WARN": 80}),
    "HPC": (1077804742000000, {None: 2000}),
    "Hadoop": (1445191307978000, {"ERROR": 150, "FATAL": 2, "INFO": 1040, "WARN": 808}),
    "OpenStack": (1494892800008000, {"INFO": 1969, "WARN": 31}),
    "Proxifier": (1793378946000000, {None: 2000}),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_read_text_logs_reads_eight_systems(stream, shared_data, name):
    result = read(stream, (shared_data / "loghub" / name / f"{name}_2k.log").read_bytes().rstrip(b"\r\n"))
    logs = result.frames["logs"]
    first_us, levels = SYSTEMS[name]
    assert (result.kept, result.quarantined) == ({"logs": 2000}, ())
    assert logs["time_us"][0] == first_us
    assert dict(logs["severity_text"].value_counts().rows()) == levels
