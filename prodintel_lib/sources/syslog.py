"""Syslog as files have it: RFC 3164 (with or without its priority, or with rsyslog's ISO times) and RFC 5424.

The program is the service, the host and the process stay in the attributes, as does structured data. A line that begins
with a space goes with the one before. RFC 3164 has no year and no zone: see log_times. The severity comes from the
priority; files rarely have it, and then the message may tell. See https://www.rfc-editor.org/rfc/rfc5424.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.log_levels import SYSLOG_NUMBERS
from prodintel_lib.sources.log_rows import INSIDE, joined_members, json_member
from prodintel_lib.sources.log_times import SHAPES, YEAR_ASSUMED, file_time_us, logged_times_us
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.text_layout import first_lines
from prodintel_lib.sources.text_logs import BATCH_LINES, HEAD_COLUMNS, TextRows, text_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import ReadResult

_SHAPE: Final = next(shape for shape in SHAPES if shape.name == "syslog")
_ISO: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
# priority, time, host, program, process, message
_OLD: Final = (
    rf"^(?:<([0-9]{{1,3}})>)?({_SHAPE.pattern}|{_ISO}) ([^\s:\[\]]+) (?:([^\s:\[\]]+?)(?:\[([0-9]+)\])?: ?)?(.*)$"
)
# priority, time, host, program, process, message id, structured data, message
_NEW: Final = (
    r"^<([0-9]{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\\"]|\\.|\"(?:[^\"\\]|\\.)*\")*\])+)"
    r" ?\x{feff}?(.*)$"
)
_START: Final = rf"^(?:<[0-9]{{1,3}}>)?(?:{_SHAPE.pattern}|{_ISO}) [^\s:\[\]]+ "
_NEW_START: Final = r"^<[0-9]{1,3}>1 \S+ \S+ \S+ \S+ \S+ [\[-]"
_FIRST: Final = re.compile(
    rf"^(?:<[0-9]{{1,3}}>)?(?:{_SHAPE.pattern}|{_ISO}) [^\s:\[\]]+ [^\s:\[\]]+?(?:\[[0-9]+\])?: |{_NEW_START}"
)
# Application logs write ISO times too: a file of those is syslog where a process's number follows the program.
_FIRST_SURE: Final = re.compile(rf"^<[0-9]{{1,3}}>|^{_SHAPE.pattern} |^{_ISO} \S+ [^\s:\[\]]+\[[0-9]+\]: ")
_MIN_SHARE: Final = 0.5
_FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip


def is_syslog(head: bytes) -> bool:
    r"""Say whether a text begins with lines of syslog.

    Examples
    --------
    >>> is_syslog(b"Sep 29 14:20:00 web1 sshd[42]: Failed password for root\n")
    True
    """
    if b"\0" in head:
        return False
    lines = [line for line in first_lines(head) if line.strip() and not line[0].isspace()]
    found = [line for line in lines if _FIRST.match(line)]
    sure = [line for line in found if _FIRST_SURE.match(line)]
    return bool(found) and len(found) > _MIN_SHARE * len(lines) and len(sure) > _MIN_SHARE * len(found)


def read_syslog_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read the lines of a syslog, a part at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int
        How many lines a part is made of, at most.

    Yields
    ------
    ReadResult
        Table ``logs``; the program is ``service_name``.
    """
    rows = _SyslogRows(file_time_us(stream))
    yield from rows.parts(text_lines(stream), stream, batch_lines=min(BATCH_LINES, part_rows))


class _SyslogRows(TextRows):
    def __init__(self, last_us: int) -> None:
        super().__init__((), last_us)
        self._starts = [_START, _NEW_START]

    def _read_heads(self, heads: pl.DataFrame) -> pl.DataFrame:
        is_new = pl.col("text").str.contains(_NEW_START)
        names = ["priority", "time", "host", "program", "process", "message_id", "data", "body"]
        new = _groups(heads.filter(is_new), _NEW, names)
        old = _groups(heads.filter(~is_new), _OLD, [*names[:5], "body"]).with_columns(
            pl.lit(None, dtype=pl.String).alias("message_id"), pl.lit(None, dtype=pl.String).alias("data")
        )
        return self._told(pl.concat([new, old.select(new.columns)]))

    def _told(self, heads: pl.DataFrame) -> pl.DataFrame:
        priority = pl.col("priority").cast(pl.Int64, strict=False)
        priority = pl.when(priority < 8 * len(_FACILITIES)).then(priority)
        severity = (priority % 8).replace_strict(dict(enumerate(SYSLOG_NUMBERS)), default=None, return_dtype=pl.Int64)
        facility = (priority // 8).replace_strict(dict(enumerate(_FACILITIES)), default=None, return_dtype=pl.String)
        is_dated = pl.col("time").str.contains("^[0-9]")
        dated_us = logged_times_us(heads.select(pl.when(is_dated).then("time").alias("time"))["time"])
        short = pl.when(~is_dated & (pl.col("time") != "-")).then("time")
        members = [json_member(name, _given(column)) for name, column in _ATTRIBUTES.items()]
        members += [json_member("syslog.facility.name", facility)]
        members += [pl.when(short.is_not_null()).then(pl.lit(f'"time_is":"{YEAR_ASSUMED}"'))]
        return heads.with_columns(
            pl.coalesce("outer_us", pl.lit(dated_us), _SHAPE.parse(short, self._last_us)).alias("time_us"),
            severity.alias("severity_number"),
            _given("program").alias("service_name"),
            pl.lit(None, dtype=pl.String).alias("logger_name"),
            joined_members(pl.col(INSIDE), *members).alias(INSIDE),
            pl.col("body").fill_null(pl.col("text")),
        ).select(HEAD_COLUMNS)


_ATTRIBUTES: Final = {
    "host.name": "host", "process.pid": "process", "syslog.msgid": "message_id", "syslog.structured_data": "data",
    "syslog.priority": "priority",
}  # fmt: skip


def _groups(heads: pl.DataFrame, pattern: str, names: list[str]) -> pl.DataFrame:
    parts = pl.col("text").str.extract_groups(pattern).struct.rename_fields(names).alias("parts")
    return heads.with_columns(parts).unnest("parts")


def _given(name: str) -> pl.Expr:
    return pl.when(~pl.col(name).is_in(["-", ""])).then(pl.col(name))
