"""Syslog of both RFCs."""

import os
from datetime import UTC, datetime

import orjson
import pytest

from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.syslog import is_syslog, read_syslog_parts
from prodintel_lib.sources.text_logs import NO_RECORD

LAST_S = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
TIME_US = int(datetime(2026, 9, 29, 14, 20, tzinfo=UTC).timestamp()) * 1_000_000
ISO_US = 1_759_155_600_000_000
OLD = b"Sep 29 14:20:00 web1 sshd[42]: Failed password for root"


def read(stream, *lines):
    file = stream(*lines)
    os.utime(file.path, (LAST_S, LAST_S))
    assert recognise_file(file.path.read_bytes()) == "syslog"
    return joined_parts(read_syslog_parts(file))


def rows(result):
    shown = [{n: v for n, v in row.items() if v is not None} for row in result.frames["logs"].to_dicts()]
    return [row | {"attributes": orjson.loads(row.get("attributes", "{}"))} for row in shown]


def test_read_syslog_reads_rfc_3164_and_takes_the_year_from_the_file(stream):
    assert rows(read(stream, OLD)) == [
        {
            "time_us": TIME_US,
            "body": "Failed password for root",
            "service_name": "sshd",
            "attributes": {
                "host.name": "web1",
                "process.pid": "42",
                "time_is": "year taken from the file's own time, zone assumed UTC",
            },
        }
    ]


def test_read_syslog_takes_the_severity_from_the_priority(stream):
    (row,) = rows(read(stream, b"<11>" + OLD))
    assert (row["severity_text"], row["severity_number"]) == ("ERROR", 17)
    assert row["attributes"]["syslog.facility.name"] == "user"


def test_read_syslog_reads_rsyslog_s_iso_times(stream):
    (row,) = rows(read(stream, b"2025-09-29T16:20:00.5+02:00 web1 kernel[0]: oops: 7"))
    assert (row["time_us"], row["service_name"], row["body"]) == (ISO_US + 500_000, "kernel", "oops: 7")
    assert "time_is" not in row["attributes"]


def test_read_syslog_reads_rfc_5424_with_structured_data(stream):
    line = '<165>1 2025-09-29T14:20:00.003Z host.example evntslog 12 ID47 [ex@32473 iut="3" a="\\]"][b] \ufeffAn event'
    assert rows(read(stream, line.encode())) == [
        {
            "time_us": ISO_US + 3_000,
            "severity_text": "INFO",
            "severity_number": 10,
            "body": "An event",
            "service_name": "evntslog",
            "attributes": {
                "host.name": "host.example",
                "process.pid": "12",
                "syslog.msgid": "ID47",
                "syslog.structured_data": '[ex@32473 iut="3" a="\\]"][b]',
                "syslog.priority": "165",
                "syslog.facility.name": "local4",
            },
        }
    ]


def test_read_syslog_joins_lines_and_quarantines_what_has_no_time(stream):
    result = read(stream, b"-- Logs begin --", OLD, b"  and more", b"", OLD, b"<14>1 - h su - - - no time")
    assert [row["body"] for row in rows(result)] == ["Failed password for root\n  and more", "Failed password for root"]
    assert [(item.reason, item.line) for item in result.quarantined] == [
        (NO_RECORD, 1),
        ("missing or impossible time", 6),
    ]
    assert result.rows_read == 4


def test_read_syslog_gives_parts_and_loses_no_line_between_them(stream):
    lines = [OLD, b" a", OLD, b" b", b" c"]
    file = stream(*lines)
    bodies = [part.frames["logs"]["body"].to_list() for part in read_syslog_parts(file, part_rows=2) if part.frames]
    assert bodies == [["Failed password for root\n a"], ["Failed password for root\n b\n c"]]


@pytest.mark.parametrize(
    "head",
    [b"", b"2025-09-29T14:20:00Z web1 pay: x\n", b"Sep 29: we met\nand talked\n", b'{"a": "<11>1 x"}', b"\0" + OLD],
)
def test_is_syslog_is_false_for_others(head):
    assert not is_syslog(head)
