"""Text logs of applications and servers: lines with a time somewhere at their beginning.

What a line holds is learnt from the file (text_layout): log4j and Logback, Python's logging, glog and klog, Android's
logcat, nginx and Apache error logs, PHP's error log and php-fpm, journals printed as text, exports of CloudWatch Logs,
and what people write themselves. Lines that belong together are put together (text_folding).

What stands before the message stays in the attributes as it was written (``head``), so that nothing of a line is lost.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.documents import MAX_LINE_BYTES, split_lines
from prodintel_lib.sources.log_levels import level_numbers
from prodintel_lib.sources.log_rows import INSIDE, finished_logs, joined_members, json_member
from prodintel_lib.sources.log_times import file_time_us, is_zoned
from prodintel_lib.sources.model import ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.text_folding import with_records
from prodintel_lib.sources.text_layout import (
    SAMPLE_LINES,
    TimePlace,
    after_logger,
    bare_levels,
    learn_layout,
    logger_of,
    one_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prodintel_lib.sources.decompress import ByteStream

NO_RECORD: Final = "no time, and no record before it"
TOO_LONG: Final = "line too long"
BATCH_LINES: Final = 50_000
_KEPT_OF_LONG_LINE: Final = 1024
_TRACE_ID: Final = r"(?i)\btrace[_.-]?id[\"']?\s*[=:]\s*[\"']?([0-9a-f]{32})\b"
_SPAN_ID: Final = r"(?i)\bspan[_.-]?id[\"']?\s*[=:]\s*[\"']?([0-9a-f]{16})\b"
_LINE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "number": pl.Int64(), "text": pl.String(), "stream": pl.String(), "outer_us": pl.Int64(), INSIDE: pl.String(),
    "service_name": pl.String(), "severity_number": pl.Int64(), "is_held": pl.Boolean(),
}  # fmt: skip
_BEGINS: Final = pl.col("is_head") | pl.col("is_forced")
# What is left of a level after its word: the colon, and PHP's `Fatal error:`.
_AFTER_LEVEL: Final = r"^(?:error)?(?:[:|>-]+\s+)+"
_KLOG_PLACE: Final = r"^\s*[0-9]+ \S+:[0-9]+\] "
_BLANK: Final[Mapping[str, object]] = {"stream": "", "is_held": False}
HEAD_COLUMNS: Final = (
    "number", "text", "stream", "record", "is_forced", "service_name", "time_us", "severity_number", "body",
    "logger_name", INSIDE,
)  # fmt: skip


def read_text_log_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read the lines of a text log, a part at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int
        How many lines a part is made of, at most.

    Yields
    ------
    ReadResult
        Table ``logs``; a row is a record, which may have been several lines. Lines before the first that has a time are
        quarantined as one. Bytes that are not UTF-8 are replaced. Blank lines are no rows.
    """
    numbered = text_lines(stream)
    first = list(islice(numbered, SAMPLE_LINES))
    places = learn_layout([text for _, text in first if isinstance(text, str)])
    rows = TextRows(places, file_time_us(stream))
    yield from rows.parts(_chained(first, numbered), stream, batch_lines=min(BATCH_LINES, part_rows))


def text_lines(stream: ByteStream) -> Iterator[tuple[int, str | Rejected]]:
    """Yield the lines of a text with their numbers; one that is too long comes as rejected."""
    for number, raw in split_lines(stream.blocks()):
        if len(raw) > MAX_LINE_BYTES:
            yield number, Rejected.of(TOO_LONG, number, raw[:_KEPT_OF_LONG_LINE])
        else:
            yield number, raw.decode(errors="replace").rstrip("\r")


def _chained(
    first: list[tuple[int, str | Rejected]], others: Iterator[tuple[int, str | Rejected]]
) -> Iterator[tuple[int, str | Rejected]]:
    yield from first
    yield from others


class TextRows:
    """Turns lines into records, a batch of lines at a time.

    Parameters
    ----------
    places : sequence of TimePlace
        Where lines have their times.
    last_us : int
        When the file was last written, for times without a year.
    has_outer_times : bool
        Whether whoever collected the lines gave each a time.
    """

    def __init__(self, places: Sequence[TimePlace], last_us: int, *, has_outer_times: bool = False) -> None:
        self._places = tuple(places)
        self._starts = [place.start for place in places]
        self._last_us = last_us
        self._has_outer_times = has_outer_times
        self._open = pl.DataFrame(schema=_LINE_SCHEMA)

    def parts(
        self, lines: Iterable[tuple[int, str | Rejected]], stream: ByteStream, *, batch_lines: int
    ) -> Iterator[ReadResult]:
        """Yield the records of lines that come with nothing but their text."""
        numbers: list[int] = []
        texts: list[str] = []
        rejected: list[Rejected] = []
        for number, text in lines:
            if isinstance(text, Rejected):
                rejected.append(text)
            else:
                numbers.append(number)
                texts.append(text)
            if len(texts) == batch_lines:
                yield self.part(plain_lines(numbers, texts), rejected)
                numbers, texts, rejected = [], [], []
        if stream.damage:
            place = numbers[-1] + 1 if numbers else 1
            rejected.append(Rejected.of(stream.damage, place, ""))
        last = self.part(plain_lines(numbers, texts), rejected, is_last=True)
        if last.rows_read:
            yield last

    def part(self, lines: pl.DataFrame, rejected: Sequence[Rejected] = (), *, is_last: bool = False) -> ReadResult:
        """Return the records that are complete with these lines; the last of each stream waits for what may follow."""
        frame = pl.concat([self._open, lines])
        records = with_records(frame, self._starts, has_outer_times=self._has_outer_times)
        if is_last:
            self._open = pl.DataFrame(schema=_LINE_SCHEMA)
        else:
            is_open = (pl.col("record") == pl.col("record").max().over("stream")) & (pl.col("record") > 0)
            self._open = self._waiting(records, is_open)
            records = records.filter(~is_open)
        return self._finished(records, rejected)

    def _waiting(self, records: pl.DataFrame, is_open: pl.Expr) -> pl.DataFrame:
        """Return open lines as they came; a record that only goes on takes along the time of the one before it."""
        lines = records.filter(is_open)
        if lines["is_forced"].any():
            times = self._heads(records.filter(_BEGINS & (pl.col("record") > 0)))
            times = times.select("stream", "record", "time_us", pl.col(INSIDE).alias("said"))
            lines = lines.join(times, on=["stream", "record"], how="left", maintain_order="left").with_columns(
                pl.coalesce("outer_us", "time_us").alias("outer_us"),
                pl.when("is_forced").then("said").otherwise(INSIDE).alias(INSIDE),
                (pl.col("is_held") | pl.col("is_forced")).alias("is_held"),
            )
        return lines.select(list(_LINE_SCHEMA))

    def _finished(self, records: pl.DataFrame, rejected: Sequence[Rejected]) -> ReadResult:
        orphans = records.filter(pl.col("record") == 0)
        apart = [*rejected, *_orphans(orphans)]
        heads = self._heads(records.filter(_BEGINS & (pl.col("record") > 0)))
        others = records.filter(~_BEGINS & (pl.col("record") > 0))
        if others.height:
            others = others.group_by("stream", "record", maintain_order=True).agg(pl.col("text").str.join("\n"))
            joined = pl.concat_str("body", "text_right", separator="\n", ignore_nulls=True).str.strip_chars_end()
            heads = heads.join(others, on=["stream", "record"], how="left", suffix="_right", maintain_order="left")
            heads = heads.with_columns(joined.alias("body"))
        return finished_logs(_with_ids(heads).sort("number"), apart)

    def _heads(self, heads: pl.DataFrame) -> pl.DataFrame:
        """Read the first lines of records; what only goes on has the time of what it continues."""
        is_read = pl.col("is_head") & ~pl.col("is_held")
        untimed = heads.filter(~is_read).with_columns(
            pl.col("outer_us").alias("time_us"), pl.col("text").alias("body"),
            pl.lit(None, dtype=pl.String).alias("logger_name"),
        )  # fmt: skip
        read = self._read_heads(heads.filter(is_read))
        whole = pl.concat([read, untimed.select(HEAD_COLUMNS)]).sort("number", maintain_order=True)
        if not whole["is_forced"].any():
            return whole
        goes_on = pl.lit('"continues":"the record before it, which was too long"')
        return whole.with_columns(
            pl.col("time_us").forward_fill().over("stream"),
            pl.when("is_forced").then(joined_members(pl.col(INSIDE), goes_on)).otherwise(INSIDE).alias(INSIDE),
        )

    def _read_heads(self, heads: pl.DataFrame) -> pl.DataFrame:
        """Take first lines apart."""
        left, read = heads, []
        for place, start in zip(self._places, self._starts, strict=True):
            has_time = pl.col("text").str.contains(start)
            read.append(_placed(left.filter(has_time), place, self._last_us))
            left = left.filter(~has_time)
        untimed = left.with_columns(
            pl.col("outer_us").alias("time_us"), pl.col("text").alias("body"),
            pl.lit(None, dtype=pl.String).alias("logger_name"),
        )  # fmt: skip
        return pl.concat([*read, untimed.select(HEAD_COLUMNS)])


def plain_lines(numbers: list[int], texts: list[str]) -> pl.DataFrame:
    """Return lines of which nothing is known but their text."""
    return collected_lines({"number": numbers, "text": texts})


def collected_lines(columns: Mapping[str, Sequence[object]]) -> pl.DataFrame:
    """Return lines with what whoever collected them says: ``number``, ``text``, ``stream``, ``outer_us``, ..."""
    frame = pl.DataFrame(columns, schema={name: dtype for name, dtype in _LINE_SCHEMA.items() if name in columns})
    missing = [name for name in _LINE_SCHEMA if name not in columns]
    blank = [pl.lit(_BLANK.get(name), dtype=_LINE_SCHEMA[name]).alias(name) for name in missing]
    return frame.with_columns(blank).select(list(_LINE_SCHEMA))


def _placed(heads: pl.DataFrame, place: TimePlace, last_us: int) -> pl.DataFrame:
    """Take lines apart whose time is at a place."""
    told = heads.with_columns(
        pl.col("text").str.extract(place.time, 1).alias("time"),
        pl.col("text").str.replace(place.lead, "").alias("rest"),
    )
    told = _with_level(told, place)
    logger = logger_of(pl.col("body")) if place.has_logger else pl.lit(None, dtype=pl.String)
    if place.names_before_level:
        logger = pl.coalesce(one_name(pl.col("between")), logger)
    body = after_logger(pl.col("body")) if place.has_logger else pl.col("body")
    told = told.with_columns(logger.alias("logger_name"), body.alias("body"))
    own_us = place.shape.parse(pl.col("time"), last_us)
    assumed = pl.lit(place.shape.assumed or "zone assumed UTC")
    is_assumed = pl.col("outer_us").is_null() & (pl.lit(bool(place.shape.assumed)) | ~is_zoned(pl.col("time")))
    head = pl.col("text").str.strip_suffix(pl.col("body")).str.strip_chars_end()
    return told.with_columns(
        pl.coalesce("outer_us", own_us).alias("time_us"),
        pl.coalesce("level", "severity_number").alias("severity_number"),
        joined_members(
            pl.col(INSIDE), json_member("head", head), pl.when(is_assumed).then(json_member("time_is", assumed))
        ).alias(INSIDE),
    ).select(HEAD_COLUMNS)


def _with_level(told: pl.DataFrame, place: TimePlace) -> pl.DataFrame:
    """Add the level, the message, and what stands between time and level."""
    rest = pl.col("rest")
    if place.level_token is not None:
        before = rf"(?:\S+\s+){{{place.level_token}}}"
        level = level_numbers(bare_levels(rest.str.extract(rf"^{before}(\S+)", 1)))
        after = rest.str.replace(rf"^{before}\S+\s*", "").str.replace(_AFTER_LEVEL, "")
        return told.with_columns(
            level.alias("level"), rest.str.extract(rf"^({before})", 1).alias("between")
        ).with_columns(pl.when(pl.col("level").is_not_null()).then(after).otherwise(rest).alias("body"))
    if place.shape.name == "klog":
        level, rest = level_numbers(pl.col("time").str.slice(0, 1)), rest.str.replace(_KLOG_PLACE, "")
    elif place.level_before is not None:
        level = level_numbers(bare_levels(pl.col("text").str.extract(rf"^(?:\S+\s+){{{place.level_before}}}(\S+)", 1)))
    else:
        level = pl.lit(None, dtype=pl.Int64)
    return told.with_columns(level.alias("level"), rest.alias("body"), pl.lit("").alias("between"))


def _orphans(lines: pl.DataFrame) -> list[Rejected]:
    """Reject the lines before the first record of each stream, as one piece; blank ones are nothing."""
    filled = lines.filter(pl.col("text").str.strip_chars() != "")
    return [
        Rejected.of(NO_RECORD, number, text)
        for number, text in filled.group_by("stream", maintain_order=True)
        .agg(pl.col("number").first(), pl.col("text").str.join("\n"))
        .select("number", "text")
        .rows()
    ]


def _with_ids(heads: pl.DataFrame) -> pl.DataFrame:
    """Read the ids of trace and span where the text names them; they stay in it."""
    body, line = pl.col("body"), pl.col("text")
    if not heads.select(line.str.contains(r"(?i)trace[_.-]?id").any()).item():
        return heads
    ids = [
        pl.coalesce(body.str.extract(p, 1), line.str.extract(p, 1)).str.to_lowercase() for p in (_TRACE_ID, _SPAN_ID)
    ]
    return heads.with_columns(ids[0].alias("trace_id"), ids[1].alias("span_id"))
