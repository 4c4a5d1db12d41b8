"""Which share of requests failed, what failed, and what of it is new or becomes more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.error_patterns.trend import Course, RateChange, compare_rates, name_trend
from prodintel_lib.analyses.golden_signals.model import ErrorSignals
from prodintel_lib.analyses.golden_signals.schemas import CATEGORIES_SCHEMA, ERRORS_SCHEMA, ERRORS_TIME_SCHEMA
from prodintel_lib.analyses.golden_signals.steps import choose_step_s
from prodintel_lib.analyses.golden_signals.subjects import KEYS
from prodintel_lib.analyses.statistics import Proportion, adjust_for_many
from prodintel_lib.rollups.request_failures import NO_STATUS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.golden_signals.subjects import Subjects
    from prodintel_lib.analyses.production import Production

HTTP_CLASS: Final = "HTTP class"
ERROR_TYPE: Final = "error type"
LOG_LEVEL: Final = "log level"
MANY_TIMES: Final = 1000
_LEVELS: Final = {"errors": "error", "warnings": "warning"}


def measure_errors(
    production: Production, subjects: Subjects, *, services: Sequence[str] | None = None
) -> ErrorSignals:
    """Measure the share of requests that failed, and what failed, against the baseline.

    Notes
    -----
    Ratios are compared by error_patterns.trend.compare_rates, which widens for errors that come in bursts; its p values
    are corrected over all rows of a table by Benjamini and Hochberg.
    """
    rows = subjects.rows().group_by(*KEYS, "bucket_us").agg(pl.col("requests", "failed").sum()).collect()
    window = production.window
    now = rows.filter(pl.col("bucket_us").is_between(window.start_us, window.end_us, closed="left"))
    step_s = choose_step_s(production, now)
    categories, absent = _categories(production, subjects, services)
    return ErrorSignals(
        frame=_ratios(subjects, rows),
        categories=categories,
        over_time=_over_time(production, subjects, rows, step_s),
        step_s=step_s,
        baseline=subjects.baseline,
        not_recorded=absent,
        routes_left_out=subjects.routes_left_out,
    )


def _ratios(subjects: Subjects, rows: pl.DataFrame) -> pl.DataFrame:
    compared = []
    parts = rows.sort("bucket_us").partition_by(KEYS, as_dict=True)
    for key in subjects.about.select(KEYS).iter_rows():
        now, before = (_course(parts[key], chosen) for chosen in (subjects.window_us, subjects.baseline_us))
        compared.append((key, now, before, compare_rates(now, before)))
    q_values = adjust_for_many([change.p_value for *_, change in compared])
    found = []
    for (key, now, before, change), q_value in zip(compared, q_values, strict=True):
        share = Proportion.of(round(now.total), round(now.traffic))
        trend, says = _say(change, now, before, q_value)
        known = before.traffic > 0
        found.append(
            {
                **dict(zip(KEYS, key, strict=True)),
                "n": share.n,
                "failed": share.hits,
                "ratio": share.share,
                "low": share.low,
                "high": share.high,
                "history_n": round(before.traffic),
                "history_failed": round(before.total),
                "history_ratio": before.total / before.traffic if known else None,
                **_times(change),
                "q_value": q_value,
                "trend": trend,
                "says": says,
            }
        )
    return pl.DataFrame(found, schema=ERRORS_SCHEMA)


def _course(part: pl.DataFrame, buckets_us: NDArray[np.int64]) -> Course:
    chosen = part.filter(pl.col("bucket_us").is_in(buckets_us.tolist()))
    failed, requests = (chosen[name].to_numpy().astype(np.float64) for name in ("failed", "requests"))
    return Course(failed, requests)


def _say(change: RateChange, now: Course, before: Course, q_value: float) -> tuple[str, str]:
    if not now.total and not before.total:
        return "none", "none in the window and none before" if before.traffic else "none in the window"
    trend, _ = name_trend(change, now=now.total, before=before.total, q_value=q_value)
    counts = f"{now.total:,.0f} in the window, {before.total:,.0f} before"
    if math.isnan(change.low):
        return trend, f"{counts}; there is no traffic before to compare with"
    return trend, f"{counts}; {_said(change.low)} to {_said(change.high)} times the rate"


def _said(times: float) -> str:
    if times >= MANY_TIMES:
        return "over a thousand"
    return f"{times:.2g}" if times < 100 else f"{times:.0f}"


def _times(change: RateChange) -> dict[str, float | None]:
    """Return the ratio of rates as columns: what is infinite or unknown is null."""
    named = {"times": change.ratio, "times_low": change.low, "times_high": change.high}
    return {name: value if math.isfinite(value) else None for name, value in named.items()}


def _categories(
    production: Production, subjects: Subjects, services: Sequence[str] | None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Count each category of each service by bucket, beside all it is counted among."""
    requests = production.requests.group_by("bucket_us", "service_name").agg(pl.col("requests").sum().alias("of_n"))
    parts = [(kind, counts, requests) for kind, counts in _of_failures(production.failures)]
    parts.append((LOG_LEVEL, _of_levels(production.log_levels), _logged_over(production, requests)))
    compared = [
        row
        for kind, counts, whole in parts
        for row in _compared(kind, counts, whole, subjects)
        if services is None or row[0]["service_name"] in services
    ]
    q_values = adjust_for_many([row[1].p_value for row in compared]) if compared else []
    rows = [_category_row(*row, q_value) for row, q_value in zip(compared, q_values, strict=True)]
    frame = pl.DataFrame(rows, schema=CATEGORIES_SCHEMA)
    ordered = frame.sort("kind", "n", "service_name", "category", descending=[False, True, False, False])
    return ordered, _not_recorded(production)


def _not_recorded(production: Production) -> tuple[str, ...]:
    """Name the kinds of which nothing is there although there should be: requests failed, and none says how."""
    failures = production.failures
    told = {
        HTTP_CLASS: (failures["status"] != NO_STATUS).any() or not production.requests["failed"].sum(),
        ERROR_TYPE: (failures["error_type"] != "").any() or not production.requests["failed"].sum(),
        LOG_LEVEL: production.log_levels.height > 0,
    }
    return tuple(kind for kind, is_told in told.items() if not is_told)


def _of_failures(failures: pl.DataFrame) -> Iterable[tuple[str, pl.DataFrame]]:
    """Count by class of answer and by type of error: a span may have both."""
    by_class = pl.format("{}xx", pl.col("status") // 100)
    for kind, told, label in (
        (HTTP_CLASS, pl.col("status") != NO_STATUS, by_class),
        (ERROR_TYPE, pl.col("error_type") != "", pl.col("error_type")),
    ):
        counts = failures.filter(told).group_by("bucket_us", "service_name", label.alias("category"))
        yield kind, counts.agg(pl.col("requests").sum().alias("n"))


def _logged_over(production: Production, requests: pl.DataFrame) -> pl.DataFrame:
    """Count log rows among the service's requests; of a service without requests among all its log rows."""
    rows = production.log_levels.select("bucket_us", "service_name", pl.col("rows").cast(pl.Int64).alias("of_n"))
    known = requests.with_columns(pl.col("of_n").cast(pl.Int64))
    return pl.concat([known, rows.join(known, on="service_name", how="anti")])


def _of_levels(log_levels: pl.DataFrame) -> pl.DataFrame:
    parts = [
        log_levels.select("bucket_us", "service_name", pl.lit(said).alias("category"), pl.col(name).alias("n"))
        for name, said in _LEVELS.items()
    ]
    return pl.concat(parts).filter(pl.col("n") > 0)


def _compared(
    kind: str, counts: pl.DataFrame, whole: pl.DataFrame, subjects: Subjects
) -> Iterator[tuple[dict[str, Any], RateChange, Course, Course]]:
    in_window, in_baseline = (
        pl.col("bucket_us").is_in(buckets.tolist()) for buckets in (subjects.window_us, subjects.baseline_us)
    )
    traffic = whole.partition_by("service_name", as_dict=True)
    kept = counts.filter(in_window | in_baseline)
    for key, part in kept.sort("bucket_us").group_by("service_name", "category", maintain_order=True):
        service, category = (str(value) for value in key)
        everything = traffic.get((service,))
        if everything is None:
            continue
        joined = everything.join(part.select("bucket_us", "n"), on="bucket_us", how="full", coalesce=True).sort(
            "bucket_us"
        )
        joined = joined.with_columns(pl.col("n", "of_n").fill_null(0))
        now, before = (
            Course(*(chosen[name].to_numpy().astype(np.float64) for name in ("n", "of_n")))
            for chosen in (joined.filter(in_window), joined.filter(in_baseline))
        )
        about = {"kind": kind, "category": category, "service_name": service, "first_us": int(part["bucket_us"][0])}
        yield about, compare_rates(now, before), now, before


def _category_row(
    about: dict[str, Any], change: RateChange, now: Course, before: Course, q_value: float
) -> dict[str, Any]:
    trend, says = _say(change, now, before, q_value)
    return {
        **about,
        "n": round(now.total),
        "of_n": round(now.traffic),
        "share": now.total / now.traffic if now.traffic else None,
        "history_n": round(before.total),
        "history_of_n": round(before.traffic),
        **_times(change),
        "q_value": q_value,
        "trend": trend,
        "says": says,
    }


def _over_time(production: Production, subjects: Subjects, rows: pl.DataFrame, step_s: int) -> pl.DataFrame:
    """Put as much of the history as the window is long before the window's course."""
    window = production.window
    since_us = max(production.history.start_us, 2 * window.start_us - window.end_us)
    step = step_s * US_PER_S
    shown = rows.filter(pl.col("bucket_us").is_between(since_us, window.end_us, closed="left"))
    steps = shown.group_by(
        *KEYS,
        (pl.col("bucket_us") // step * step).alias("bucket_us"),
        (pl.col("bucket_us") >= window.start_us).alias("in_window"),
    ).agg(pl.col("requests").sum().alias("n"), pl.col("failed").sum())
    order = subjects.about.select(KEYS).with_row_index("_order")
    ordered = order.join(steps.filter(pl.col("n") > 0), on=KEYS).sort("_order", "bucket_us", "in_window")
    shares = [Proportion.of(failed, n) for failed, n in ordered.select("failed", "n").iter_rows()]
    told = ordered.with_columns(
        pl.Series("ratio", [share.share for share in shares], dtype=pl.Float64),
        pl.Series("low", [share.low for share in shares], dtype=pl.Float64),
        pl.Series("high", [share.high for share in shares], dtype=pl.Float64),
    )
    return told.select(pl.col(name).cast(dtype) for name, dtype in ERRORS_TIME_SCHEMA.items())
