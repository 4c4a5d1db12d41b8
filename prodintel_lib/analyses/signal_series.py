"""Metrics, logs, spans and calls brought to series of one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.signals import OWN_TIME_SIGNAL, SIGNALS_SCHEMA, kind_of_signal
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.windows import Window

MAX_SHAPES_PER_SERVICE: Final = 40
STABLE_DIGITS: Final = 12


def build_signals(
    *,
    span: Window,
    bucket_s: int = 60,
    points: pl.DataFrame | None = None,
    log_events: pl.DataFrame | None = None,
    red: pl.DataFrame | None = None,
    calls: pl.DataFrame | None = None,
    own_time: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Bring what was measured to series that can be compared.

    Parameters
    ----------
    span : Window
        The time that was read; counts are zero in its buckets without events.
    bucket_s : int
        Width of the buckets of what is counted (log events, spans, calls), seconds. Metric points keep their times.
    points : polars.DataFrame, optional
        rollups.metric_points.
    log_events : polars.DataFrame, optional
        rollups.log_events.
    red : polars.DataFrame, optional
        rollups.red.
    calls : polars.DataFrame, optional
        rollups.calls.
    own_time : polars.DataFrame, optional
        rollups.own_time. Of the time lost between two services each is given half: one call does not tell which end
        was slow, but the end that is slow to all adds up.

    Returns
    -------
    polars.DataFrame
        Columns of SIGNALS_SCHEMA, ordered by service, signal and time. ``n`` is what a value rests on: requests,
        calls, log rows; 1 for a metric point. Error logs are there together and by message (``log_new``); a
        service's log rows of every level are ``other``.
    """
    parts = [
        *([_of_points(points)] if points is not None else []),
        *(_of_logs(log_events, span, bucket_s) if log_events is not None else []),
        *(_of_red(red, span, bucket_s) if red is not None else []),
        *(_of_calls(calls, span, bucket_s) if calls is not None else []),
        *([_of_own_time(own_time, bucket_s)] if own_time is not None else []),
    ]
    whole = [part.select(pl.col(name).cast(dtype) for name, dtype in SIGNALS_SCHEMA.items()) for part in parts]
    frame = pl.concat(whole) if whole else pl.DataFrame(schema=SIGNALS_SCHEMA)
    return (
        within(frame, span)
        .filter(pl.col("value").is_finite())
        # Sums of groups are made in no fixed order; what hangs on their last digits would differ from run to run.
        .with_columns(pl.col("value").round_sig_figs(STABLE_DIGITS))
        .sort("service_name", "signal", "time_us", maintain_order=True)
    )


def _of_points(points: pl.DataFrame) -> pl.DataFrame:
    many = pl.col("service_instance_id").n_unique().over("metric_name", "service_name", "series") > 1
    label = pl.concat_str(
        pl.col("metric_name"),
        pl.when(pl.col("series") != "").then(pl.format(" ({})", "series")).otherwise(pl.lit("")),
        pl.when(many).then(pl.format(" of {}", "service_instance_id")).otherwise(pl.lit("")),
    )
    named = points.with_columns(pl.col("service_name", "series", "service_instance_id").fill_null("")).with_columns(
        label.alias("signal")
    )
    kinds = {name: kind_of_signal(name) for name in named["metric_name"].unique()}
    return (
        named.with_columns(pl.col("metric_name").replace_strict(kinds, default="other").alias("kind"))
        .group_by("time_us", "service_name", "signal", "kind")
        .agg(pl.col("value").mean(), pl.len().alias("n"))
    )


def _of_logs(events: pl.DataFrame, span: Window, bucket_s: int) -> Iterable[pl.DataFrame]:
    bucketed = _rebucketed(events.with_columns(pl.col("bucket_us").alias("time_us")), bucket_s)
    bad = bucketed.filter(pl.col("level") != "info")
    for rows, kind, label in (
        (bad.filter(pl.col("level") == "error"), "log_errors", pl.lit("error logs")),
        (bad.filter(pl.col("level") == "warning"), "log_errors", pl.lit("warning logs")),
        (bucketed, "other", pl.lit("log rows")),
        (_frequent_shapes(bad), "log_new", pl.format("log: {}", "shape")),
    ):
        counts = rows.group_by("bucket_us", "service_name", label.alias("signal")).agg(pl.col("rows").sum().alias("n"))
        filled = _with_empty_buckets(counts, span, bucket_s)
        yield filled.with_columns(pl.lit(kind).alias("kind"), pl.col("n").cast(pl.Float64).alias("value"))


def _frequent_shapes(events: pl.DataFrame) -> pl.DataFrame:
    totals = events.group_by("service_name", "shape").agg(pl.col("rows").sum().alias("total"))
    kept = totals.sort("total", "shape", descending=[True, False]).group_by("service_name").head(MAX_SHAPES_PER_SERVICE)
    return events.join(kept, on=["service_name", "shape"], how="semi")


def _of_red(red: pl.DataFrame, span: Window, bucket_s: int) -> Iterable[pl.DataFrame]:
    bucketed = _rebucketed(red.with_columns(pl.col("bucket_us").alias("time_us")), bucket_s)
    sums = bucketed.group_by("bucket_us", "service_name").agg(
        pl.col("requests").sum().alias("n"),
        pl.col("failed").sum(),
        pl.col("duration_ms_sum").sum(),
        (pl.col("duration_ms_p95") * pl.col("requests")).sum().alias("weighted_ms"),
    )
    yield from _ratios(
        sums,
        ("requests that failed", "errors", pl.col("failed") / pl.col("n")),
        ("mean duration of requests, ms", "latency", pl.col("duration_ms_sum") / pl.col("n")),
        ("p95 duration of requests, ms", "latency", pl.col("weighted_ms") / pl.col("n")),
    )
    filled = _with_empty_buckets(sums.with_columns(pl.lit("requests per second").alias("signal")), span, bucket_s)
    yield filled.with_columns(pl.lit("traffic").alias("kind"), (pl.col("n") / bucket_s).alias("value"))


def _of_calls(calls: pl.DataFrame, span: Window, bucket_s: int) -> Iterable[pl.DataFrame]:
    sums = (
        _rebucketed(within(calls, span), bucket_s)
        .group_by("bucket_us", pl.col("caller").alias("service_name"), "dependency")
        .agg(
            pl.len().alias("n"),
            pl.col("failed").sum().cast(pl.Int64),
            pl.col("duration_ms").sum().alias("duration_ms_sum"),
        )
    )
    yield from _ratios(
        sums,
        ("calls of {} that failed", "errors", pl.col("failed") / pl.col("n")),
        ("mean duration of calls of {}, ms", "latency", pl.col("duration_ms_sum") / pl.col("n")),
    )


def _of_own_time(own_time: pl.DataFrame, bucket_s: int) -> pl.DataFrame:
    bucketed = _rebucketed(own_time.with_columns(pl.col("bucket_us").alias("time_us")), bucket_s)
    between = pl.col("callee") != ""
    ends = pl.concat(
        [
            bucketed.select(
                "bucket_us", "service_name", "spans",
                pl.when(between).then(pl.col("own_ms") / 2).otherwise(pl.col("own_ms")).alias("own_ms"),
            ),
            bucketed.filter(between).select(
                "bucket_us", pl.col("callee").alias("service_name"), pl.lit(0).alias("spans"), pl.col("own_ms") / 2
            ),
        ],
        how="vertical_relaxed",
    )  # fmt: skip
    sums = ends.group_by("bucket_us", "service_name").agg(pl.col("spans").sum(), pl.col("own_ms").sum())
    return sums.filter(pl.col("spans") > 0).select(
        pl.col("bucket_us").alias("time_us"), "service_name", pl.lit(OWN_TIME_SIGNAL).alias("signal"),
        pl.lit("latency").alias("kind"), (pl.col("own_ms") / pl.col("spans")).alias("value"),
        pl.col("spans").alias("n"),
    )  # fmt: skip


def _ratios(sums: pl.DataFrame, *wanted: tuple[str, str, pl.Expr]) -> Iterable[pl.DataFrame]:
    for label, kind, value in wanted:
        name = pl.format(label, "dependency") if "{}" in label else pl.lit(label)
        yield sums.select(
            pl.col("bucket_us").alias("time_us"), "service_name", name.alias("signal"), pl.lit(kind).alias("kind"),
            value.alias("value"), "n",
        )  # fmt: skip


def _rebucketed(frame: pl.DataFrame, bucket_s: int) -> pl.DataFrame:
    width_us = bucket_s * US_PER_S
    return frame.with_columns((pl.col("time_us") // width_us * width_us).alias("bucket_us"))


def _with_empty_buckets(counts: pl.DataFrame, span: Window, bucket_s: int) -> pl.DataFrame:
    """Count zero in every whole bucket of the span in which a series had no events."""
    width_us = bucket_s * US_PER_S
    first_us = span.start_us // width_us * width_us
    buckets = pl.DataFrame({"time_us": pl.int_range(first_us, span.end_us, width_us, eager=True)})
    series = counts.select("service_name", "signal").unique()
    return (
        series.join(buckets, how="cross")
        .join(
            counts.rename({"bucket_us": "time_us"})
            .group_by("service_name", "signal", "time_us")
            .agg(pl.col("n").sum()),
            on=["service_name", "signal", "time_us"],
            how="left",
        )
        .with_columns(pl.col("n").fill_null(0))
    )
