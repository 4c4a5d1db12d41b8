"""The usual rate of each hour of the day and the week and of each weekday, and the hours of most and least traffic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.local_hours import DAY_HOURS, DAY_US, day_length_s
from prodintel_lib.analyses.load.model import DAYS_SCHEMA, HOURS_SCHEMA, PEAKS_SCHEMA, PROFILE_SCHEMA
from prodintel_lib.analyses.statistics import Z95
from prodintel_lib.windows import US_PER_S, to_datetime

if TYPE_CHECKING:
    import zoneinfo

    from numpy.typing import NDArray

    from prodintel_lib.analyses.load.local_hours import LocalHours

    Vector = NDArray[np.float64]

HOUR_OF_DAY: Final = "hour of day"
DAY_OF_WEEK: Final = "day of week"
HOUR_OF_WEEK: Final = "hour of week"
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WHOLE_DAY: Final = 0.9
"""A day of which so much was recorded is a whole one."""

MIN_DAYS: Final = 3
"""So many days tell how much days differ; fewer do not."""

RESAMPLES: Final = 2000
MIN_CHANCE: Final = 0.05
_SEED: Final = 8
_CONFIDENT: Final = 0.975
_MINUTE_US: Final = 60 * US_PER_S


def hours_frame(hours: LocalHours) -> pl.DataFrame:
    """Return the hours as rows of HOURS_SCHEMA."""
    rates = hours.rates
    return pl.DataFrame(
        {
            "start_us": hours.start_us,
            "local": [
                local_text(start_us, offset_us)
                for start_us, offset_us in zip(hours.start_us.tolist(), hours.offset_us.tolist(), strict=True)
            ],
            "utc_offset_min": hours.offset_us // _MINUTE_US,
            "recorded_s": hours.seconds,
            "requests": hours.requests.astype(np.int64),
            "rps": rates,
        },
        schema=HOURS_SCHEMA,
    ).with_columns(pl.col("rps").fill_nan(None))


def days_frame(hours: LocalHours, zone: zoneinfo.ZoneInfo) -> pl.DataFrame:
    """Return the local dates as rows of DAYS_SCHEMA."""
    days, at = np.unique(hours.day, return_inverse=True)
    seconds, requests = np.bincount(at, hours.seconds), np.bincount(at, hours.requests)
    lengths = np.array([day_length_s(int(day), zone) for day in days])
    return pl.DataFrame(
        {
            "date": [f"{to_datetime(int(day) * DAY_US):%Y-%m-%d}" for day in days],
            "weekday": (days + 3) % 7,
            "length_h": lengths / 3600,
            "recorded_s": seconds,
            "requests": requests.astype(np.int64),
            "rps": requests / seconds,
            "is_whole": seconds >= WHOLE_DAY * lengths,
        },
        schema=DAYS_SCHEMA,
    )


def local_text(start_us: int, offset_us: int) -> str:
    """Write a time on the local clock, with its offset, which tells two of one name apart."""
    sign, minutes = "-" if offset_us < 0 else "+", abs(offset_us) // _MINUTE_US
    return f"{to_datetime(start_us + offset_us):%Y-%m-%d %H:%M} {sign}{minutes // 60:02d}:{minutes % 60:02d}"


def find_profile(hours: LocalHours, days: pl.DataFrame) -> pl.DataFrame:
    """Return the usual rate of each slot that was seen, as rows of PROFILE_SCHEMA.

    Notes
    -----
    The interval is Student's of the mean of MIN_DAYS days or more. Of fewer it is that of the hours' own buckets, taken
    as independent: it says how sure the rate of those very hours is, and nothing of other days.
    """
    rates, errors = hours.rates, _errors_of_hours(hours)
    known = np.isfinite(rates)
    rows = _slots(HOUR_OF_DAY, hours.hour_of_day[known], rates[known], errors[known])
    whole = days.filter("is_whole")
    rows += _slots(DAY_OF_WEEK, whole["weekday"].to_numpy(), whole["rps"].to_numpy(), np.full(whole.height, math.nan))
    rows += _slots(HOUR_OF_WEEK, hours.hour_of_week[known], rates[known], errors[known])
    return pl.DataFrame(rows, schema=PROFILE_SCHEMA, orient="row")


def slot_label(cycle: str, slot: int) -> str:
    """Name a slot on the local clock.

    Examples
    --------
    >>> slot_label("hour of day", 9), slot_label("day of week", 0), slot_label("hour of week", 33)
    ('09:00', 'Monday', 'Tuesday 09:00')
    """
    if cycle == DAY_OF_WEEK:
        return WEEKDAYS[slot]
    hour = f"{slot % DAY_HOURS:02d}:00"
    return hour if cycle == HOUR_OF_DAY else f"{WEEKDAYS[slot // DAY_HOURS]} {hour}"


def find_peaks(hours: LocalHours, profile: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of the day that may be those of most and least traffic, as rows of PEAKS_SCHEMA.

    Notes
    -----
    Days are resampled with replacement (Efron 1979, doi:10.1214/aos/1176344552), so that what comes in one day stays
    together; the hours that come out on top in at least one resample of twenty are listed with how often they did. The
    hour that looks busiest owes some of its lead to chance: this says how much.
    """
    usual = profile.filter(pl.col("cycle") == HOUR_OF_DAY)
    by_day = _days_by_hours(hours)
    enough = len(by_day) >= MIN_DAYS
    rows = []
    for kind in ("peak", "low"):
        if enough:
            chances = _chances(by_day, most=kind == "peak")
        else:
            best = usual["rps"].arg_max() if kind == "peak" else usual["rps"].arg_min()
            chances = {} if best is None else {int(usual["slot"][best]): None}
        for hour, chance in chances.items():
            row = usual.row(by_predicate=pl.col("slot") == hour, named=True)
            rows.append((kind, hour, row["rps"], row["low_rps"], row["high_rps"], chance, len(by_day)))
    return pl.DataFrame(rows, schema=PEAKS_SCHEMA, orient="row")


def _slots(cycle: str, slots: NDArray[np.int64], rates: Vector, errors: Vector) -> list[tuple[Any, ...]]:
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    rows = []
    for slot in np.unique(slots).tolist():
        of_slot = slots == slot
        seen, n = rates[of_slot], int(of_slot.sum())
        mean = float(seen.mean())
        if n >= MIN_DAYS:
            reach, source = float(t.ppf(_CONFIDENT, n - 1)) * float(seen.std(ddof=1)) / math.sqrt(n), "days"
        else:
            reach, source = Z95 * math.sqrt(float((errors[of_slot] ** 2).sum())) / n, "minutes"
        low, high = (None, None) if math.isnan(reach) else (max(0.0, mean - reach), mean + reach)
        source = "" if low is None else source
        label = slot_label(cycle, slot)
        rows.append((cycle, slot, label, mean, low, high, float(seen.min()), float(seen.max()), n, source))
    return rows


def _errors_of_hours(hours: LocalHours) -> Vector:
    """Return the standard error of each hour's rate, from its buckets; NaN with fewer than two."""
    n = hours.buckets.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(0.0, hours.squares - hours.requests**2 / n) / (n - 1)
        errors = np.sqrt(variance / n) / hours.bucket_s
    return np.where(n > 1, errors, math.nan)


def _days_by_hours(hours: LocalHours) -> Vector:
    """Return the rates by local date and hour, shape (days, 24); of an hour that came twice the mean."""
    rates = hours.rates
    known = np.isfinite(rates)
    days, at = np.unique(hours.day[known], return_inverse=True)
    sums, n = (np.zeros((len(days), DAY_HOURS)) for _ in range(2))
    np.add.at(sums, (at, hours.hour_of_day[known]), rates[known])
    np.add.at(n, (at, hours.hour_of_day[known]), 1.0)
    return np.where(n > 0, sums / np.maximum(n, 1.0), math.nan)


def _chances(by_day: Vector, *, most: bool) -> dict[int, float | None]:
    known = np.isfinite(by_day)
    # An hour that few days have has a mean of its own accord, and no rank among the others.
    eligible = known.sum(axis=0) >= max(MIN_DAYS, len(by_day) // 2)
    if not eligible.any():
        return {}
    draws = np.random.default_rng(_SEED).multinomial(len(by_day), np.full(len(by_day), 1 / len(by_day)), RESAMPLES)
    sums, n = draws @ np.nan_to_num(by_day), draws @ known.astype(np.float64)
    worst = -math.inf if most else math.inf
    means = np.where((n > 0) & eligible, sums / np.maximum(n, 1.0), worst)
    best = means.max(axis=1, keepdims=True) if most else means.min(axis=1, keepdims=True)
    # Hours without a request are alike: each of them is the quietest.
    shares = (means == best).mean(axis=0)
    order = sorted(np.flatnonzero(shares >= MIN_CHANCE).tolist(), key=lambda hour: (-shares[hour], hour))
    return {hour: float(shares[hour]) for hour in order}
