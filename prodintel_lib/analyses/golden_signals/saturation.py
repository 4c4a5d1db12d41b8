"""How full what has a limit is, for how long, and when it will be full."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.exhaustion import find_exhaustion
from prodintel_lib.analyses.golden_signals.model import RISK_AT, SaturationSignals
from prodintel_lib.analyses.golden_signals.resources import find_resources
from prodintel_lib.analyses.golden_signals.rhythm import CLEAR, by_hours, decompose
from prodintel_lib.analyses.golden_signals.schemas import SATURATION_SCHEMA, SATURATION_TIME_SCHEMA
from prodintel_lib.analyses.golden_signals.steps import MAX_STEPS
from prodintel_lib.analyses.golden_signals.subjects import HOUR_US
from prodintel_lib.analyses.golden_signals.trends import find_trend
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.golden_signals.trends import Trend
    from prodintel_lib.analyses.production import Production

MAX_RESOURCES: Final = 60
HELD_FOR: Final = 0.05
LATEST: Final = 3
MATERIAL_TREND: Final = 0.05
RISE_OF_LEVEL: Final = 0.1
GAP_STEPS: Final = 12
PEAK: Final = 0.95
TINY: Final = 1e-12
_RESOURCE: Final = ["metric_name", "unit", "service_name", "series", "limit_from", "service_instance_id"]


def measure_saturation(production: Production, *, services: Sequence[str] | None = None) -> SaturationSignals:
    """Measure how full each resource is in the window, for what part of the time, and when it will be full.

    Resources are those of resources.find_resources; MAX_RESOURCES of them are shown, the fullest first.
    """
    resources = find_resources(production.metrics)
    if services is not None:
        resources = resources.filter(pl.col("service_name").is_in(list(services)))
    rows = []
    for part in resources.partition_by(_RESOURCE, maintain_order=True):
        row = _measure(part, production)
        if row is not None:
            rows.append((row, part))
    rows.sort(key=lambda pair: (not pair[0]["limit_from"], -_rank(pair[0]), str(pair[0]["key"])))
    shown = rows[:MAX_RESOURCES]
    step_s = production.bucket_s * max(1, -(-len(production.recorded(production.window)) // MAX_STEPS))
    courses = [_course(part, str(row["key"]), production, step_s) for row, part in shown]
    return SaturationSignals(
        frame=pl.DataFrame([row for row, _ in shown], schema=SATURATION_SCHEMA),
        over_time=pl.concat(courses) if courses else pl.DataFrame(schema=SATURATION_TIME_SCHEMA),
        step_s=step_s,
        resources_left_out=len(rows) - len(shown),
    )


def _rank(row: dict[str, Any]) -> float:
    """Put first what is fullest at its fullest, where a limit is known."""
    return float(row["highest"]) if row["limit_from"] else 0.0


def _measure(part: pl.DataFrame, production: Production) -> dict[str, object] | None:
    window = production.window
    inside = pl.col("bucket_us").is_between(window.start_us, window.end_us, closed="left")
    now, before = part.filter(inside), part.filter(pl.col("bucket_us") < window.start_us)
    if now.is_empty():
        return None
    about = part.row(0, named=True)
    levels = now["mean"].to_numpy()
    is_share = bool(about["limit_from"])
    shares = {name: float((levels >= bound).mean()) if is_share else None for name, bound in RISK_AT.items()}
    seen = _exhaustion(part, production) if is_share else _trend_only(now)
    return {
        "key": _key(about),
        "service_name": about["service_name"],
        "service_instance_id": about["service_instance_id"],
        "resource": _resource(about),
        "metric_name": about["metric_name"],
        "unit": about["unit"],
        "limit_from": about["limit_from"],
        "level": float(levels.mean()),
        "highest": float(now["max"].to_numpy().max()),
        "last": float(now["last"][-1]),
        "n": len(levels),
        "watch_share": shares["watch"],
        "high_share": shares["high"],
        "critical_share": shares["critical"],
        "risk": _risk(levels) if is_share else "no limit known",
        "history_level": float(before["mean"].to_numpy().mean()) if before.height else None,
        "history_n": before.height,
        **seen,
    }


def _risk(levels: NDArray[np.float64]) -> str:
    """Return the highest bound that was held for a twentieth of the time, or that is passed by the latest points."""
    latest = float(np.median(levels[-LATEST:]))
    passed = [name for name, bound in RISK_AT.items() if (levels >= bound).mean() >= HELD_FOR or latest >= bound]
    return passed[-1] if passed else "ok"


def _exhaustion(part: pl.DataFrame, production: Production) -> dict[str, object]:
    """Look at the last stretch without a gap; where a daily rhythm shows, at the level of its peak."""
    until = part.filter(pl.col("bucket_us") < production.window.end_us)
    times, levels = until["bucket_us"].to_numpy(), until["mean"].to_numpy()
    hours = by_hours(times, levels * production.bucket_s, times, production.bucket_s)
    seasons = decompose(hours)
    remark = ""
    if seasons is not None and seasons.strength >= CLEAR:
        known = np.isfinite(seasons.seasonal)
        at = (times - hours.start_us) / HOUR_US - 0.5
        peak = float(np.quantile(seasons.seasonal[known], PEAK))
        levels = levels - np.interp(at, np.flatnonzero(known), seasons.seasonal[known]) + peak
        remark = ", at the peak of its rhythm"
    start = _after_gap(times, production.bucket_us)
    since = (times[start:] - times[start]) / HOUR_US
    found = find_exhaustion(since, levels[start:])
    word = found.trend.word(span=found.span_hours, material=MATERIAL_TREND)
    return {
        **_trend_row(found.trend, word),
        "hours_left": found.hours,
        "hours_low": found.low,
        "hours_high": found.high,
        "says": found.says + remark,
    }


def _trend_only(now: pl.DataFrame) -> dict[str, object]:
    """Say how a level without a known limit goes, relative to itself."""
    times, levels = now["bucket_us"].to_numpy(), now["mean"].to_numpy()
    since = (times - times[0]) / HOUR_US
    trend = find_trend(since, levels)
    word = trend.word(span=float(since[-1]), material=RISE_OF_LEVEL * max(abs(float(np.median(levels))), TINY))
    says = "no limit is known: neither a share nor a limit beside it was recorded"
    return {**_trend_row(trend, word), "hours_left": None, "hours_low": None, "hours_high": None, "says": says}


def _trend_row(trend: Trend, word: str) -> dict[str, object]:
    slopes = zip(("per_hour", "per_hour_low", "per_hour_high"), (trend.slope, trend.low, trend.high), strict=True)
    shown = {name: None if math.isnan(slope) else slope for name, slope in slopes}
    return {"trend": word, **shown, "trend_p": trend.p_value}


def _after_gap(times_us: NDArray[np.int64], bucket_us: int) -> int:
    """Return where the last stretch begins: points may be as far apart as they usually are."""
    steps = np.diff(times_us)
    if not len(steps):
        return 0
    gaps = np.flatnonzero(steps > GAP_STEPS * max(bucket_us, int(np.median(steps))))
    return int(gaps[-1]) + 1 if len(gaps) else 0


def _course(part: pl.DataFrame, key: str, production: Production, step_s: int) -> pl.DataFrame:
    """Put as much of the history as the window is long before the window's course."""
    window = production.window
    since_us = max(production.history.start_us, 2 * window.start_us - window.end_us)
    step = step_s * US_PER_S
    shown = part.filter(pl.col("bucket_us").is_between(since_us, window.end_us, closed="left"))
    steps = shown.group_by(
        (pl.col("bucket_us") // step * step).alias("bucket_us"),
        (pl.col("bucket_us") >= window.start_us).alias("in_window"),
    ).agg(pl.col("mean").mean().alias("value"), pl.col("max").max().alias("highest"))
    about = part.row(0, named=True)
    named = steps.with_columns(
        pl.lit(key).alias("key"),
        pl.lit(about["service_name"]).alias("service_name"),
        pl.lit(_resource(about)).alias("resource"),
        pl.lit(bool(about["limit_from"])).alias("has_limit"),
    ).sort("bucket_us", "in_window")
    return named.select(pl.col(name).cast(dtype) for name, dtype in SATURATION_TIME_SCHEMA.items())


def _resource(about: dict[str, Any]) -> str:
    return f"{about['metric_name']} ({about['series']})" if about["series"] else str(about["metric_name"])


def _key(about: dict[str, Any]) -> str:
    return " ".join(part for part in (about["service_name"], _resource(about)) if part)
