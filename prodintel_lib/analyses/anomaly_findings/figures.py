"""How much it was, and how much it had been: the figures of a finding's main series, with what they are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.statistics import Z95, Proportion
from prodintel_lib.rollups.request_bins import NO_BIN, coarse_value_of
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomaly_findings.episodes import Episode
    from prodintel_lib.analyses.anomaly_findings.linking import Topology
    from prodintel_lib.analyses.anomaly_findings.model import AnomalyFinding, FindingUnit
    from prodintel_lib.analyses.production import Production, SignalSet
    from prodintel_lib.windows import Window

BEFORE_BUCKETS: Final = 60
MIN_BEFORE_BUCKETS: Final = 6
HIGH_QUANTILE: Final = 0.95
USUAL_QUANTILE: Final = 0.99
MIN_REQUESTS: Final = 20
MIN_BEYOND: Final = 5
"""Requests that must lie beyond a percentile for it to be said."""
_WORDS: Final = {
    "error_ratio": "requests that failed",
    "conversion": "sessions that converted",
    "journey_mix": "sessions that took this journey",
    "frontend_errors": "page views with an error",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Current and usual value of the main series; as in AnomalyFinding."""

    current: float
    baseline: float
    low: float
    high: float
    n: int
    baseline_n: int
    unit: FindingUnit
    measure: str

    @property
    def magnitude(self) -> float:
        """The difference of two shares, or the ratio of anything else."""
        if math.isnan(self.current) or math.isnan(self.baseline):
            return math.nan
        if self.unit == "share":
            return self.current - self.baseline
        if self.baseline == 0:
            return math.inf if self.current > 0 else math.nan
        return self.current / self.baseline

    @property
    def ratio(self) -> float:
        """How many times as much or as little it is, at least 1; half an event stands where a share has none."""
        one, other = self.current, self.baseline
        if math.isnan(one) or math.isnan(other):
            return math.nan
        if self.unit == "share":
            one, other = max(one, 0.5 / max(self.n, 1)), max(other, 0.5 / max(self.baseline_n, 1))
        small, large = sorted((abs(one), abs(other)))
        return math.inf if small == 0 else large / small


def figures_of(finding: AnomalyFinding) -> Figures:
    """Return the figures a finding holds."""
    return Figures(
        finding.current, finding.baseline, finding.low, finding.high, finding.n, finding.baseline_n, finding.unit,
        finding.measure,
    )  # fmt: skip


def choose_reference(production: Production, start_us: int) -> tuple[int, int] | None:
    """Return the times of the first and last bucket that stand for the time before, or None where there is none.

    The last hour's worth of buckets (BEFORE_BUCKETS) of the same unbroken recording, less one bucket in which it may
    have begun; where that is less than MIN_BEFORE_BUCKETS, earlier recordings count as well.
    """
    times = production.recorded_us
    before = times[: int(np.searchsorted(times, start_us - production.bucket_us))]
    if not len(before):
        return None
    breaks = np.flatnonzero(np.diff(before) > production.bucket_us)
    first = int(breaks[-1]) + 1 if len(breaks) else 0
    if len(before) - first < MIN_BEFORE_BUCKETS:
        first = 0
    return int(before[max(first, len(before) - BEFORE_BUCKETS)]), int(before[-1])


def measure_figures(production: Production, signals: SignalSet, main: Episode) -> Figures:
    """Measure the main series within its episode and in the time before.

    Parameters
    ----------
    production : Production
    signals : SignalSet
        Of the main series' signal.
    main : Episode

    Returns
    -------
    Figures
        Shares with Wilson's interval; of durations the 95th percentile, or the median of few requests, with the
        interval of order statistics; rates with the exact interval of a Poisson count (Garwood, 1936,
        doi:10.1093/biomet/28.3-4.437); of a gauge the median over buckets. What traffic is held against is the
        detector's expectation, anything else the time before (choose_reference).
    """
    until_us = main.end_us
    reference = choose_reference(production, main.start_us)
    if main.signal == "latency":
        return _durations(production, main, (main.start_us, until_us), reference)
    matrix = signals.matrix.rows(slice(main.row, main.row + 1))
    now = (matrix.time_us >= main.start_us) & (matrix.time_us < until_us)
    if reference is None:
        before = np.zeros(len(now), dtype=np.bool_)
    else:
        before = (matrix.time_us >= reference[0]) & (matrix.time_us <= reference[1])
    exposure = None if matrix.exposure is None else matrix.exposure[0]
    if matrix.kind == "ratio" and exposure is not None:
        return _shares(main, matrix.values[0], exposure, now, before)
    if matrix.kind == "count":
        return _rates(main, matrix.values[0], now, before)
    return _values(main, matrix.levels[0], now, before)


def _shares(
    main: Episode,
    hits: NDArray[np.float64],
    trials: NDArray[np.float64],
    now: NDArray[np.bool_],
    before: NDArray[np.bool_],
) -> Figures:
    counts = [round(float(np.nansum(part[side]))) for side in (now, before) for part in (hits, trials)]
    current, usual = Proportion.of(counts[0], counts[1]), Proportion.of(counts[2], counts[3])
    measure = _WORDS.get(main.signal, "share")
    return Figures(current.share, usual.share, current.low, current.high, current.n, usual.n, "share", measure)


def _rates(main: Episode, events: NDArray[np.float64], now: NDArray[np.bool_], before: NDArray[np.bool_]) -> Figures:
    from scipy.special import gammaincinv  # noqa: PLC0415 - scipy costs half a second to import

    bucket_s = main.width_us / US_PER_S
    sides = [events[side & ~np.isnan(events)] for side in (now, before)]
    n, baseline_n = (round(float(side.sum())) for side in sides)
    seconds = max(len(sides[0]), 1) * bucket_s
    # Traffic has its hours: the detector's expectation knows them, the time just before does not.
    usual = main.expected / bucket_s if main.signal == "throughput" else _mean(sides[1]) / bucket_s
    low = float(gammaincinv(n, 0.025)) / seconds if n else 0.0
    high = float(gammaincinv(n + 1, 0.975)) / seconds
    measure = "requests a second" if main.signal == "throughput" else "errors logged a second"
    return Figures(n / seconds, usual, low, high, n, baseline_n, "per_s", measure)


def _values(main: Episode, levels: NDArray[np.float64], now: NDArray[np.bool_], before: NDArray[np.bool_]) -> Figures:
    sides = [np.sort(levels[side & ~np.isnan(levels)]) for side in (now, before)]
    current, usual = (float(np.median(side)) if len(side) else math.nan for side in sides)
    low, high = _quantile_interval(len(sides[0]), 0.5)
    known = len(sides[0]) >= MIN_BEFORE_BUCKETS
    unit = f", {main.about['metric_unit']}" if main.about["metric_unit"] not in {"", "1"} else ""
    return Figures(
        current,
        usual,
        float(sides[0][low]) if known else math.nan,
        float(sides[0][high]) if known else math.nan,
        len(sides[0]),
        len(sides[1]),
        "value",
        f"median of {main.about['metric_name'] or main.about['key']}{unit}",
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _quantile_interval(n: int, quantile: float) -> tuple[int, int]:
    """Return the places, among n ordered values, of a quantile's 95 % interval (binomial, by the normal)."""
    centre, half = quantile * n, Z95 * math.sqrt(n * quantile * (1 - quantile))
    return max(0, math.floor(centre - half)), min(n - 1, math.ceil(centre + half))


def _durations(
    production: Production, main: Episode, now: tuple[int, int], reference: tuple[int, int] | None
) -> Figures:
    own = production.requests.filter(*_of_series(main))
    during = _ordered(own, now[0], now[1] - 1)
    before = _ordered(own, *reference) if reference else during.clear()
    n, baseline_n = int(during["requests"].sum()), int(before["requests"].sum())
    few = min(n, baseline_n or n) * (1 - HIGH_QUANTILE) < MIN_BEYOND
    quantile = 0.5 if few else HIGH_QUANTILE
    low, high = _quantile_interval(n, quantile) if n else (0, 0)
    return Figures(
        _at(during, math.ceil(quantile * n) - 1),
        _at(before, math.ceil(quantile * baseline_n) - 1),
        _at(during, low),
        _at(during, high),
        n,
        baseline_n,
        "ms",
        f"p{100 * quantile:.0f} of the duration",
    )


def usual_limits_ms(production: Production, reference: tuple[int, int]) -> dict[str, float]:
    """Return what one request in a hundred was slower than before, by route from outside with 20 requests then."""
    entered = production.requests.filter(pl.col("is_entry"))
    limits = {}
    for key, own in entered.group_by("route", maintain_order=True):
        before = _ordered(own, *reference)
        n = int(before["requests"].sum())
        if n >= MIN_REQUESTS:
            limits[str(key[0])] = _at(before, math.ceil(USUAL_QUANTILE * n) - 1)
    return dict(sorted(limits.items()))


def _of_series(main: Episode) -> list[pl.Expr]:
    """Return what tells the requests of a series from others."""
    about = main.about
    chosen = [pl.col(name) == about[name] for name in ("service_name", "route", "region", "release") if about[name]]
    if about["grain"] == "region":
        chosen.append(pl.col("is_entry"))
    return chosen


def _ordered(requests: pl.DataFrame, first_us: int, last_us: int) -> pl.DataFrame:
    chosen = requests.filter(pl.col("bucket_us").is_between(first_us, last_us) & (pl.col("bin") != NO_BIN))
    return chosen.group_by("bin").agg(pl.col("requests").sum()).sort("bin")


def _at(ordered: pl.DataFrame, place: int) -> float:
    """Return the value at a place among all requests, the quickest first."""
    sums = ordered["requests"].cum_sum().to_numpy()
    if not len(sums) or place < 0:
        return math.nan
    found = int(np.searchsorted(sums, place, side="right"))
    return float(coarse_value_of(ordered["bin"].to_numpy()[[min(found, len(sums) - 1)]])[0])


def count_affected(
    production: Production,
    members: Sequence[Episode],
    signals: Mapping[str, SignalSet],
    topology: Topology,
    span: Window,
) -> Proportion | None:
    """Count the entry requests of a stretch that went bad, of all that entered.

    Failed ones where errors rose, those slow beyond the usual share where durations did; where both did, the larger
    number, since buckets do not tell how many were both. None where requests from outside have no abnormal series.
    """
    felt = [one for one in members if one.signal in {"error_ratio", "latency"} and topology.is_entry(one)]
    if not felt:
        return None
    within = pl.col("bucket_us").is_between(span.start_us, span.end_us, closed="left")
    entered = production.requests.filter(pl.col("is_entry") & within)
    n = int(entered["requests"].sum())
    failed = int(entered["failed"].sum()) if any(one.signal == "error_ratio" for one in felt) else 0
    slow = sum(_too_many(signals[one.signal], one, span) for one in _finest_latency(felt))
    return Proportion.of(min(n, max(failed, round(slow))), n)


def _finest_latency(felt: Sequence[Episode]) -> list[Episode]:
    """Choose series of durations that have no request in common: of routes, else the one with the most."""
    slow = {one.key: one for one in felt if one.signal == "latency"}
    routes = [one for one in slow.values() if one.about["grain"] == "route"]
    return routes or sorted(slow.values(), key=lambda one: -int(one.about["requests"]))[:1]


def _too_many(signals: SignalSet, episode: Episode, span: Window) -> float:
    """Return how many requests were slower than a share of them always is."""
    matrix = signals.matrix
    inside = (matrix.time_us >= span.start_us) & (matrix.time_us < span.end_us)
    hits = float(np.nansum(matrix.values[episode.row, inside]))
    if matrix.exposure is None or math.isnan(episode.expected):
        return hits
    return max(0.0, hits - episode.expected * float(np.nansum(matrix.exposure[episode.row, inside])))
