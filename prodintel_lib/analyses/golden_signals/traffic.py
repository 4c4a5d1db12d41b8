"""How many requests come, how many usually do, and how many are to be expected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.error_patterns.trend import Course, compare_rates
from prodintel_lib.analyses.golden_signals.forecasting import INTERVAL
from prodintel_lib.analyses.golden_signals.foresight import foresee
from prodintel_lib.analyses.golden_signals.model import TrafficSignals
from prodintel_lib.analyses.golden_signals.rhythm import (
    HOUR_S,
    PERIOD_NAMES,
    Hours,
    by_hours,
    decompose,
    describe_rhythm,
    profile_of,
)
from prodintel_lib.analyses.golden_signals.schemas import (
    DECOMPOSITION_SCHEMA,
    FORECAST_SCHEMA,
    PROFILE_SCHEMA,
    TRAFFIC_SCHEMA,
    TRAFFIC_TIME_SCHEMA,
)
from prodintel_lib.analyses.golden_signals.steps import choose_step_s
from prodintel_lib.analyses.golden_signals.subjects import FAR, HOUR_US, KEYS, MIN_BLOCKS
from prodintel_lib.analyses.golden_signals.trends import find_trend
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.golden_signals.rhythm import Parts, Profile
    from prodintel_lib.analyses.golden_signals.subjects import Subjects
    from prodintel_lib.analyses.production import Production

    Vector = NDArray[np.float64]

MATERIAL: Final = 1.2
MATERIAL_TREND: Final = 0.2
MIN_BASELINE_BUCKETS: Final = 5
_TAIL: Final = 0.975
_RANGE: Final = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class _One:
    """The requests of one subject.

    Attributes
    ----------
    key : tuple of str
    recorded_us : array, shape (buckets,)
        All recorded buckets of history and window.
    counts : array, shape (buckets,)
    in_window, in_baseline : array of bool, shape (buckets,)
    bucket_s : int
    """

    key: tuple[str, ...]
    recorded_us: NDArray[np.int64]
    counts: Vector
    in_window: NDArray[np.bool_]
    in_baseline: NDArray[np.bool_]
    bucket_s: int

    def course(self, chosen: NDArray[np.bool_]) -> Course:
        """Return counts with the seconds they were counted in."""
        return Course(self.counts[chosen], np.full(int(chosen.sum()), float(self.bucket_s)))


def measure_traffic(production: Production, subjects: Subjects) -> TrafficSignals:
    """Measure the requests of each subject against the usual ones, and foresee the hours to come."""
    rows = subjects.rows().group_by(*KEYS, "bucket_us").agg(pl.col("requests").sum()).collect()
    now = rows.filter(
        pl.col("bucket_us").is_between(production.window.start_us, production.window.end_us, closed="left")
    )
    step_s = choose_step_s(production, now)
    ones = _lay_out(production, subjects, rows)
    measured, courses, forecasts, parts_rows, profiles = [], [], [], [], []
    for one in ones:
        hours = by_hours(one.recorded_us, one.counts, one.recorded_us, one.bucket_s)
        parts = decompose(hours)
        usual = profile_of(hours.before(production.window.start_us))
        seen = foresee(one.recorded_us, one.counts, one.bucket_s, hours)
        measured.append(_measure(one, subjects, describe_rhythm(hours, parts), parts) | seen.facts)
        courses += _course_rows(one, production, step_s, usual)
        forecasts += [(*one.key, *row) for row in seen.rows]
        parts_rows += _parts_rows(one.key, hours, parts)
        profiles += _profile_rows(one.key, usual)
    return TrafficSignals(
        frame=pl.DataFrame(measured, schema=TRAFFIC_SCHEMA),
        over_time=pl.DataFrame(courses, schema=TRAFFIC_TIME_SCHEMA, orient="row"),
        step_s=step_s,
        forecast=pl.DataFrame(forecasts, schema=FORECAST_SCHEMA, orient="row"),
        decomposition=pl.DataFrame(parts_rows, schema=DECOMPOSITION_SCHEMA, orient="row").fill_nan(None),
        profile=pl.DataFrame(profiles, schema=PROFILE_SCHEMA, orient="row"),
        baseline=subjects.baseline,
        interval_level=INTERVAL,
        routes_left_out=subjects.routes_left_out,
    )


def _lay_out(production: Production, subjects: Subjects, rows: pl.DataFrame) -> list[_One]:
    """Put the counts of each subject on the recorded buckets: a recorded bucket without a request holds 0."""
    recorded = np.concatenate([subjects.history_us, subjects.window_us])
    in_window = recorded >= production.window.start_us
    in_baseline = np.isin(recorded, subjects.baseline_us)
    by_key = rows.partition_by(KEYS, as_dict=True)
    ones = []
    for key in subjects.about.select(KEYS).iter_rows():
        part = by_key[key]
        at = np.searchsorted(recorded, part["bucket_us"].to_numpy())
        counts = np.zeros(len(recorded))
        known = np.minimum(at, len(recorded) - 1)
        there = recorded[known] == part["bucket_us"].to_numpy()
        counts[known[there]] = part["requests"].to_numpy()[there]
        ones.append(_One(key, recorded, counts, in_window, in_baseline, production.bucket_s))
    return ones


def _measure(one: _One, subjects: Subjects, rhythm: str, parts: Parts | None) -> dict[str, object]:
    now, before = one.course(one.in_window), one.course(one.in_baseline)
    rps = now.total / now.traffic if now.traffic else math.nan
    usual = before.total / before.traffic if before.traffic else None
    enough = len(before.errors) >= MIN_BASELINE_BUCKETS
    low, high = np.quantile(before.errors / one.bucket_s, _RANGE) if enough else (None, None)
    hours = (one.recorded_us[one.in_window] - one.recorded_us[one.in_window][0]) / HOUR_US
    trend = find_trend(*_thinned(hours, now.errors / one.bucket_s))
    share = rps or 1.0
    word = trend.word(span=float(hours[-1]), material=MATERIAL_TREND * share)
    slopes = [None if math.isnan(slope) else slope / share for slope in (trend.slope, trend.low, trend.high)]
    return {
        **dict(zip(KEYS, one.key, strict=True)),
        "n": round(now.total),
        "recorded_s": now.traffic,
        "rps": rps,
        "usual_rps": usual,
        "usual_low_rps": low,
        "usual_high_rps": high,
        "times_usual": rps / usual if usual else None,
        "verdict": _verdict(one, now, before, subjects),
        "trend": word,
        "trend_per_hour": slopes[0],
        "trend_low": slopes[1],
        "trend_high": slopes[2],
        "trend_p": trend.p_value,
        "pattern": rhythm,
        "seasonal_strength": None if parts is None else parts.strength,
    }


def _thinned(hours: Vector, rates: Vector, most: int = 200) -> tuple[Vector, Vector]:
    """Average neighbouring buckets, so that zeros and ones of a quiet route become rates."""
    together = max(1, -(-len(rates) // most))
    whole = len(rates) // together * together
    shape = (-1, together)
    return hours[:whole].reshape(shape).mean(axis=1), rates[:whole].reshape(shape).mean(axis=1)


def _verdict(one: _One, now: Course, before: Course, subjects: Subjects) -> str:
    """Compare with stretches of the baseline that are as long as the window, or with all of it where there are few."""
    if not before.traffic:
        return "no history"
    if not before.total:
        return "more" if now.total else "usual"
    times = now.total / now.traffic * before.traffic / before.total
    low, high = _ratio_to_expect(one, now, before, subjects.block_us)
    material = MATERIAL if subjects.is_comparable else FAR
    if low > 1 and times >= material:
        return "more"
    if high < 1 and times <= 1 / material:
        return "less"
    return "usual" if low <= 1 <= high or 1 / MATERIAL < times < MATERIAL else "too few to say"


def _ratio_to_expect(one: _One, now: Course, before: Course, block_us: int) -> tuple[float, float]:
    """Return the 95 % interval of the window's rate over that of a stretch like it; it holds 1 where it is usual."""
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    blocks, at = np.unique(one.recorded_us[one.in_baseline] // block_us, return_inverse=True)
    counts = np.bincount(at, before.errors)
    seconds = np.bincount(at) * float(one.bucket_s)
    whole = seconds >= np.median(seconds) / 2
    if len(blocks) < MIN_BLOCKS or whole.sum() < MIN_BLOCKS:
        change = compare_rates(now, before)
        return (0.0, math.inf) if math.isnan(change.low) else (change.low, change.high)
    # Square roots of counts vary alike whatever their level.
    roots = np.sqrt(counts[whole] / seconds[whole])
    mean, rate = float(roots.mean()), now.total / now.traffic
    reach = float(t.ppf(_TAIL, len(roots) - 1)) * float(roots.std(ddof=1)) * math.sqrt(1 + 1 / len(roots))
    lowest = max(0.0, mean - reach) ** 2
    return rate / (mean + reach) ** 2 if mean + reach else 0.0, rate / lowest if lowest else math.inf


def _course_rows(one: _One, production: Production, step_s: int, usual: Profile | None) -> list[tuple[Any, ...]]:
    step = step_s * US_PER_S
    since = max(production.history.start_us, 2 * production.window.start_us - production.window.end_us)
    shown = one.recorded_us >= since
    # A step belongs to the window or to the history, not to both.
    label = one.recorded_us[shown] // step * step
    steps, at = np.unique(label * 2 + one.in_window[shown], return_inverse=True)
    counts = np.bincount(at, one.counts[shown])
    seconds = np.bincount(at) * float(one.bucket_s)
    before = one.course(one.in_baseline)
    flat = before.total / before.traffic if before.traffic else None
    enough = len(before.errors) >= MIN_BASELINE_BUCKETS
    span = np.quantile(before.errors / one.bucket_s, _RANGE) if enough else (None, None)
    rows = []
    for code, count, second in zip(steps.tolist(), counts.tolist(), seconds.tolist(), strict=True):
        start_us = code // 2
        expected = (flat, *span) if usual is None else _usual_at(usual, start_us)
        rows.append((*one.key, start_us, round(count), count / second, *expected, bool(code % 2)))
    return rows


def _usual_at(usual: Profile, time_us: int) -> tuple[float | None, ...]:
    slot = int(Hours(time_us // HOUR_US * HOUR_US, np.zeros(1)).slots(usual.period)[0])
    values = (usual.rates[slot], usual.low[slot], usual.high[slot])
    return tuple(None if math.isnan(value) else float(value) for value in values)


def _parts_rows(key: tuple[str, ...], hours: Hours, parts: Parts | None) -> list[tuple[Any, ...]]:
    if parts is None:
        return []
    columns = (hours.rates, parts.trend, parts.seasonal, parts.remainder)
    return [
        (*key, int(time_us), HOUR_S, *(float(column[at]) for column in columns))
        for at, time_us in enumerate(hours.times_us)
    ]


def _profile_rows(key: tuple[str, ...], usual: Profile | None) -> list[tuple[Any, ...]]:
    if usual is None:
        return []
    return [
        (*key, PERIOD_NAMES[usual.period], slot, float(usual.rates[slot]), float(usual.low[slot]),
         float(usual.high[slot]), int(usual.n[slot]))
        for slot in np.flatnonzero(usual.n).tolist()
    ]  # fmt: skip
