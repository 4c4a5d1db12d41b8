"""Times of log lines: how they are written, and how a column of them becomes microseconds.

A text log says nowhere how it writes times, so the shapes in use are known here and the one of a file is learnt from
its lines (text_layout). A time without a zone is taken as UTC. One without a year is of the latest year in which it
does not lie after the file itself was last written, give or take a day for clocks that differ. Either is said of the
row, in its attributes (``time_is``).
"""

from __future__ import annotations

import re
from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.expression_times import any_time_us
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.sources.decompress import ByteStream

ZONE_ASSUMED: Final = "zone assumed UTC"
YEAR_ASSUMED: Final = "year taken from the file's own time, zone assumed UTC"
_DAY_US: Final = 86_400 * US_PER_S
_CLOCK: Final = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRACTION: Final = "(?:[.,][0-9]{1,9})?"
_ZONE: Final = "(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))"
_ZONED: Final = r"(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[A-Z][A-Za-z_]+/[A-Za-z_/]+)$"
# PHP writes the name of its zone: `21-Nov-2026 10:00:00 Europe/Berlin`.
_NAMED_ZONE: Final = " [A-Z][A-Za-z_]+/[A-Za-z_/]+"
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"


@dataclass(frozen=True, slots=True)
class TimeShape:
    """One way to write a time.

    Attributes
    ----------
    name : str
    pattern : str
        What it looks like; without groups, in the syntax that Python and Rust share.
    parse : callable
        A column of such texts, and when the file was last written (µs), to microseconds; null of what is none.
    assumed : str
        What had to be assumed about every time of the shape; empty where some of them may say their zone.
    """

    name: str
    pattern: str
    parse: Callable[[pl.Expr, int], pl.Expr]
    assumed: str = ""


def file_time_us(stream: ByteStream) -> int:
    """Return when a file was last written, µs since the epoch."""
    return stream.path.stat().st_mtime_ns // 1000


def logged_times_us(texts: pl.Series) -> pl.Series:
    """Read times of any machine's writing: ISO 8601, numbers since the epoch, and the shapes that have a year.

    RFC 3339, which nearly every structured log writes, costs a tenth of what the others do, so only what is none of it
    is tried with them.
    """
    frame = texts.alias("time").to_frame()
    common = pl.col("time").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC").dt.epoch("us")
    times_us = frame.select(common.alias("time_us"))["time_us"]
    if times_us.null_count() == texts.null_count():
        return times_us
    bare = pl.col("time").str.strip_chars("[] ")
    shapes = [shape.parse(bare, 0) for shape in SHAPES if shape.assumed != YEAR_ASSUMED]
    kibana = _moment(bare, "%b %e, %Y @ %H:%M:%S%.f")
    others = pl.coalesce(any_time_us(pl.col("time")), *shapes, kibana)
    rest = frame.filter(times_us.is_null()).select(pl.col("time"), others.alias("time_us")).unique("time")
    known = dict(rest.drop_nulls().rows())
    return times_us.fill_null(texts.replace_strict(known, default=None, return_dtype=pl.Int64)) if known else times_us


def is_zoned(text: pl.Expr) -> pl.Expr:
    """Say whether a time says its zone; a number since the epoch does."""
    return text.str.contains(_ZONED) | text.str.contains("^[0-9.]+$")


def _moment(text: pl.Expr, *formats: str) -> pl.Expr:
    return pl.coalesce(text.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in formats)


def _iso(text: pl.Expr, _last_us: int) -> pl.Expr:
    plain = text.str.replace(",", ".", literal=True).str.replace(" ?(?:UTC|GMT)$", "Z").str.replace(" ([+-])", "${1}")
    whole = plain.str.replace("([+-][0-9]{2})([0-9]{2})$", "${1}:${2}")
    zoned = pl.when(whole.str.slice(19).str.contains(_ZONED)).then(whole).otherwise(pl.concat_str(whole, pl.lit("Z")))
    return zoned.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC").dt.epoch("us")


def _slashed(text: pl.Expr, last_us: int) -> pl.Expr:
    return _iso(text.str.replace_all("/", "-", literal=True), last_us)


def _dotted(text: pl.Expr, _last_us: int) -> pl.Expr:
    return _moment(text, "%Y-%m-%d-%H.%M.%S%.f")


def _compact(text: pl.Expr, _last_us: int) -> pl.Expr:
    plain = (
        text.str.replace_all("[T_ -]", "")
        .str.strip_suffix("Z")
        .str.replace("^([0-9]{8})([0-9]{2}:[0-9]{2}:[0-9]{2}):", "${1}${2}.")
    )
    return _moment(plain.str.replace_all(":", "", literal=True).str.replace(",", ".", literal=True), "%Y%m%d%H%M%S%.f")


def _short_year(text: pl.Expr, _last_us: int) -> pl.Expr:
    digits = text.str.replace_all("[/: -]", "")
    return _moment(pl.concat_str(pl.lit("20"), digits.str.replace(",", ".", literal=True)), "%Y%m%d%H%M%S%.f")


def _c_time(text: pl.Expr, _last_us: int) -> pl.Expr:
    return _moment(text, "%a %b %e %H:%M:%S%.f %Y")


def _common_log(text: pl.Expr, _last_us: int) -> pl.Expr:
    moment = text.str.to_datetime("%d/%b/%Y:%H:%M:%S %z", strict=False, time_unit="us", time_zone="UTC")
    return moment.dt.epoch("us")


def _day_month_year(text: pl.Expr, _last_us: int) -> pl.Expr:
    return text.map_batches(_day_month_year_us, return_dtype=pl.Int64)


def _day_month_year_us(texts: pl.Series) -> pl.Series:
    """Read times that may end in the name of a zone; a file has few of those."""
    frame = (
        texts.alias("text")
        .to_frame()
        .with_columns(
            pl.col("text").str.extract(f"({_NAMED_ZONE})$", 1).str.strip_chars().alias("zone"),
            pl.col("text")
            .str.extract("([+-][0-9]{2}:?[0-9]{2})$", 1)
            .str.replace(":", "", literal=True)
            .alias("offset"),
            pl.col("text")
            .str.replace(f"(?:{_ZONE}|{_NAMED_ZONE})$", "")
            .str.replace(",", ".", literal=True)
            .str.replace_all("[-/]", " ")
            .str.to_datetime("%d %b %Y %H:%M:%S%.f", strict=False, time_unit="us")
            .alias("moment"),
        )
    )
    hours, minutes = (pl.col("offset").str.slice(at, 2).cast(pl.Int64, strict=False) for at in (1, 3))
    sign = pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
    shift_us = ((hours * 60 + minutes) * 60 * US_PER_S * sign).fill_null(0)
    times_us = frame.select((pl.col("moment").dt.epoch("us") - shift_us).alias("time_us"))["time_us"]
    for zone in frame["zone"].drop_nulls().unique():
        try:
            local = pl.col("moment").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
            zoned_us = frame.select(local.dt.epoch("us").alias("time_us"))["time_us"]
        except pl.exceptions.ComputeError:
            # A zone this machine does not know.
            zoned_us = pl.Series("time_us", [None], dtype=pl.Int64).new_from_index(0, frame.height)
        times_us = zoned_us.zip_with((frame["zone"] == zone).fill_null(value=False), times_us)
    return times_us


def _epoch(text: pl.Expr, _last_us: int) -> pl.Expr:
    return any_time_us(text)


def _year_less(form: str) -> Callable[[pl.Expr, int], pl.Expr]:
    def parse(text: pl.Expr, last_us: int) -> pl.Expr:
        plain = text.str.replace(",", ".", literal=True)
        latest = last_us + _DAY_US
        moment = datetime.fromtimestamp(latest / US_PER_S, UTC)
        # 29 February needs a year of its own.
        leap = next(
            year for year in range(moment.year, 0, -1) if isleap(year) and datetime(year, 2, 29, tzinfo=UTC) <= moment
        )
        tries = [
            pl.concat_str(pl.lit(f"{year} "), plain)
            .str.to_datetime(f"%Y {form}", strict=False, time_unit="us")
            .dt.epoch("us")
            for year in (moment.year, moment.year - 1, leap)
        ]
        return pl.coalesce(*(pl.when(made <= latest).then(made) for made in tries))

    return parse


def _klog(text: pl.Expr, last_us: int) -> pl.Expr:
    return _year_less("%m%d %H:%M:%S%.f")(text.str.slice(1), last_us)


_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# In the order of what they are worth: a full date with its zone first, then what has to be completed.
SHAPES: Final = (
    TimeShape("iso", f"{_DATE}[T ]{_CLOCK}{_FRACTION}{_ZONE}?", _iso),
    TimeShape("clf", f"[0-9]{{2}}/{_MONTH}/[0-9]{{4}}:{_CLOCK} [+-][0-9]{{4}}", _common_log),
    TimeShape("slashed", f"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}{_FRACTION}{_ZONE}?", _slashed),
    TimeShape(
        "day month year",
        f"[0-9]{{1,2}}[ /-]{_MONTH}[ /-][0-9]{{4}} {_CLOCK}{_FRACTION}(?:{_ZONE}|{_NAMED_ZONE})?",
        _day_month_year,
    ),
    TimeShape("asctime", f"[A-Z][a-z]{{2}} {_MONTH} [ 0-9][0-9] {_CLOCK}{_FRACTION} [0-9]{{4}}", _c_time, ZONE_ASSUMED),
    TimeShape("dotted", rf"{_DATE}-[0-9]{{2}}[.][0-9]{{2}}[.][0-9]{{2}}(?:[.][0-9]{{1,9}})?", _dotted, ZONE_ASSUMED),
    TimeShape(
        "compact",
        f"(?:19|20)[0-9]{{6}}[T_ -]?(?:[0-9]{{6}}|{_CLOCK}){_FRACTION}(?::[0-9]{{1,3}}|Z)?",
        _compact,
        ZONE_ASSUMED,
    ),
    TimeShape(
        "short year",
        f"(?:[0-9]{{2}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}|[0-9]{{6}} [0-9]{{6}}){_FRACTION}",
        _short_year,
        ZONE_ASSUMED,
    ),
    TimeShape("epoch", "[0-9]{10}(?:[.][0-9]{1,9}|[0-9]{3}|[0-9]{6}|[0-9]{9})?", _epoch),
    TimeShape("syslog", f"{_MONTH} [ 0-9][0-9] {_CLOCK}{_FRACTION}", _year_less("%b %e %H:%M:%S%.f"), YEAR_ASSUMED),
    TimeShape("klog", f"[IWEFD](?:0[1-9]|1[0-2])[0-3][0-9] {_CLOCK}[.][0-9]{{1,9}}", _klog, YEAR_ASSUMED),
    TimeShape("month-day", f"[0-9]{{2}}-[0-9]{{2}} {_CLOCK}{_FRACTION}", _year_less("%m-%d %H:%M:%S%.f"), YEAR_ASSUMED),
    TimeShape(
        "month.day", f"[0-9]{{2}}[.][0-9]{{2}} {_CLOCK}{_FRACTION}", _year_less("%m.%d %H:%M:%S%.f"), YEAR_ASSUMED
    ),
)
# A time is a word of its own, or the beginning of one that goes on behind a sign.
BEFORE_TIME: Final = r"(?:^|(?<=[\s\[(<\"'|=,]))"
AFTER_TIME: Final = r"(?=$|[\s\])>\"'|,;:-])"
FOUND_SHAPES: Final = tuple((shape, re.compile(BEFORE_TIME + shape.pattern + AFTER_TIME)) for shape in SHAPES)
