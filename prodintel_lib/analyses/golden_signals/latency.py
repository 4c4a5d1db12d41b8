"""How long requests take: percentiles against the time before, modes and what tells them apart, the trend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.error_patterns.trend import Course, measure_dispersion
from prodintel_lib.analyses.golden_signals.grouping import analyse_modes
from prodintel_lib.analyses.golden_signals.model import LatencySignals
from prodintel_lib.analyses.golden_signals.percentiles import read_percentiles
from prodintel_lib.analyses.golden_signals.schemas import (
    ABOUT,
    JUDGED,
    LATENCY_SCHEMA,
    LATENCY_TIME_SCHEMA,
    QUANTILES,
)
from prodintel_lib.analyses.golden_signals.steps import choose_step_s
from prodintel_lib.analyses.golden_signals.subjects import FAR, HOUR_US, KEYS, MIN_BLOCKS
from prodintel_lib.analyses.golden_signals.trends import find_trend
from prodintel_lib.rollups.request_bins import NO_BIN
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from prodintel_lib.analyses.golden_signals.subjects import Subjects
    from prodintel_lib.analyses.production import Production

SLOW_FROM: Final = 0.9
MATERIAL: Final = 1.1
SAME_WITHIN: Final = 1.5
MIN_IN_BLOCK: Final = 100
MIN_IN_STEP: Final = 20
MATERIAL_TREND: Final = 0.1
MOST_PER_HOUR: Final = 1e6
_TAIL: Final = 0.975


def measure_latency(production: Production, subjects: Subjects) -> LatencySignals:
    """Measure how long the requests of each subject took.

    Notes
    -----
    A baseline percentile's interval is the wider of two: that of its own sampling, and, where the baseline holds
    MIN_BLOCKS stretches as long as the window, Student's interval for the logarithm of the next stretch's percentile:
    days differ from each other by more than the chance of their requests. Where there are fewer, and the baseline does
    not end just before the window, only a percentile FAR from the baseline's is called slower or faster.
    """
    rows = subjects.rows("bin").filter(pl.col("bin") > NO_BIN)
    counts = subjects.of_window(rows).group_by(*KEYS, "bucket_us", "bin").agg(pl.col("requests").sum()).collect()
    dispersion = measure_scatter(counts)
    now = read_percentiles(counts, QUANTILES, by=KEYS, dispersion=dispersion)
    step_s = choose_step_s(production, counts)
    course = _course(counts, step_s)
    modes = analyse_modes(subjects, counts, dispersion, production.bucket_us)
    frame = (
        subjects.about.select(KEYS)
        .join(now, on=KEYS, how="inner", maintain_order="left")
        .join(_history(subjects, rows), on=KEYS, how="left", maintain_order="left")
        .join(_trends(course), on=KEYS, how="left", maintain_order="left")
        .join(modes.summary, on=KEYS, how="left", maintain_order="left")
        .with_columns((pl.col("p99_ms") / pl.col("p50_ms")).alias("tail_ratio"))
    )
    material = MATERIAL if subjects.is_comparable else FAR
    judged = [_verdict(row, material) for row in frame.iter_rows(named=True)]
    frame = frame.with_columns(
        pl.Series("verdict", [verdict for verdict, _ in judged], dtype=pl.String),
        pl.Series("judged_by", [by for _, by in judged], dtype=pl.String),
    )
    return LatencySignals(
        frame=frame.select(pl.col(name).cast(dtype) for name, dtype in LATENCY_SCHEMA.items()),
        modes=modes.modes,
        splits=modes.splits,
        distribution=modes.distribution,
        over_time=_over_time(production, subjects, rows, course, step_s),
        step_s=step_s,
        baseline=subjects.baseline,
        places=modes.places,
        routes_left_out=subjects.routes_left_out,
    )


def measure_scatter(counts: pl.DataFrame) -> pl.DataFrame:
    """Return for each subject how much more its slowest tenth varies between buckets than independent requests do.

    Parameters
    ----------
    counts : polars.DataFrame
        KEYS, ``bucket_us``, ``bin``, ``requests``.

    Returns
    -------
    polars.DataFrame
        KEYS and ``dispersion``, 1 at least.
    """
    bounds = (
        counts.group_by(*KEYS, "bin").agg(pl.col("requests").sum()).sort(*KEYS, "bin")
        .with_columns((pl.col("requests").cum_sum() / pl.col("requests").sum()).over(KEYS).alias("_share"))
        .filter(pl.col("_share") >= SLOW_FROM).unique(KEYS, keep="first", maintain_order=True)
        .select(*KEYS, pl.col("bin").alias("_bound"))
    )  # fmt: skip
    slow = pl.when(pl.col("bin") >= pl.col("_bound")).then(pl.col("requests")).otherwise(0)
    course = (
        counts.join(bounds, on=KEYS).group_by(*KEYS, "bucket_us")
        .agg(pl.col("requests").sum(), slow.sum().alias("slow")).sort(*KEYS, "bucket_us")
    )  # fmt: skip
    rows = []
    for key, part in course.group_by(KEYS, maintain_order=True):
        seen = Course(part["slow"].to_numpy().astype(np.float64), part["requests"].to_numpy().astype(np.float64))
        rows.append((*key, max(1.0, measure_dispersion([seen]))))
    return pl.DataFrame(rows, schema={**ABOUT, "dispersion": pl.Float64()}, orient="row")


def _history(subjects: Subjects, rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the baseline's percentiles as ``history_*``, their intervals widened by what stretches differ."""
    counts = subjects.of_baseline(rows).group_by(*KEYS, "bucket_us", "bin").agg(pl.col("requests").sum()).collect()
    judged = {name: QUANTILES[name] for name in JUDGED}
    whole = read_percentiles(counts, judged, by=KEYS, dispersion=measure_scatter(counts))
    blocks = counts.with_columns((pl.col("bucket_us") // subjects.block_us).alias("_block"))
    by_block = read_percentiles(blocks, judged, by=[*KEYS, "_block"]).filter(pl.col("n") >= MIN_IN_BLOCK)
    for name in JUDGED:
        log = pl.col(f"{name}_ms").filter(pl.col(f"{name}_ms") > 0).log()
        spread = by_block.group_by(KEYS).agg(log.mean().alias("_mean"), log.std().alias("_sd"), log.len().alias("_k"))
        reach = pl.col("_k").map_batches(_student_reach, return_dtype=pl.Float64) * pl.col("_sd")
        told = pl.col("_k") >= MIN_BLOCKS
        low, high = f"{name}_low_ms", f"{name}_high_ms"
        whole = whole.join(spread, on=KEYS, how="left", maintain_order="left").with_columns(
            pl.min_horizontal(low, pl.when(told).then((pl.col("_mean") - reach).exp())).alias(low),
            pl.max_horizontal(high, pl.when(told).then((pl.col("_mean") + reach).exp())).alias(high),
        ).drop("_mean", "_sd", "_k")  # fmt: skip
    return whole.rename({name: f"history_{name}" for name in whole.columns if name not in KEYS})


def _student_reach(blocks: pl.Series) -> pl.Series:
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    k = np.maximum(blocks.fill_null(2).to_numpy().astype(np.float64), 2.0)
    return pl.Series(t.ppf(_TAIL, k - 1) * np.sqrt(1 + 1 / k))


def _verdict(row: dict[str, Any], material: float) -> tuple[str, str]:
    """Compare the highest percentile that both sides can show, with the intervals of both.

    `material` is how many times as long, or as short, is told of.
    """
    if row["history_n"] is None:
        return "no history", ""
    names = ("p95", "p50")
    by = next((name for name in names if row[f"{name}_ms"] and row[f"history_{name}_ms"]), None)
    if by is None:
        return "too few to say", ""
    low, high = row[f"{by}_low_ms"] or 0.0, row[f"{by}_high_ms"] or math.inf
    before_low, before_high = row[f"history_{by}_low_ms"] or 0.0, row[f"history_{by}_high_ms"] or math.inf
    times = row[f"{by}_ms"] / row[f"history_{by}_ms"]
    if low > before_high and times >= material:
        return "slower", by
    if high < before_low and times <= 1 / material:
        return "faster", by
    is_near = high < SAME_WITHIN * before_low and before_high < SAME_WITHIN * low
    is_slight = 1 / MATERIAL < times < MATERIAL and (low > before_high or high < before_low)
    return ("same" if is_near or is_slight else "too few to say"), by


def _course(counts: pl.DataFrame, step_s: int) -> pl.DataFrame:
    step = step_s * US_PER_S
    steps = counts.with_columns((pl.col("bucket_us") // step * step).alias("bucket_us"))
    quantiles = {name: QUANTILES[name] for name in ("p50", "p95", "p99")}
    return read_percentiles(steps, quantiles, by=[*KEYS, "bucket_us"])


def _trends(course: pl.DataFrame) -> pl.DataFrame:
    """Fit the logarithm of the medians of steps with enough requests, an hour as the unit of time."""
    rows = []
    for key, part in course.filter((pl.col("n") >= MIN_IN_STEP) & (pl.col("p50_ms") > 0)).group_by(KEYS):
        ordered = part.sort("bucket_us")
        hours = (ordered["bucket_us"].to_numpy() - int(ordered["bucket_us"][0])) / HOUR_US
        trend = find_trend(hours, np.log(ordered["p50_ms"].to_numpy()))
        word = trend.word(span=float(hours[-1]), material=math.log1p(MATERIAL_TREND))
        slopes = [_per_hour(slope) for slope in (trend.slope, trend.low, trend.high)]
        rows.append((*key, word, *slopes, trend.p_value))
    names = ("trend", "trend_per_hour", "trend_low", "trend_high", "trend_p")
    return pl.DataFrame(rows, schema={**ABOUT, **{name: LATENCY_SCHEMA[name] for name in names}}, orient="row")


def _per_hour(slope: float) -> float | None:
    """Return the relative change an hour; null where a few minutes say no more than that it is over a millionfold."""
    return math.expm1(slope) if slope <= math.log(MOST_PER_HOUR) else None


def _over_time(
    production: Production, subjects: Subjects, rows: pl.LazyFrame, course: pl.DataFrame, step_s: int
) -> pl.DataFrame:
    """Put as much of the history as the window is long before the window's course."""
    start_us = production.window.start_us
    since_us = max(production.history.start_us, 2 * start_us - production.window.end_us)
    before = rows.filter(pl.col("bucket_us").is_between(since_us, start_us, closed="left"))
    counts = before.group_by(*KEYS, "bucket_us", "bin").agg(pl.col("requests").sum()).collect()
    parts = pl.concat([
        _course(counts, step_s).with_columns(pl.lit(value=False).alias("in_window")),
        course.with_columns(pl.lit(value=True).alias("in_window")),
    ])  # fmt: skip
    ordered = subjects.about.select(KEYS).with_row_index("_order").join(parts, on=KEYS).sort("_order", "bucket_us")
    return ordered.select(pl.col(name).cast(dtype) for name, dtype in LATENCY_TIME_SCHEMA.items())
