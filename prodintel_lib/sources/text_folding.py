"""Which lines of a log belong to one record: a stack trace is many lines of one event.

A line goes with the one before it where it has no time of its own although the file's lines have one. Where every line
has a time, because whoever collected them put it there, it goes with the one before where it looks like the inside of a
trace: indented, or beginning as Java's causes, PHP's frames and Go's goroutines do. A record has at most
MAX_RECORD_LINES lines and MAX_RECORD_BYTES; what follows becomes a record of its own, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD_LINES: Final = 1_000
MAX_RECORD_BYTES: Final = 1 << 20
_INSIDE_TRACE: Final = (
    r"^(?:\s|$|Caused by: |Stack trace:|\[stacktrace\]|#[0-9]+ |goroutine [0-9]|[})\]]|created by |exit status [0-9]"
    r"|During handling of the above exception|The above exception was the direct cause)"
)
_TRACEBACK: Final = r"^Traceback \("
_FRAME: Final = r"^\s+at \S"
_GO_PLACE: Final = r"^\t\S+\.go:[0-9]+"
_INDENTED: Final = r"^\s+\S"
# What Python ends a trace with: a class and a message, or a class that is called after what it is.
_EXCEPTION: Final = (
    r"^(?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Z][A-Za-z0-9_]*(?:: .*|(?:Error|Exception|Interrupt|Exit|Warning|Timeout))$"
)
# PHP's Xdebug gives each line of a trace the time.
_PHP_FRAME: Final = r"\] PHP (?:Stack trace:|\s+[0-9]+\. )"
_RECORD: Final = "record"


def with_records(frame: pl.DataFrame, starts: Sequence[str], *, has_outer_times: bool) -> pl.DataFrame:
    """Say of each line to which record it belongs.

    Parameters
    ----------
    frame : polars.DataFrame
        ``text``, ``stream`` (lines of several writers may alternate) and ``is_held`` (whether a line begins a record
        whatever it looks like).
    starts : sequence of str
        Patterns of lines that have a time of their own.
    has_outer_times : bool
        Whether whoever collected the lines gave each a time.

    Returns
    -------
    polars.DataFrame
        With ``record`` (numbered within a stream; 0 for lines before the first record), ``is_head`` and ``is_forced``
        (a record that only goes on, for want of room).
    """
    text = pl.col("text")
    timed = pl.any_horizontal(*(text.str.contains(start) for start in starts)) if starts else pl.lit(value=False)
    timed = timed & ~text.str.contains(_PHP_FRAME)
    if has_outer_times:
        after, before = text.shift(-1).over("stream"), text.shift(1).over("stream")
        goes_on = (
            text.str.contains(_INSIDE_TRACE)
            | after.str.contains(_GO_PLACE).fill_null(value=False)
            | (text.str.contains(_EXCEPTION) & before.str.contains(_INDENTED)).fill_null(value=False)
        )
        if starts:
            goes_on = goes_on | text.str.contains(_TRACEBACK) | after.str.contains(_FRAME).fill_null(value=False)
        is_head = timed | ~goes_on
    else:
        is_head = timed
    is_head = is_head | pl.col("is_held")
    numbered = frame.with_columns(is_head.alias("is_head")).with_columns(_count("is_head"))
    places = numbered.with_columns(
        (pl.int_range(pl.len()).over("stream", _RECORD)).alias("place"),
        (text.str.len_bytes().cum_sum().over("stream", _RECORD) // MAX_RECORD_BYTES).alias("mebibyte"),
    ) if numbered["is_head"].sum() < numbered.height else numbered.with_columns(place=0, mebibyte=0)  # fmt: skip
    full = (pl.col("place") > 0) & (
        (pl.col("place") % MAX_RECORD_LINES == 0)
        | (pl.col("mebibyte") != pl.col("mebibyte").shift(1).over("stream")).fill_null(value=False)
    )
    forced = places.with_columns((full & (pl.col(_RECORD) > 0)).alias("is_forced"))
    if not forced["is_forced"].any():
        return forced.drop("place", "mebibyte")
    again = forced.with_columns((pl.col("is_head") | pl.col("is_forced")).alias("begins"))
    return again.with_columns(_count("begins")).drop("place", "mebibyte", "begins")


def _count(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64).cum_sum().over("stream").alias(_RECORD)
