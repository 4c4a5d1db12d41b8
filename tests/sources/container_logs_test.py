"""What containers wrote, in the envelopes of their runtimes."""

import gzip

import orjson
import pytest

from prodintel_lib.sources.container_logs import NOT_A_LINE, read_container_log_parts
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.text_logs import NO_RECORD

STAMP = "2025-09-29T14:20:00.123456789Z"
TIME_US = 1_759_155_600_123_456


def read(stream, *lines):
    file = stream(*(line.encode() if isinstance(line, str) else line for line in lines))
    assert recognise_file(file.path.read_bytes()) == "container_log"
    return joined_parts(read_container_log_parts(file))


def rows(result):
    shown = [{n: v for n, v in row.items() if v is not None} for row in result.frames["logs"].to_dicts()]
    return [row | {"attributes": orjson.loads(row.get("attributes", "{}"))} for row in shown]


def docker(text, stream="stderr"):
    return {"log": text, "stream": stream, "time": STAMP}


def test_read_container_logs_reads_json_file_with_traces_and_cut_lines(stream):
    result = read(
        stream,
        docker("2025-09-29 16:20:00,123 ERROR pay: failed\n"),
        docker("2025-09-29 16:20:00,123 INFO web: up\n", "stdout"),
        docker("Traceback (most recent call last):\n"),
        docker('  File "a.py", line 1\n'),
        docker("ValueError: no\n"),
        docker("2025-09-29 16:20:01,1 INFO pay: very lo"),
        docker("ng\n"),
    )
    assert result.rows_read == 3
    assert rows(result) == [
        {
            "time_us": TIME_US,
            "severity_text": "ERROR",
            "severity_number": 17,
            "body": "failed",
            "logger_name": "pay",
            "error_type": "ValueError",
            "exception_message": "no",
            "exception_stacktrace": 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no',
            "attributes": {"stream": "stderr", "head": "2025-09-29 16:20:00,123 ERROR pay:"},
        },
        {
            "time_us": TIME_US,
            "severity_text": "INFO",
            "severity_number": 9,
            "body": "up",
            "logger_name": "web",
            "attributes": {"stream": "stdout", "head": "2025-09-29 16:20:00,123 INFO web:"},
        },
        {
            "time_us": TIME_US,
            "severity_text": "INFO",
            "severity_number": 9,
            "body": "very long",
            "logger_name": "pay",
            "attributes": {"stream": "stderr", "head": "2025-09-29 16:20:01,1 INFO pay:"},
        },
    ]


def test_read_container_logs_reads_json_inside(stream):
    inner = orjson.dumps({"level": "warn", "msg": "slow", "time": "2025-09-29T16:20:00", "stream": "x"}).decode()
    (row,) = rows(read(stream, docker(f"{inner}\n", "stdout")))
    assert (row["time_us"], row["severity_text"], row["body"]) == (TIME_US, "WARN", "slow")
    assert row["attributes"] == {"stream": "stdout", "application.stream": "x", "time": "2025-09-29T16:20:00"}


def test_read_container_logs_reads_docker_s_times_and_folds_traces_without_their_own(stream):
    lines = [
        "started",
        "panic: runtime error: x",
        "",
        "goroutine 1 [running]:",
        "main.f(0x1)",
        "\t/a.go:12 +0x1d",
        "next",
    ]
    made = rows(read(stream, *(f"{STAMP} {line}" for line in lines)))
    assert [row["body"] for row in made] == ["started", "panic: runtime error: x", "next"]
    assert (made[1]["error_type"], made[1]["severity_text"]) == ("panic", "ERROR")
    assert made[1]["exception_stacktrace"] == "\n".join(lines[1:6])
    assert made[1]["attributes"] == {"severity_is": "error, since it holds a stack trace"}


def test_read_container_logs_reads_cri_and_joins_its_parts(stream):
    made = rows(read(stream, f"{STAMP} stdout P one ", f"{STAMP} stderr F ERROR two", f"{STAMP} stdout F three"))
    assert [(row["body"], row["attributes"]) for row in made] == [
        ("one three", {"stream": "stdout"}),
        ("ERROR two", {"stream": "stderr"}),
    ]


def test_read_container_logs_reads_compose_whose_services_alternate(stream):
    made = read(
        stream,
        "web-1  | 2025-09-29 14:20:00 ERROR failed",
        "db-1   | 2025-09-29 14:20:01 LOG:  ready",
        "web-1  | java.lang.X: no",
        "db-1   | 2025-09-29 14:20:02 LOG:  more",
        "web-1  | \tat a.B(C.java:1)",
    )
    assert [(row["service_name"], row["body"], row.get("error_type")) for row in rows(made)] == [
        ("web", "failed", "java.lang.X"),
        ("db", "ready", None),
        ("db", "more", None),
    ]
    assert rows(made)[0]["attributes"]["container.name"] == "web-1"


def test_read_container_logs_quarantines_lines_without_any_time(stream):
    result = read(stream, "db-1  | no time", "web-1  | 2025-09-29 14:20:00 ERROR x", "web-1  | 2025-09-29 14:20:00 ERROR y",
                  "web-1  | 2025-09-29 14:20:00 ERROR z", "Attaching to web")  # fmt: skip
    assert [(item.reason, item.line) for item in result.quarantined] == [(NO_RECORD, 1), (NOT_A_LINE, 5)]
    assert result.rows_read == 5


def test_read_container_logs_says_where_a_damaged_file_ends(stream):
    for content in (f"{STAMP} a\n".encode() * 3, orjson.dumps(docker("a\n")) + b"\n"):
        file = stream()
        file.path.write_bytes(gzip.compress(content)[:-4])
        result = joined_parts(read_container_log_parts(file))
        assert [item.reason for item in result.quarantined] == ["truncated gzip data"]


def test_read_container_logs_gives_parts_and_loses_no_line_between_them(stream):
    file = stream(*(f"{STAMP} {text}".encode() for text in ("a", "  at b", "c", "  at d", "  at e")))
    parts = list(read_container_log_parts(file, part_rows=2))
    assert [body for part in parts if part.frames for body in part.frames["logs"]["body"]] == [
        "a\n  at b",
        "c\n  at d\n  at e",
    ]
    assert sum(part.rows_read for part in parts) == 2


@pytest.mark.parametrize(
    "document", [{"log": 7, "stream": "stdout", "time": STAMP}, {"log": "x\n", "stream": "o", "time": 7}]
)
def test_read_container_logs_quarantines_what_is_no_line(stream, document):
    result = read(stream, document)
    assert (result.rows_read, len(result.quarantined)) == (1, 1)
