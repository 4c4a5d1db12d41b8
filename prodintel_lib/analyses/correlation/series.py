"""Series and traces of a lake brought to the form that `correlate` needs."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.correlation.analysis import TraceEvidence
from prodintel_lib.analyses.correlation.preparation import SERIES_SCHEMA, TRAFFIC_KIND
from prodintel_lib.analyses.correlation.shared_traces import STRATA_SCHEMA, TRACES_SCHEMA, trace_sample_key
from prodintel_lib.analyses.signals import kind_of_signal
from prodintel_lib.engines import collect
from prodintel_lib.rollups.calls import build_calls
from prodintel_lib.rollups.expressions import SERVER_KIND, bucket_us, operation
from prodintel_lib.rollups.metric_points import POINTS_KEYS, POINTS_SCHEMA, build_metric_points
from prodintel_lib.rollups.red import RED_KEYS, RED_SCHEMA, build_red
from prodintel_lib.rollups.requests import build_requests
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window

PATTERN_KIND: Final = "pattern"
SATURATION_KINDS: Final = ("saturation", "cpu", "memory", "queue", "cache")
MIN_TIMED: Final = 5
"""Fewer requests do not make a quantile of a bucket."""
SLOW_RATIO: Final = 3.0
SLOW_MS: Final = 10.0
"""A span is slow where it takes three times the median of its like, and at least so long: less is jitter."""
MAX_LIMITS: Final = 300
"""Of so many kinds of spans, the most frequent, slow ones are told from others."""
KEPT_TRACES: Final = 5_000
_CALL_KEYS: Final = ("bucket_us", "caller", "dependency", "call_kind")
_CALL_SUMS: Final = {
    "bucket_us": pl.Int64(), "caller": pl.String(), "dependency": pl.String(), "call_kind": pl.String(),
    "calls": pl.Int64(), "slow": pl.Int64(), "duration_ms_p95": pl.Float64(),
}  # fmt: skip
_LIMITS_SCHEMA: Final = {"one": pl.String(), "other": pl.String(), "median_ms": pl.Float64(), "n": pl.Int64()}
_TRACE_ROUTES: Final = {"trace_id": pl.String(), "route": pl.String()}


def build_signal_series(
    view: LakeView,
    window: Window,
    bucket_s: int,
    *,
    patterns: pl.DataFrame | None = None,
    buckets: pl.DataFrame | None = None,
    traffic: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Bring errors, latency, slow calls, saturation and throughput of a window to series of one width.

    Parameters
    ----------
    view : LakeView
    window : Window
    bucket_s : int
        That of `buckets`.
    patterns : polars.DataFrame, optional
        ``pattern_id, label, service_name, exposure_unit``, a row a pattern of errors.
    buckets : polars.DataFrame, optional
        ``pattern_id, bucket_us, rows``: a bucket without a row had none of it.
    traffic : polars.DataFrame, optional
        ``unit, service_name, bucket_us, rows``: what the errors of a service are measured against. Where there is none
        of a pattern's unit and service, time is: its exposure is the bucket's seconds.

    Returns
    -------
    polars.DataFrame
        preparation.SERIES_SCHEMA, by signal and time. Kinds: ``pattern``; ``latency`` (p95 of a service's operation and
        of a caller's calls of a dependency, in buckets with five or more); ``slow calls`` (a database's are called slow
        queries; exposure: all calls); ``saturation`` (metrics whose name speaks of pools, processors, memory, queues
        or caches: mean of the bucket); ``throughput``.
    """
    spans = view.scan("spans", window)
    red = view.collect(build_red(spans, bucket_s=bucket_s), schema=RED_SCHEMA, sort_by=RED_KEYS)
    calls = build_calls(spans)
    call_sums = view.collect(
        _sum_calls(calls, _limits(_pairs_of_calls(calls)), bucket_s=bucket_s), schema=_CALL_SUMS, sort_by=_CALL_KEYS
    )
    points = view.collect(build_metric_points(view.scan("metrics", window)), schema=POINTS_SCHEMA, sort_by=POINTS_KEYS)
    parts = [
        _of_requests(red),
        *_of_calls(call_sums),
        _of_metrics(points, bucket_s),
        _throughput(red, bucket_s),
    ]
    if patterns is not None and buckets is not None:
        parts.append(_of_patterns(patterns, buckets, traffic, bucket_s))
    whole = [part.select(pl.col(name).cast(dtype) for name, dtype in SERIES_SCHEMA.items()) for part in parts]
    inside = pl.col("bucket_us").is_between(window.start_us - bucket_s * US_PER_S, window.end_us, closed="none")
    return pl.concat(whole).filter(inside & pl.col("value").is_finite()).sort("signal", "bucket_us")


def build_trace_evidence(
    view: LakeView, window: Window, *, members: pl.DataFrame | None = None, traces: pl.DataFrame | None = None
) -> TraceEvidence:
    """Find the traces that errors and slow spans were seen in, and count those there were.

    Parameters
    ----------
    view : LakeView
    window : Window
    members : polars.DataFrame, optional
        ``pattern_id, trace_id, time_us, sample_key``: for each pattern all rows of the traces with the smallest keys.
    traces : polars.DataFrame, optional
        ``pattern_id, traces``: how many there were. A pattern with another number of traces in `members` is a sample.

    Returns
    -------
    TraceEvidence
        The signals of slow spans are those of build_signal_series: of latency and of slow calls; their times are the
        spans' ends. Of each the KEPT_TRACES with the smallest keys are kept.
    """
    spans = view.scan("spans", window)
    parts = [
        _slow_traces(view, _pairs_of_calls(build_calls(spans)), ("caller", "dependency"), _slow_calls),
        _slow_traces(view, _pairs_of_requests(spans), ("service_name", "operation"), _latency_of),
    ]
    kept = [_smallest(part) for part in parts]
    sampled = {name for part, cut in zip(parts, kept, strict=True) for name in _cut_signals(part, cut)}
    if members is not None:
        own = members.filter(pl.col("trace_id").fill_null("") != "")
        key = pl.col("sample_key") if "sample_key" in own.columns else trace_sample_key()
        kept.append(own.select(pl.col("pattern_id").alias("signal"), "trace_id", "time_us", key.alias("sample_key")))
        sampled |= _sampled_patterns(own, traces)
    routes = build_requests(spans).group_by("trace_id").agg(nw.col("route").min())
    by_trace = collect(routes, schema=_TRACE_ROUTES, sort_by=("trace_id",))
    known = view.private.frame(by_trace).with_columns(pl.col("route").fill_null(""))
    found = pl.concat(kept).join(known, on="trace_id", how="inner")
    strata = known.group_by("route").agg(pl.len().alias("traces")).sort("route")
    return TraceEvidence(
        found.select(pl.col(name).cast(dtype) for name, dtype in TRACES_SCHEMA.items()).sort("signal", "sample_key"),
        strata.select(pl.col(name).cast(dtype) for name, dtype in STRATA_SCHEMA.items()),
        frozenset(sampled),
    )


def _pairs_of_calls(calls: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return calls.with_columns(one=nw.col("caller"), other=nw.col("dependency"))


def _pairs_of_requests(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    served = spans.filter(nw.col("span_kind") == SERVER_KIND).with_columns(operation().alias("operation"))
    return served.with_columns(one=nw.col("service_name"), other=nw.col("operation"))


def _limits(spans: nw.LazyFrame[Any]) -> pl.DataFrame:
    medians = (
        spans.filter(~nw.col("one").is_null(), ~nw.col("other").is_null())
        .group_by("one", "other")
        .agg(nw.col("duration_ms").quantile(0.5, interpolation="linear").alias("median_ms"), nw.len().alias("n"))
    )
    found = collect(medians, schema=_LIMITS_SCHEMA, sort_by=("one", "other"))
    busiest = found.sort("n", "one", "other", descending=[True, False, False]).head(MAX_LIMITS)
    limit_ms = (pl.col("median_ms") * SLOW_RATIO).clip(lower_bound=SLOW_MS)
    return busiest.select("one", "other", limit_ms.alias("limit_ms"))


def _is_slow(limits: pl.DataFrame) -> nw.Expr:
    """Say whether a span of ``one`` and ``other`` takes longer than its limit."""
    terms = [
        (nw.col("one") == nw.lit(one)) & (nw.col("other") == nw.lit(other)) & (nw.col("duration_ms") > limit)
        for one, other, limit in limits.iter_rows()
    ]
    return reduce(or_, terms, nw.col("duration_ms") < nw.lit(0.0)).fill_null(value=False)


def _sum_calls(calls: nw.LazyFrame[Any], limits: pl.DataFrame, *, bucket_s: int) -> nw.LazyFrame[Any]:
    marked = _pairs_of_calls(calls).with_columns(
        bucket_us(bucket_s).alias("bucket_us"), _is_slow(limits).cast(nw.Int64).alias("slow")
    )
    return marked.group_by(*_CALL_KEYS).agg(
        nw.len().alias("calls"),
        nw.col("slow").sum(),
        nw.col("duration_ms").quantile(0.95, interpolation="linear").alias("duration_ms_p95"),
    )


def _latency_of(service: str, what: str) -> pl.Expr:
    return pl.concat_str(pl.lit("latency of"), service, what, separator=" ", ignore_nulls=True)


def _slow_calls(caller: str, dependency: str) -> pl.Expr:
    return pl.format("slow calls of {} by {}", dependency, pl.col(caller).fill_null(""))


def _slow_traces(
    view: LakeView, spans: nw.LazyFrame[Any], names: tuple[str, str], signal: Callable[[str, str], pl.Expr]
) -> pl.DataFrame:
    """Return the traces with a slow span, and the signal it belongs to: ``signal, trace_id, time_us, sample_key``."""
    # That a span is slow is known at its end; by their starts the outermost would always come first.
    # Engines round halves to different sides; all of them take the same floor.
    end_us = nw.col("time_us") + (nw.col("duration_ms") * 1000 + 0.5).floor().cast(nw.Int64)
    slow = spans.filter(_is_slow(_limits(spans))).with_columns(end_us.alias("time_us"))
    first = slow.group_by(*names, "trace_id").agg(nw.col("time_us").min())
    schema = {names[0]: pl.String(), names[1]: pl.String(), "trace_id": pl.String(), "time_us": pl.Int64()}
    rows = view.collect(first, schema=schema, sort_by=(*names, "trace_id"))
    return rows.select(signal(*names).alias("signal"), "trace_id", "time_us", trace_sample_key().alias("sample_key"))


def _smallest(traces: pl.DataFrame) -> pl.DataFrame:
    ordered = traces.sort("signal", "sample_key", "trace_id", nulls_last=True)
    return ordered.group_by("signal", maintain_order=True).head(KEPT_TRACES)


def _cut_signals(every: pl.DataFrame, kept: pl.DataFrame) -> Iterator[str]:
    counts = every["signal"].value_counts(name="n").join(kept["signal"].value_counts(name="kept"), on="signal")
    yield from counts.filter(pl.col("n") > pl.col("kept"))["signal"]


def _sampled_patterns(members: pl.DataFrame, traces: pl.DataFrame | None) -> set[str]:
    kept = members.group_by("pattern_id").agg(pl.col("trace_id").n_unique().cast(pl.Int64).alias("kept"))
    if traces is None:
        return set()
    counts = kept.join(traces.select("pattern_id", "traces"), on="pattern_id", how="left")
    return set(counts.filter(pl.col("traces").is_null() | (pl.col("traces") != pl.col("kept")))["pattern_id"])


def _of_requests(red: pl.DataFrame) -> pl.DataFrame:
    timed = red.filter((pl.col("requests") >= MIN_TIMED) & pl.col("operation").is_not_null())
    # An operation may come by several methods, and be entered by users and by services: the busiest row stands for it.
    busiest = timed.sort("requests", *RED_KEYS, descending=[True, *[False] * len(RED_KEYS)]).unique(
        ["bucket_us", "service_name", "operation"], keep="first", maintain_order=True
    )
    name = _latency_of("service_name", "operation")
    return busiest.select(
        name.alias("signal"), pl.lit("latency").alias("kind"),
        pl.format("{} (p95, ms)", name).alias("label"),
        pl.col("service_name").fill_null(""), pl.lit("").alias("family"), "bucket_us",
        pl.col("duration_ms_p95").alias("value"), pl.lit(None, dtype=pl.Float64).alias("exposure"),
    )  # fmt: skip


def _of_calls(sums: pl.DataFrame) -> Iterable[pl.DataFrame]:
    between = pl.format("{} by {}", "dependency", pl.col("caller").fill_null(""))
    common: list[pl.Expr | str] = [
        pl.col("caller").fill_null("").alias("service_name"),
        between.alias("family"),
        "bucket_us",
    ]
    nothing = pl.lit(None, dtype=pl.Float64)
    timed = sums.filter(pl.col("calls") >= MIN_TIMED)
    yield timed.select(
        pl.format("latency of calls of {}", between).alias("signal"), pl.lit("latency").alias("kind"),
        pl.format("latency of calls of {} (p95, ms)", between).alias("label"), *common,
        pl.col("duration_ms_p95").alias("value"), nothing.alias("exposure"),
    )  # fmt: skip
    words = (
        pl.when(pl.col("call_kind") == "database").then(pl.lit("slow queries of")).otherwise(pl.lit("slow calls of"))
    )
    yield sums.select(
        _slow_calls("caller", "dependency").alias("signal"), pl.lit("slow calls").alias("kind"),
        pl.format("{} {}", words, between).alias("label"), *common,
        pl.col("slow").cast(pl.Float64).alias("value"), pl.col("calls").cast(pl.Float64).alias("exposure"),
    )  # fmt: skip


def _of_metrics(points: pl.DataFrame, bucket_s: int) -> pl.DataFrame:
    kinds = {name: kind_of_signal(name) for name in points["metric_name"].unique()}
    told = points.with_columns(
        pl.col("metric_name").replace_strict(kinds, default="other", return_dtype=pl.String).alias("said"),
        pl.col("service_name", "service_instance_id", "series").fill_null(""),
    ).filter(pl.col("said").is_in(SATURATION_KINDS))
    width_us = bucket_s * US_PER_S
    which = ["metric_name", "service_name", "service_instance_id", "series"]
    means = told.group_by(*which, (pl.col("time_us") // width_us * width_us).alias("bucket_us")).agg(
        pl.col("value").mean()
    )
    several = pl.col("service_instance_id").n_unique().over("metric_name", "service_name", "series") > 1
    label = pl.concat_str(
        pl.when(pl.col("service_name") != "").then(pl.format("{} ", "service_name")).otherwise(pl.lit("")),
        "metric_name",
        pl.when(pl.col("series") != "").then(pl.format(" ({})", "series")).otherwise(pl.lit("")),
        pl.when(several).then(pl.format(" of {}", "service_instance_id")).otherwise(pl.lit("")),
    )
    return means.sort(*which, "bucket_us").select(
        pl.format("metric {} {} {} {}", *which).alias("signal"), pl.lit("saturation").alias("kind"),
        label.alias("label"),
        "service_name", pl.format("{} of {}", "metric_name", "service_name").alias("family"), "bucket_us",
        # Means of the same figures in another order differ in their last digits.
        pl.col("value").round_sig_figs(12), pl.lit(None, dtype=pl.Float64).alias("exposure"),
    )  # fmt: skip


def _throughput(red: pl.DataFrame, bucket_s: int) -> pl.DataFrame:
    counts = red.group_by(pl.col("service_name").fill_null(""), "bucket_us").agg(pl.col("requests").sum())
    frame = _every_bucket(counts.select("service_name").unique(), counts["bucket_us"], bucket_s).join(
        counts, on=["service_name", "bucket_us"], how="left"
    )
    return frame.select(
        pl.format("requests of {}", "service_name").alias("signal"), pl.lit(TRAFFIC_KIND).alias("kind"),
        pl.format("requests of {}", "service_name").alias("label"), "service_name", pl.lit("").alias("family"),
        "bucket_us", pl.col("requests").fill_null(0).cast(pl.Float64).alias("value"),
        pl.lit(None, dtype=pl.Float64).alias("exposure"),
    )  # fmt: skip


def _of_patterns(
    patterns: pl.DataFrame, buckets: pl.DataFrame, traffic: pl.DataFrame | None, bucket_s: int
) -> pl.DataFrame:
    counted = pl.DataFrame(
        schema={"unit": pl.String, "service_name": pl.String, "bucket_us": pl.Int64, "rows": pl.Int64}
    )
    measure = (traffic if traffic is not None else counted).group_by("unit", "service_name", "bucket_us").agg(
        pl.col("rows").sum().alias("exposure")
    )  # fmt: skip
    named = patterns.select("pattern_id", "label", pl.col("service_name").fill_null(""), "exposure_unit")
    measured = named.join(
        measure, left_on=["exposure_unit", "service_name"], right_on=["unit", "service_name"], how="inner"
    )
    # Without traffic of its own a pattern is measured against time, while anything at all was recorded.
    recorded = pl.concat([measure["bucket_us"], buckets["bucket_us"]])
    rest = named.join(measured.select("pattern_id").unique(), on="pattern_id", how="anti")
    by_time = _every_bucket(rest, recorded, bucket_s).with_columns(pl.lit(bucket_s).alias("exposure"))
    columns = ["pattern_id", "label", "service_name", "bucket_us"]
    frame = pl.concat([part.select(*columns, pl.col("exposure").cast(pl.Float64)) for part in (measured, by_time)])
    rows = buckets.group_by("pattern_id", "bucket_us").agg(pl.col("rows").sum())
    return frame.join(rows, on=["pattern_id", "bucket_us"], how="left").select(
        pl.col("pattern_id").alias("signal"), pl.lit(PATTERN_KIND).alias("kind"), "label", "service_name",
        pl.lit("").alias("family"), "bucket_us", pl.col("rows").fill_null(0).cast(pl.Float64).alias("value"),
        "exposure",
    )  # fmt: skip


def _every_bucket(keys: pl.DataFrame, recorded: pl.Series, bucket_s: int) -> pl.DataFrame:
    """Return each key with every bucket from the first to the last in which anything was recorded."""
    if recorded.is_empty():
        return keys.with_columns(pl.lit(0, dtype=pl.Int64).alias("bucket_us")).clear()
    first, last = int(str(recorded.min())), int(str(recorded.max()))
    every = pl.DataFrame({"bucket_us": pl.int_range(first, last + 1, bucket_s * US_PER_S, eager=True)})
    return keys.join(every, how="cross")
