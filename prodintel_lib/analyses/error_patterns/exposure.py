"""What each pattern is measured against, and how its rate changed by that measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.error_patterns.trend import Course, compare_rates, name_trend
from prodintel_lib.analyses.statistics import adjust_for_many
from prodintel_lib.engines import collect
from prodintel_lib.rollups.error_events import BROWSER, REQUEST
from prodintel_lib.rollups.error_traffic import (
    LOG_ROWS,
    REQUESTS,
    TRAFFIC_KEYS,
    TRAFFIC_PARTS_KEYS,
    TRAFFIC_PARTS_SCHEMA,
    TRAFFIC_SCHEMA,
    VIEWS,
    build_traffic,
    build_traffic_parts,
)
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.telemetry import LakeView

TIME: Final = "seconds"
"""The measure where nothing is known of a service but its errors."""

BUCKETS_S: Final = (10, 30, 60, 120, 300, 600)
MANY_BUCKETS: Final = 240
CHANGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_no": pl.Int64(),
    "exposure_unit": pl.String(),
    "exposure": pl.Int64(),
    "baseline_exposure": pl.Int64(),
    "rate_ratio": pl.Float64(),
    "ratio_low": pl.Float64(),
    "ratio_high": pl.Float64(),
    "dispersion": pl.Float64(),
    "trend": pl.String(),
    "trend_reason": pl.String(),
    "trend_q": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What could have gone wrong.

    Attributes
    ----------
    window, baseline : Window
    bucket_s : int
    counts : polars.DataFrame
        TRAFFIC_SCHEMA and ``in_window``.
    parts : polars.DataFrame
        TRAFFIC_PARTS_SCHEMA, of the window.
    """

    window: Window
    baseline: Window
    bucket_s: int
    counts: pl.DataFrame
    parts: pl.DataFrame

    def unit_of(self, origin: str, service_name: str, *, errors: int) -> str:
        """Return what so many errors of a service are measured against.

        Fewer requests than errors were recorded where traces are a sample and logs are not: then its quiet log records
        have to do, and where these are few as well, time.
        """
        if origin in {BROWSER, REQUEST}:
            return VIEWS
        own = self.counts.filter(pl.col("service_name") == service_name)
        totals = dict(own.group_by("unit").agg(pl.col("rows").sum()).iter_rows())
        return next((unit for unit in (REQUESTS, LOG_ROWS) if totals.get(unit, 0) >= errors), TIME)

    def exposure(self, unit: str, service_name: str, *, in_window: bool) -> NDArray[np.float64]:
        """Return the traffic of every bucket of the window, or of the baseline."""
        part = self.window if in_window else self.baseline
        first, last = self._index(part.start_us), self._index(part.end_us - 1)
        if unit == TIME:
            edges = np.arange(first, last + 2) * self.bucket_s * US_PER_S
            clipped = np.clip(edges, part.start_us, part.end_us).astype(np.float64)
            return np.asarray(np.diff(clipped) / US_PER_S, dtype=np.float64)
        chosen = self.counts.filter(
            (pl.col("unit") == unit) & (pl.col("service_name") == service_name) & (pl.col("in_window") == in_window)
        )
        return self._spread(chosen, first, last)

    def errors(self, buckets: pl.DataFrame, *, in_window: bool) -> NDArray[np.float64]:
        """Return a pattern's errors of every bucket of the window, or of the baseline."""
        part = self.window if in_window else self.baseline
        chosen = buckets.filter(pl.col("in_window") == in_window)
        return self._spread(chosen, self._index(part.start_us), self._index(part.end_us - 1))

    def _index(self, time_us: int) -> int:
        return time_us // (self.bucket_s * US_PER_S)

    def _spread(self, counts: pl.DataFrame, first: int, last: int) -> NDArray[np.float64]:
        spread = np.zeros(last - first + 1)
        places = (counts["bucket_us"] // (self.bucket_s * US_PER_S)).to_numpy() - first
        np.add.at(spread, places, counts["rows"].to_numpy())
        return spread


def choose_bucket_s(window: Window, baseline: Window) -> int:
    """Choose the width of a bucket: the finest that makes no more than MANY_BUCKETS of them, ten minutes at most."""
    duration_s = window.duration_s + baseline.duration_s
    return next((width for width in BUCKETS_S if duration_s <= MANY_BUCKETS * width), BUCKETS_S[-1])


def measure_traffic(view: LakeView, *, window: Window, baseline: Window, bucket_s: int) -> Traffic:
    """Count the traffic of the window and of the baseline."""
    counts = []
    for part, in_window in ((window, True), (baseline, False)):
        lazy = build_traffic(
            view.scan("spans", part), view.scan("rum_events", part), view.scan("logs", part), bucket_s=bucket_s
        )
        found = collect(lazy, schema=TRAFFIC_SCHEMA, sort_by=TRAFFIC_KEYS)
        counts.append(found.with_columns(in_window=in_window))
    parts = collect(
        build_traffic_parts(view.scan("spans", window), view.scan("rum_events", window)),
        schema=TRAFFIC_PARTS_SCHEMA,
        sort_by=TRAFFIC_PARTS_KEYS,
    )
    return Traffic(window, baseline, bucket_s, pl.concat(counts), parts)


def measure_changes(patterns: pl.DataFrame, buckets: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Compare the rate of each pattern with its rate before, by the traffic of its service.

    Parameters
    ----------
    patterns : polars.DataFrame
        ``pattern_no, origin, service_name``.
    buckets : polars.DataFrame
        ``pattern_no, in_window, bucket_us, rows``.
    traffic : Traffic

    Returns
    -------
    polars.DataFrame
        Columns of CHANGES_SCHEMA, in the order of `patterns`. The p values of all patterns are corrected for one
        another (statistics.adjust_for_many).
    """
    by_pattern = {int(str(key[0])): part for key, part in buckets.partition_by("pattern_no", as_dict=True).items()}
    measured = []
    for number, origin, service in patterns.select("pattern_no", "origin", "service_name").iter_rows():
        own = by_pattern.get(number, buckets.clear())
        unit = traffic.unit_of(origin, service, errors=int(own["rows"].sum()))
        now, before = (
            Course(traffic.errors(own, in_window=flag), traffic.exposure(unit, service, in_window=flag))
            for flag in (True, False)
        )
        measured.append((number, unit, now, before, compare_rates(now, before)))
    q_values = adjust_for_many([change.p_value for *_, change in measured])
    rows = []
    for (number, unit, now, before, change), q_value in zip(measured, q_values, strict=True):
        trend, reason = name_trend(change, now=now.total, before=before.total, q_value=q_value)
        said = f"{reason}; {now.traffic:,.0f} and {before.traffic:,.0f} {unit}"
        rows.append((number, unit, round(now.traffic), round(before.traffic), change.ratio, change.low, change.high,
                     change.dispersion, trend, said, q_value))  # fmt: skip
    return pl.DataFrame(rows, schema=CHANGES_SCHEMA, orient="row")
