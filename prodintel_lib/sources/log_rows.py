"""Log records on their way into the lake: what all readers of logs share once they know time, level and message.

A reader gives a frame with what it knows; here the exception is taken out of the text, a level is found where none was
given, ids are brought to OpenTelemetry's form, and every row is kept or rejected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from prodintel_lib.sources.log_exceptions import find_exception
from prodintel_lib.sources.log_levels import found_level, level_names
from prodintel_lib.sources.model import EARLIEST_TIME_US, LATEST_TIME_US, ReadResult, Rejected
from prodintel_lib.tables import LOGS

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_TIME: Final = "missing or impossible time"
INSIDE: Final = "inside"
"""The column of JSON members, without braces, that become ``attributes``."""
_LEVEL_OF_TRACE: Final = 17
_HAS_TRACE: Final = (
    r"\n\s+at |\n\s*Traceback|^\s*Traceback|\n#0 |\nStack trace:|\n\[stacktrace\]|\ngoroutine |\n\s+from |Uncaught "
)
_HEX: Final = {"trace_id": 32, "span_id": 16}
_TRACE_PARENT: Final = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")
_PARSED_FIELDS: Final[dict[str, pl.DataType]] = {
    name: pl.String() for name in ("body", "error_type", "exception_message", "exception_stacktrace")
}


def finished_logs(frame: pl.DataFrame, rejected: Sequence[Rejected] = ()) -> ReadResult:
    """Turn what is known of records into rows of `logs`.

    Parameters
    ----------
    frame : polars.DataFrame
        ``number`` (the line a record begins on), ``inside`` (JSON members for the attributes, or null), and any columns
        of `logs` but ``severity_text`` and ``attributes``.
    rejected : sequence of Rejected
        What could not even become a record.

    Returns
    -------
    ReadResult
        A record without a time that can be kept is quarantined.

    Notes
    -----
    A record that says no level has the one its text says (log_levels.found_level); failing that, one that holds a stack
    trace is an error, and says so in its attributes (``severity_is``).
    """
    whole = frame.select(
        pl.col("number"),
        pl.col(INSIDE),
        *(
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in LOGS.schema.items()
            if name not in {"severity_text", "attributes"}
        ),
    )
    is_sound = pl.col("time_us").is_between(EARLIEST_TIME_US, LATEST_TIME_US, closed="none").fill_null(value=False)
    wrong = whole.filter(~is_sound)
    apart = [
        *rejected,
        *(Rejected.of(NO_TIME, number, body or "") for number, body in wrong.select("number", "body").rows()),
    ]
    kept = _with_levels(_with_exceptions(whole.filter(is_sound) if wrong.height else whole))
    logs = kept.select(
        _attributes() if name == "attributes" else level_names(pl.col("severity_number")).alias(name)
        if name == "severity_text" else pl.col(name)
        for name in LOGS.schema
    )  # fmt: skip
    return ReadResult(
        frames={LOGS.name: logs} if logs.height else {},
        rows_read=logs.height + len(apart),
        quarantined=tuple(sorted(apart, key=lambda item: item.line)),
    )


def json_member(name: str, value: pl.Expr) -> pl.Expr:
    """Return a member of a JSON object, escaped; null where there is no value."""
    written = pl.struct(value.alias(name)).struct.json_encode()
    return pl.when(value.is_not_null()).then(written.str.strip_prefix("{").str.strip_suffix("}"))


def joined_members(*members: pl.Expr) -> pl.Expr:
    """Join JSON members; null where there is none."""
    inside = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.when(inside != "").then(inside)


def members_of(values: dict[str, object]) -> str | None:
    """Return a dict as JSON members without the braces; None where it is empty."""
    return orjson.dumps(values)[1:-1].decode() if values else None


def trace_id_of_text(text: str) -> tuple[str | None, str | None]:
    """Return the trace's and, where it is said along, the span's id that a text stands for.

    Read are 32 or 16 hex digits, with the dashes of a UUID, the prefix of AWS X-Ray (``1-5759e988-bd86...``) or the
    path of Google Cloud (``projects/shop/traces/...``) around them, W3C's ``traceparent``, and Datadog's decimal.

    Examples
    --------
    >>> trace_id_of_text("1-5759e988-bd862e3fe1be46a994272793")
    ('5759e988bd862e3fe1be46a994272793', None)
    >>> trace_id_of_text("255")
    ('000000000000000000000000000000ff', None)
    >>> trace_id_of_text("request 7")
    (None, None)
    """
    lower = text.strip().lower().rsplit("/", 1)[-1]
    if found := _TRACE_PARENT.match(lower):
        return found[1], found[2]
    bare = lower.removeprefix("root=").removeprefix("1-").replace("-", "")
    return _hex_of(bare, "trace_id"), None


def span_id_of_text(text: str) -> str | None:
    """Return the span's id that a text stands for: 16 hex digits, or Datadog's decimal."""
    return _hex_of(text.strip().lower(), "span_id")


def _hex_of(text: str, kind: str) -> str | None:
    if text.isascii() and text.isdigit() and len(text) not in _HEX.values():
        # Datadog numbers spans and traces with 64 bits.
        text = f"{int(text):x}" if len(text) <= 20 else text
        text = text.rjust(16, "0")
    if re.fullmatch("(?:[0-9a-f]{16}){1,2}", text) and len(text) <= _HEX[kind] and text.strip("0"):
        return text.rjust(_HEX[kind], "0")
    return None


def _with_exceptions(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the exceptions out of the bodies that hold a trace, unless the record has one of its own."""
    has_trace = pl.col("exception_stacktrace").is_null() & pl.col("body").str.contains(_HAS_TRACE)
    rows = frame.select(has_trace.fill_null(value=False).alias("has"))["has"].arg_true()
    if not rows.len():
        return frame
    found = [(row, find_exception(text)) for row, text in zip(rows, frame["body"].gather(rows), strict=True)]
    made = [(row, item.body, item.error_type, item.message, item.stacktrace) for row, item in found if item]
    parsed = pl.DataFrame(made, schema={"row": pl.UInt32(), **_PARSED_FIELDS}, orient="row")
    joined = frame.with_row_index("row").join(parsed, on="row", how="left", suffix="_found", maintain_order="left")
    return joined.with_columns(
        pl.coalesce("body_found", "body").alias("body"),
        *(pl.coalesce(name, f"{name}_found").alias(name) for name in _PARSED_FIELDS if name != "body"),
    ).select(frame.columns)


def _with_levels(frame: pl.DataFrame) -> pl.DataFrame:
    if not frame["severity_number"].null_count():
        return frame
    has_none = pl.col("severity_number").is_null()
    searched = frame.with_columns(
        pl.when(has_none)
        .then(found_level(pl.when(has_none).then("body")))
        .otherwise("severity_number")
        .alias("severity_number")
    )
    is_told = pl.col("severity_number").is_null() & pl.col("exception_stacktrace").is_not_null()
    said = pl.lit('"severity_is":"error, since it holds a stack trace"')
    return searched.with_columns(
        pl.when(is_told)
        .then(pl.lit(_LEVEL_OF_TRACE, dtype=pl.Int64))
        .otherwise("severity_number")
        .alias("severity_number"),
        pl.when(is_told).then(joined_members(pl.col(INSIDE), said)).otherwise(INSIDE).alias(INSIDE),
    )


def _attributes() -> pl.Expr:
    inside = pl.col(INSIDE)
    return pl.when(inside.is_not_null()).then(pl.concat_str(pl.lit("{"), inside, pl.lit("}"))).alias("attributes")
