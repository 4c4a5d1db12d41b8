"""The rhythm of traffic: what is usual by hour of the day or week, and trend and season apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.golden_signals.subjects import HOUR_US, MONDAY_US
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

HOUR_S: Final = HOUR_US // US_PER_S
DAY: Final = 24
WEEK: Final = 168
MIN_RECORDED: Final = 0.5
MAX_GAP_HOURS: Final = 12
MIN_CYCLES: Final = 2
MIN_KNOWN: Final = 0.8
CLEAR: Final = 0.3
POINTS_OF_CYCLE: Final = 7
WEEKEND_DIFFERS: Final = 1.2
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PERIOD_NAMES: Final = {DAY: "day", WEEK: "week"}


@dataclass(frozen=True, slots=True)
class Hours:
    """Requests by whole hours, the last unbroken stretch.

    Attributes
    ----------
    start_us : int
        Of the first hour.
    rates : array, shape (hours,)
        Requests a second; NaN where less than half of the hour was recorded.
    """

    start_us: int
    rates: Vector

    @property
    def known(self) -> int:
        """Hours that were recorded."""
        return int(np.isfinite(self.rates).sum())

    @property
    def period(self) -> int:
        """The longest cycle that was seen twice, hours; 0 where even a day was not."""
        if not len(self.rates) or self.known < MIN_KNOWN * len(self.rates):
            return 0
        return next((period for period in (WEEK, DAY) if len(self.rates) >= MIN_CYCLES * period), 0)

    @property
    def times_us(self) -> NDArray[np.int64]:
        """Starts of the hours."""
        return self.start_us + np.arange(len(self.rates), dtype=np.int64) * HOUR_US

    def slots(self, period: int) -> NDArray[np.int64]:
        """Return each hour's number in the cycle: of the day, or of the week from Monday on."""
        return (self.times_us - MONDAY_US) // HOUR_US % period

    def before(self, time_us: int) -> Hours:
        """Return the hours that end at or before a time."""
        return Hours(self.start_us, self.rates[: max(0, (time_us - self.start_us) // HOUR_US)])


@dataclass(frozen=True, slots=True)
class Profile:
    """What is usual in each hour of a cycle; arrays of shape (period,), NaN for an hour that was not seen."""

    period: int
    rates: Vector
    low: Vector
    high: Vector
    n: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parts:
    """Rates as trend, season and remainder; arrays of shape (hours,), NaN where nothing was observed."""

    trend: Vector
    seasonal: Vector
    remainder: Vector
    strength: float


def by_hours(buckets_us: NDArray[np.int64], requests: Vector, recorded_us: NDArray[np.int64], bucket_s: int) -> Hours:
    """Add buckets up to hours, brought to a whole hour where a part of it was recorded.

    Parameters
    ----------
    buckets_us, requests : arrays, shape (buckets,)
        Of one subject; those without a request may be missing.
    recorded_us : array, shape (recorded,)
        Starts of all recorded buckets.
    bucket_s : int
    """
    if not len(recorded_us):
        return Hours(0, np.empty(0))
    first = int(recorded_us[0]) // HOUR_US
    size = int(recorded_us[-1]) // HOUR_US - first + 1
    seconds = np.bincount(recorded_us // HOUR_US - first, minlength=size) * float(bucket_s)
    counts = np.bincount(buckets_us // HOUR_US - first, requests, minlength=size)
    known = seconds >= MIN_RECORDED * HOUR_S
    rates = np.where(known, counts / np.maximum(seconds, 1.0), math.nan)
    start = _last_stretch(known)
    return Hours((first + start) * HOUR_US, rates[start : int(np.flatnonzero(known)[-1]) + 1 if known.any() else start])


def _last_stretch(known: NDArray[np.bool_]) -> int:
    """Return where the hours begin after the last long gap."""
    at = np.flatnonzero(known)
    if not len(at):
        return 0
    gaps = np.flatnonzero(np.diff(at) > MAX_GAP_HOURS)
    return int(at[gaps[-1] + 1]) if len(gaps) else int(at[0])


def profile_of(hours: Hours) -> Profile | None:
    """Return the usual rate by hour of the week, or of the day; None where no cycle was seen twice."""
    period = hours.period
    if not period:
        return None
    slots = hours.slots(period)
    rates, low, high = (np.full(period, math.nan) for _ in range(3))
    n = np.zeros(period, dtype=np.int64)
    for slot in range(period):
        seen = hours.rates[(slots == slot) & np.isfinite(hours.rates)]
        n[slot] = len(seen)
        if len(seen):
            low[slot], rates[slot], high[slot] = np.quantile(seen, (0.05, 0.5, 0.95))
    return Profile(period, rates, low, high, n)


def decompose(hours: Hours) -> Parts | None:
    """Take trend and season apart; None where no cycle was seen twice.

    Notes
    -----
    STL, robust (Cleveland et al. 1990, Journal of Official Statistics 6, 3-73), by statsmodels; hours that were not
    recorded are filled by the usual rate of their hour. The season's strength is that of Wang, Smith and Hyndman
    (2006), doi:10.1007/s10618-005-0039-x, section 3.1: the part of the detrended variance that it explains.
    """
    usual = profile_of(hours)
    if usual is None:
        return None
    from statsmodels.tsa.seasonal import STL  # noqa: PLC0415 - costs seconds to import

    known = np.isfinite(hours.rates)
    filled = np.where(known, hours.rates, usual.rates[hours.slots(usual.period)])
    filled = np.where(np.isfinite(filled), filled, np.nanmedian(hours.rates))
    # Trend and low-pass curves are smooth: fitted at some points and drawn between them, they cost a tenth.
    jump = max(1, usual.period // POINTS_OF_CYCLE)
    fitted = STL(filled, period=usual.period, robust=True, trend_jump=jump, low_pass_jump=jump).fit()
    trend, seasonal = np.asarray(fitted.trend), np.asarray(fitted.seasonal)
    remainder = filled - trend - seasonal
    whole = float(np.var((seasonal + remainder)[known]))
    strength = max(0.0, 1 - float(np.var(remainder[known])) / whole) if whole else 0.0
    shown = [np.where(known, part, math.nan) for part in (trend, seasonal, remainder)]
    return Parts(shown[0], shown[1], shown[2], strength)


def describe_rhythm(hours: Hours, parts: Parts | None) -> str:
    """Say the rhythm in words."""
    period = hours.period
    if not period or parts is None:
        return f"too little for a rhythm: {hours.known} h recorded without a long gap, {MIN_CYCLES * DAY} are needed"
    if parts.strength < CLEAR:
        return f"no clear rhythm by hour of the {PERIOD_NAMES[period]}"
    usual = [_mean_of(hours.rates[hours.slots(DAY) == hour]) for hour in range(DAY)]
    high, low = int(np.nanargmax(usual)), int(np.nanargmin(usual))
    said = (
        f"most from {high:02d}:00 to {(high + 1) % DAY:02d}:00 UTC ({usual[high]:.3g} a second), "
        f"least from {low:02d}:00 to {(low + 1) % DAY:02d}:00 ({usual[low]:.3g})"
    )
    return said + (_of_week(hours) if period == WEEK else "")


def _of_week(hours: Hours) -> str:
    days = hours.slots(WEEK) // DAY
    by_day = [_mean_of(hours.rates[days == day]) for day in range(7)]
    week, weekend = _mean_of(np.array(by_day[:5])), _mean_of(np.array(by_day[5:]))
    if not week or not weekend or math.isnan(week + weekend):
        return ""
    if max(week, weekend) / min(week, weekend) < WEEKEND_DIFFERS:
        return "; weekends as working days"
    times = week / weekend
    busiest = _DAYS[int(np.nanargmax(by_day))]
    return f"; a working day {times:.2g} times a day at the weekend, most on {busiest}"


def _mean_of(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
