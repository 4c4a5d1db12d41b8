"""The level of a route's signal when it was healthy and in an anomaly, from production's buckets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.rollups.request_bins import coarse_value_of
from prodintel_lib.scenarios.guards.model import Level
from prodintel_lib.scenarios.guards.plans import (
    FALSE_ALARM,
    MAX_REQUESTS,
    POWER,
    TooClose,
    fixed_size,
    lower_bound,
    upper_bound,
)
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.production import Production

ENOUGH_REQUESTS: Final = 1_000
MIN_HEALTHY: Final = 30
GAP_S: Final = 3_600
"""Beyond a gap this long it is another day: it counts only where what came after it is too little."""
EDGE_BUCKETS: Final = 2
EDGE_S: Final = 30
AT_ONCE: Final = 16
RATE_PER_S: Final = 50.0
LEAST_QUANTILE: Final = 0.9
LIMIT_STEP: Final = 1.25
LIMITS: Final = 60
BEARABLE: Final = 100
# A bin holds values within four hundredths of the one it stands for.
BIN_EDGE: Final = 1.04
PATIENCE_MS: Final = (2_000, 30_000)
PATIENCE_RATIO: Final = 4.0
KEEPING_UP_MS: Final = (1_000, 30_000)
KEEPING_UP_RATIO: Final = 3.0


@dataclass(frozen=True, slots=True)
class Sides:
    """The requests of a route before an anomaly and in it.

    Attributes
    ----------
    route : str
    healthy, anomalous : polars.DataFrame
        Rows of request_bins, entry requests only.
    healthy_window, window : Window
        From the first to the last bucket of either.
    healthy_s, anomalous_s : float
        Seconds recorded of either.
    """

    route: str
    healthy: pl.DataFrame
    anomalous: pl.DataFrame
    healthy_window: Window
    window: Window
    healthy_s: float
    anomalous_s: float

    @property
    def healthy_n(self) -> int:
        """Requests when it was healthy."""
        return int(self.healthy["requests"].sum())

    @property
    def anomalous_n(self) -> int:
        """Requests in the anomaly."""
        return int(self.anomalous["requests"].sum())

    @property
    def at_once(self) -> int:
        """Requests that were under way side by side, on average, when it was healthy.

        Notes
        -----
        Little (1961), doi:10.1287/opre.9.3.383: arrivals a second times seconds each.
        """
        busy_s = float(self.healthy["duration_ms_sum"].sum()) / 1000
        return max(1, min(AT_ONCE, round(busy_s / self.healthy_s)))

    @property
    def rate_per_s(self) -> float:
        """Requests a second when it was healthy."""
        return min(RATE_PER_S, self.healthy_n / self.healthy_s)

    @property
    def patience_ms(self) -> int:
        """How long to wait for an answer: well beyond what healthy ones took."""
        wanted_ms = PATIENCE_RATIO * quantile_ms(self.healthy, 0.99)
        return round(min(PATIENCE_MS[1], max(PATIENCE_MS[0], wanted_ms)))


@dataclass(frozen=True, slots=True)
class Measured:
    """Two levels and the limit they were counted with."""

    healthy: Level
    anomalous: Level
    limit_ms: int

    @property
    def needed(self) -> int | None:
        """How many requests one look would take to tell them apart; None beyond what is bearable."""
        if self.anomalous.bound <= self.healthy.bound:
            return None
        return fixed_size(
            self.healthy.bound, self.anomalous.bound, power=POWER, false_alarm=FALSE_ALARM, at_most=MAX_REQUESTS
        )


def take_sides(production: Production, route: str, window: Window, *, avoid: Sequence[Window] = ()) -> Sides | None:
    """Return the requests of an entry route before and in an anomaly; None where a side has too few.

    Parameters
    ----------
    production : Production
    route : str
        Method and template.
    window : Window
        Of the anomaly.
    avoid : sequence of Window
        Other anomalies: they are not healthy.
    """
    rows = production.requests.filter(pl.col("is_entry") & (pl.col("route") == route))
    anomalous = rows.filter(pl.col("bucket_us").is_between(window.start_us, window.end_us - 1))
    # What is found abnormal may have begun a little earlier.
    edge_us = max(EDGE_BUCKETS * production.bucket_us, EDGE_S * US_PER_S)
    before = rows.filter(pl.col("bucket_us") < window.start_us - edge_us)
    for other in avoid:
        before = before.filter(~pl.col("bucket_us").is_between(other.start_us, other.end_us - 1))
    first_us = _first_healthy(before, production.bucket_us)
    healthy = before.filter(pl.col("bucket_us") >= first_us)
    if healthy["requests"].sum() < MIN_HEALTHY or anomalous.is_empty():
        return None
    last_us = int(str(healthy["bucket_us"].max()))
    healthy_window = Window(first_us, last_us + production.bucket_us)
    return Sides(
        route,
        healthy,
        anomalous,
        healthy_window,
        window,
        _recorded_s(production, healthy_window, avoid),
        _recorded_s(production, window, ()),
    )


def _first_healthy(before: pl.DataFrame, bucket_us: int) -> int:
    """Go back from the anomaly until there is enough, and over a long gap only where there is hardly anything."""
    counts = before.group_by("bucket_us").agg(pl.col("requests").sum()).sort("bucket_us", descending=True)
    total, last_us = 0, None
    for start_us, requests in counts.iter_rows():
        gap = last_us is not None and last_us - start_us > GAP_S * US_PER_S + bucket_us
        if total >= ENOUGH_REQUESTS or (gap and total >= MIN_HEALTHY):
            break
        total, last_us = total + requests, start_us
    return last_us if last_us is not None else 0


def _recorded_s(production: Production, window: Window, avoid: Sequence[Window]) -> float:
    starts = production.recorded(window)
    for other in avoid:
        starts = starts[(starts < other.start_us) | (starts >= other.end_us)]
    return max(1, len(starts)) * float(production.bucket_s)


def measure_errors(sides: Sides) -> Measured:
    """Count requests that failed."""
    counts = [(int(rows["failed"].sum()), int(rows["requests"].sum())) for rows in (sides.healthy, sides.anomalous)]
    return _measured(counts[0], counts[1], sides.patience_ms)


def measure_slowness(sides: Sides) -> Measured:
    """Count requests slower than a limit, and choose the limit.

    A test machine may be slower, and a fault less severe: the limit aimed at lies as far, in parts of the duration,
    from what healthy requests took at their 99th percentile as from what those beyond it took in the anomaly. Where it
    takes more than BEARABLE requests to tell the sides apart by it, the nearest that takes fewer is used.
    """
    aim_ms = _between(sides)
    least_ms = max(1.0, quantile_ms(sides.healthy, LEAST_QUANTILE) * BIN_EDGE)
    limits = {math.ceil(least_ms * LIMIT_STEP**step) for step in range(LIMITS)} | {math.ceil(aim_ms)}
    tried = [
        _measured(_slower(sides.healthy, limit_ms), _slower(sides.anomalous, limit_ms), limit_ms)
        for limit_ms in sorted(limits, key=lambda limit_ms: (abs(math.log(limit_ms / aim_ms)), limit_ms))
    ]
    known = [(needed, place) for place, each in enumerate(tried) if (needed := each.needed) is not None]
    near = next((place for needed, place in known if needed <= BEARABLE), None)
    return tried[near if near is not None else min(known, default=(0, 0))[1]]


def _between(sides: Sides) -> float:
    """Return the geometric mean of the healthy 99th percentile and the median of what lay beyond it in the anomaly."""
    low_ms = max(1.0, quantile_ms(sides.healthy, 0.99) * BIN_EDGE)
    beyond = sides.anomalous.filter(coarse_value_of(sides.anomalous["bin"].to_numpy()) > low_ms)
    return math.sqrt(low_ms * max(low_ms, quantile_ms(beyond, 0.5))) if beyond.height else low_ms


def measure_drop(sides: Sides) -> Measured:
    """Count requests that were not answered in time.

    Where those that came were answered as ever, fewer were asked for: no client can hold a system to that.
    """
    wanted_ms = KEEPING_UP_RATIO * quantile_ms(sides.healthy, 0.99)
    limit_ms = round(min(KEEPING_UP_MS[1], max(KEEPING_UP_MS[0], wanted_ms)))
    counts = []
    for rows in (sides.healthy, sides.anomalous):
        slow, n = _slower(rows, limit_ms)
        # Most that fail late are both: the larger of the two is sure.
        counts.append((max(slow, int(rows["failed"].sum())), n))
    return _measured(counts[0], counts[1], limit_ms)


def measure_journey(sides: Sequence[Sides]) -> Measured:
    """Count journeys with a failing step, from the shares of the steps; the last step is the one that converts."""
    healthy = _lost_on_the_way([each.healthy for each in sides])
    anomalous = _lost_on_the_way([each.anomalous for each in sides])
    return _measured(healthy, anomalous, max(each.patience_ms for each in sides))


def _lost_on_the_way(steps: Sequence[pl.DataFrame]) -> tuple[int, int]:
    through = 1.0
    for rows in steps:
        through *= 1 - int(rows["failed"].sum()) / max(1, int(rows["requests"].sum()))
    n = int(steps[-1]["requests"].sum())
    return round((1 - through) * n), n


def quantile_ms(rows: pl.DataFrame, q: float) -> float:
    """Read a quantile of the durations from bins; ``nan`` without requests."""
    counts = rows.group_by("bin").agg(pl.col("requests").sum()).sort("bin")
    reached = counts["requests"].cum_sum()
    if not counts.height:
        return math.nan
    at = int((reached >= q * int(reached[-1])).arg_max() or 0)
    return float(coarse_value_of(counts["bin"].to_numpy())[at])


def _slower(rows: pl.DataFrame, limit_ms: float) -> tuple[int, int]:
    slow = coarse_value_of(rows["bin"].to_numpy()) > limit_ms
    return int(rows["requests"].to_numpy()[slow].sum()), int(rows["requests"].sum())


def _measured(healthy: tuple[int, int], anomalous: tuple[int, int], limit_ms: int) -> Measured:
    return Measured(
        Level(bad=healthy[0], n=healthy[1], bound=upper_bound(*healthy)),
        Level(bad=anomalous[0], n=anomalous[1], bound=lower_bound(*anomalous)),
        limit_ms,
    )


def why_too_close(measured: Measured, close: TooClose) -> str:
    """Say why no guard tells two levels apart."""
    levels = (
        f"{measured.healthy.bad:,} of {measured.healthy.n:,} were bad before it and {measured.anomalous.bad:,} of "
        f"{measured.anomalous.n:,} in it"
    )
    if close.needed is None:
        return f"{levels}: by their 95 % bounds the two are not apart, so no number of requests would tell them apart."
    return f"{levels}: telling them apart takes {close.needed:,} requests; {MAX_REQUESTS:,} are bearable."
