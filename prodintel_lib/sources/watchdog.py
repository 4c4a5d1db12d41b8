"""Drupal's log (watchdog, module dblog): what drush lists, and the table of the database.

Read are ``drush watchdog:show --format=json`` (entries by id, or a list, with or without ``--extended``) and a CSV or
JSON of the table ``watchdog``, whose ``variables`` are serialised PHP and belong into the message's placeholders
(``@name``, ``%name``, ``:name``, ``!name``). Severities are those of RFC 5424. See
https://www.drush.org/latest/commands/watchdog_show/ and
https://api.drupal.org/api/drupal/core!modules!dblog!dblog.install/function/dblog_schema/10.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.decompress import read_head
from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.log_levels import level_of
from prodintel_lib.sources.log_rows import INSIDE, finished_logs, members_of
from prodintel_lib.sources.log_times import SHAPES, YEAR_ASSUMED, ZONE_ASSUMED, file_time_us, logged_times_us
from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.php_values import read_php_value
from prodintel_lib.sources.tabular import TabularFile, tabular_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

NOT_AN_ENTRY: Final = "not a watchdog entry"
_HEAD_BYTES: Final = 64 << 10
_TAG: Final = re.compile(r"<[a-zA-Z/][^<>]*>")
_PLACEHOLDER: Final = re.compile(r"[@%:!][A-Za-z_][A-Za-z0-9_.-]*")
# "21/Nov 10:00", as drush shows times for people.
_SHORT_DATE: Final = re.compile(r"^([0-9]{1,2})/([A-Z][a-z]{2}) ([0-9]{2}:[0-9]{2})$")
_LONG_DATE: Final = re.compile(r"^[A-Z][a-z]{2}, ([0-9]{2})/([0-9]{2})/([0-9]{4}) - ([0-9]{2}:[0-9]{2})$")
_COLUMNS: Final = ("number", "text", "seconds", "severity_number", "body", "logger_name", "user_id", "error_type",
                   "exception_message", "exception_stacktrace", INSIDE)  # fmt: skip
_SYSLOG_SHAPE: Final = next(shape for shape in SHAPES if shape.name == "syslog")


def read_watchdog_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read entries, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``logs``. The entry's type is the logger; user 0, which is nobody, has no ``user_id``. An error that PHP
        reported has its type, message and backtrace where the variables hold them.

    Notes
    -----
    Without ``--extended``, drush shows a time as ``21/Nov 10:00``, in the site's zone: the year is taken from the
    file's own time and the zone as UTC, and the row says so.
    """
    last_us = file_time_us(stream)
    rows: list[dict[str, Json]] = []
    rejected: list[Rejected] = []
    for line, entry in _entries(stream):
        try:
            rows.append(_row(line, entry))
        except (ValueError, KeyError, TypeError, AttributeError):
            rejected.append(entry if isinstance(entry, Rejected) else Rejected.of(NOT_AN_ENTRY, line, entry))
        if len(rows) + len(rejected) >= part_rows:
            yield _part(rows, rejected, last_us)
            rows, rejected = [], []
    if rows or rejected:
        yield _part(rows, rejected, last_us)


def is_watchdog_entry(keys: frozenset[str]) -> bool:
    """Say whether an object or a table with these names is Drupal's log."""
    return {"wid", "type", "message", "severity"} <= keys


def _entries(stream: ByteStream) -> Iterator[tuple[int, Json]]:
    if tabular_form(read_head(stream.path, size_bytes=_HEAD_BYTES)) == "csv":
        yield from TabularFile(stream, "csv").rows()
        return
    for line, document in read_documents(stream):
        if isinstance(document, dict) and "wid" not in document:
            yield from ((line, entry) for entry in document.values())
        else:
            yield line, document


def _row(line: int, entry: Mapping[str, Json]) -> dict[str, Json]:
    told = dict(entry)
    seconds = told.pop("timestamp", None)
    date = told.pop("date", None)
    variables = _variables(told)
    template = str(told.pop("message"))
    user = told.pop("uid", None)
    severity = told.pop("severity", None)
    if user in {"0", 0, None}:
        told |= {} if user is None else {"uid": user}
        user = None
    message = _filled(template, variables)
    number = level_of(severity, scale="syslog")
    if number is None:
        told["severity"] = severity
    if message != template:
        told["message_template"] = template
    return {
        "number": line,
        "seconds": int(seconds) if str(seconds or "").isdigit() else None,
        "text": str(date if seconds is None or not str(seconds).isdigit() else "") or None,
        "severity_number": number,
        "body": message,
        "logger_name": str(told.pop("type")),
        "user_id": None if user is None else str(user),
        "error_type": _text(variables.get("%type")),
        "exception_message": _text(variables.get("@message", variables.get("!message")))
        if "%type" in variables
        else None,
        "exception_stacktrace": _text(variables.get("@backtrace_string")),
        INSIDE: members_of({name: value for name, value in told.items() if value is not None and value != ""}),
    }


def _variables(told: dict[str, Json]) -> dict[str, Json]:
    """Take out the variables; what cannot be read as such stays where it is."""
    given = told.get("variables")
    if isinstance(given, dict):
        return {str(key): value for key, value in told.pop("variables").items()}
    if not isinstance(given, str):
        return {}
    try:
        read = read_php_value(given.encode())
    except ValueError:
        return {}
    del told["variables"]
    if isinstance(read, dict):
        unused = {
            key: value
            for key, value in read.items()
            if key not in str(told.get("message")) and key != "@backtrace_string"
        }
        if unused:
            told["variables"] = unused
        return read
    return {}


def _filled(template: str, variables: Mapping[str, Json]) -> str:
    """Put variables into a message's placeholders, and take markup out of it: it was made for a page."""
    plain = _PLACEHOLDER.sub(lambda found: _placed(found[0], variables), template)
    return html.unescape(_TAG.sub("", plain)).strip()


def _placed(name: str, variables: Mapping[str, Json]) -> str:
    while name not in variables and name[-1:] in ".-":
        name = name[:-1]
    return (_text(variables[name]) or "") if name in variables else name


def _text(value: Json) -> str | None:
    return None if value is None else value if isinstance(value, str) else str(value)


def _part(rows: list[dict[str, Json]], rejected: list[Rejected], last_us: int) -> ReadResult:
    frame = pl.DataFrame(
        {name: [row[name] for row in rows] for name in _COLUMNS},
        schema={name: pl.Int64 if name in {"number", "seconds", "severity_number"} else pl.String for name in _COLUMNS},
    )
    short = pl.col("text").str.replace(_SHORT_DATE.pattern, "${2} ${1} ${3}:00")
    long = pl.col("text").str.replace(_LONG_DATE.pattern, "${3}-${1}-${2}T${4}:00Z")
    frame = frame.with_columns(
        pl.when(pl.col("text") != short).then(_SYSLOG_SHAPE.parse(short, last_us)).alias("year_less"),
        long.alias("long"),
    )
    times_us = frame.select(
        pl.coalesce(pl.col("seconds") * 1_000_000, "year_less", pl.lit(logged_times_us(frame["long"]))).alias("time_us")
    )["time_us"]
    said = (
        pl.when(pl.col("year_less").is_not_null())
        .then(pl.lit(f'"time_is":"{YEAR_ASSUMED}"'))
        .when(pl.col("text").is_not_null())
        .then(pl.lit(f'"time_is":"{ZONE_ASSUMED}"'))
    )
    inside = pl.concat_str(INSIDE, said, separator=",", ignore_nulls=True)
    return finished_logs(frame.with_columns(times_us, pl.when(inside != "").then(inside).alias(INSIDE)), rejected)
