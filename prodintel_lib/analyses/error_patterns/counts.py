"""Errors counted by pattern, part by part: small tables that add up, whatever the size of the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.error_patterns.distinct import Sketch
from prodintel_lib.analyses.error_patterns.members import Members
from prodintel_lib.analyses.frames import within
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.windows import Window

ATTRIBUTES: Final = {
    "route": "route",
    "release": "service_version",
    "browser": "browser_name",
    "region": "geo_country_iso_code",
    "service": "service_name",
    "logger": "logger_name",
}
MAX_VALUES: Final = 200
"""Of an attribute so many values are kept of each pattern; the rest is counted together."""

OTHERS: Final = "(others)"
COUNTED: Final = {"traces": "trace_id", "users": "user_id", "sessions": "session_id", "clients": "client_key"}


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """What is counted of errors; counts of disjoint parts add up.

    Attributes
    ----------
    totals : polars.DataFrame
        ``pattern_no, occurrences, baseline_occurrences, bot_rows, traced, first_in_trace``: all but the second of the
        window; ``traced`` names a trace; ``first_in_trace`` is the first error of its trace to come to an end.
    times : polars.DataFrame
        ``pattern_no, first_us, last_us``, window and baseline.
    buckets : polars.DataFrame
        ``pattern_no, in_window, bucket_us, rows``: a bucket in which the baseline ends is there twice.
    parts : polars.DataFrame
        ``pattern_no, attribute, value, rows``: of the window.
    distinct : dict of str to Sketch
        COUNTED: of the window. ``people`` are the clients that are no bots.
    members : Members
        Of the window.
    """

    totals: pl.DataFrame
    times: pl.DataFrame
    buckets: pl.DataFrame
    parts: pl.DataFrame
    distinct: dict[str, Sketch]
    members: Members

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            totals=_added(self.totals, other.totals, ["pattern_no"]),
            times=_merged_times(pl.concat([self.times, other.times])),
            buckets=_added(self.buckets, other.buckets, ["pattern_no", "in_window", "bucket_us"]),
            parts=_bounded(_added(self.parts, other.parts, ["pattern_no", "attribute", "value"])),
            distinct={name: sketch + other.distinct[name] for name, sketch in self.distinct.items()},
            members=self.members + other.members,
        )


def count_errors(rows: pl.DataFrame, *, window: Window, baseline: Window, bucket_s: int) -> ErrorCounts:
    """Count the errors of a part of the data.

    Parameters
    ----------
    rows : polars.DataFrame
        As rollups.error_events.build_error_rows makes them.
    window, baseline : Window
        Rows of neither do not count.
    bucket_s : int
    """
    inside, before = within(rows, window), within(rows, baseline)
    width_us = bucket_s * US_PER_S
    every = pl.concat([inside.with_columns(in_window=True), before.with_columns(in_window=False)])
    people = inside.filter(~pl.col("is_bot"))
    distinct = {name: Sketch.of(_values(inside, column)) for name, column in COUNTED.items()}
    distinct["people"] = Sketch.of(_values(people, "client_key"))
    return ErrorCounts(
        totals=_totals(_with_first(inside), before),
        times=_merged_times(
            every.select("pattern_no", pl.col("time_us").alias("first_us"), pl.col("time_us").alias("last_us"))
        ),
        buckets=every.group_by("pattern_no", "in_window", (pl.col("time_us") // width_us * width_us).alias("bucket_us"))
        .agg(pl.len().cast(pl.Int64).alias("rows"))
        .sort("pattern_no", "in_window", "bucket_us"),
        parts=_bounded(_parts(inside)),
        distinct=distinct,
        members=Members.of(inside),
    )


def add_counts(parts: Iterable[ErrorCounts]) -> ErrorCounts:
    """Add up the counts of disjoint parts of the data; there must be one at least."""
    return reduce(lambda left, right: left + right, parts)


def _values(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.select("pattern_no", pl.col(column).alias("value"))


def _with_first(rows: pl.DataFrame) -> pl.DataFrame:
    """Mark what failed first in each trace: whoever fails later may only pass it on."""
    first = (pl.col("end_us") == pl.col("end_us").min().over("trace_id")) & (pl.col("trace_id") != "")
    return rows.with_columns(first.alias("is_first"))


def _totals(inside: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    now = inside.group_by("pattern_no").agg(
        pl.len().cast(pl.Int64).alias("occurrences"),
        pl.col("is_bot").sum().cast(pl.Int64).alias("bot_rows"),
        (pl.col("trace_id") != "").sum().cast(pl.Int64).alias("traced"),
        pl.col("is_first").sum().cast(pl.Int64).alias("first_in_trace"),
    )
    earlier = before.group_by("pattern_no").agg(pl.len().cast(pl.Int64).alias("baseline_occurrences"))
    columns = ["occurrences", "baseline_occurrences", "bot_rows", "traced", "first_in_trace"]
    return (
        now.join(earlier, on="pattern_no", how="full", coalesce=True)
        .select("pattern_no", pl.col(columns).fill_null(0))
        .sort("pattern_no")
    )


def _parts(rows: pl.DataFrame) -> pl.DataFrame:
    long = [
        rows.filter(pl.col(column) != "")
        .group_by("pattern_no", pl.lit(attribute).alias("attribute"), pl.col(column).alias("value"))
        .agg(pl.len().cast(pl.Int64).alias("rows"))
        for attribute, column in ATTRIBUTES.items()
    ]
    return pl.concat(long)


def _bounded(parts: pl.DataFrame) -> pl.DataFrame:
    """Keep the most frequent values; of what is seldom no more than how often it all was."""
    place = pl.struct(-pl.col("rows"), "value").rank("ordinal").over("pattern_no", "attribute")
    is_kept = (place <= MAX_VALUES) & (pl.col("value") != OTHERS)
    bounded = parts.with_columns(pl.when(is_kept).then("value").otherwise(pl.lit(OTHERS)).alias("value"))
    return (
        bounded.group_by("pattern_no", "attribute", "value")
        .agg(pl.col("rows").sum())
        .sort("pattern_no", "attribute", "rows", "value", descending=[False, False, True, False])
    )


def _merged_times(times: pl.DataFrame) -> pl.DataFrame:
    merged = times.group_by("pattern_no").agg(pl.col("first_us").min(), pl.col("last_us").max())
    return merged.sort("pattern_no")


def _added(left: pl.DataFrame, right: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return pl.concat([left, right]).group_by(keys).agg(pl.exclude(keys).sum()).sort(keys)
