"""The load of a window of production: when requests come, how evenly, of what, and what is to be expected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.foresight import foresee
from prodintel_lib.analyses.golden_signals.rhythm import by_hours
from prodintel_lib.analyses.load.burstiness import find_burstiness
from prodintel_lib.analyses.load.course import find_course, find_mix_course
from prodintel_lib.analyses.load.events import measure_events, parse_event
from prodintel_lib.analyses.load.local_hours import (
    QUARTER_S,
    LocalHours,
    add_up_hours,
    local_to_us,
    utc_offsets_us,
    zone_named,
)
from prodintel_lib.analyses.load.mix import find_mix, top_endpoints
from prodintel_lib.analyses.load.model import BUSIEST_SCHEMA, FORECAST_SCHEMA, LoadProfiles
from prodintel_lib.analyses.load.profile import (
    DAY_OF_WEEK,
    MIN_DAYS,
    days_frame,
    find_peaks,
    find_profile,
    hours_frame,
    local_text,
)
from prodintel_lib.analyses.load.quiet import find_quiet
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError
from prodintel_lib.rollups.arrivals import ALL_ENDPOINTS, ARRIVALS_SCHEMA
from prodintel_lib.windows import US_PER_S, parse_time

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.windows import Window

    Vector = NDArray[np.float64]
    Times = NDArray[np.int64]

QUIET_BUCKETS: Final = 12
"""At least so many buckets without a request, between others that have some, are a quiet time and no gap."""

QUIET_TIMES_USUAL: Final = 20
"""Where few requests come: so many times the median of the NEIGHBOURS waits around it a quiet time may be."""

NEIGHBOURS: Final = 10

BURSTY_SHOWN: Final = 8


def measure_profiles(
    arrivals: pl.DataFrame,
    *,
    window: Window,
    time_zone: str,
    events: Sequence[str] = (),
    bucket_s: int = 60,
    recorded_us: Times | None = None,
) -> LoadProfiles:
    """Measure when requests come, how evenly, and of what.

    Parameters
    ----------
    arrivals : polars.DataFrame
        Columns of arrivals.ARRIVALS_SCHEMA.
    window : Window
        Only buckets that lie wholly in it count.
    time_zone : str
        IANA name of the business's clock: hours, days and weeks are its own.
    events : sequence of str
        ``2025-11-28/2025-12-02 black-friday``: start, end (not part of it) and name, on that clock; in whole hours.
    bucket_s : int
        Width of a bucket, seconds; it divides a quarter of an hour.
    recorded_us : array of int, optional
        Starts of the buckets that were recorded, with requests or without: metrics that tick tell of quiet nights
        (production.Production.recorded_us). Where it is not given, a time without requests is taken for a gap in the
        record if it is longer than QUIET_BUCKETS buckets and than QUIET_TIMES_USUAL times the waits around it; a
        business that closes at night then has no rate at night, not one of 0.

    Raises
    ------
    MissingColumnsError
        If `arrivals` lacks columns.
    NoDataError
        If there is no request in the window.
    ParameterError
        If the time zone, an event or the width of a bucket cannot be used.
    """
    zone = zone_named(time_zone)
    named = [parse_event(text, zone) for text in events]
    inside = _inside(arrivals, window, bucket_s)
    every = inside.filter(pl.col("endpoint") == ALL_ENDPOINTS).sort("bucket_us")
    recorded = _recorded(every, window, bucket_s, recorded_us)
    counts = _laid_out(recorded, every)
    hours = add_up_hours(recorded, counts, bucket_s=bucket_s, zone=zone)
    days = days_frame(hours, zone)
    profile = find_profile(hours, days)
    quiet_cycle, quiet = find_quiet(hours)
    mix, shares = find_mix(inside, zone=zone)
    seen = foresee(recorded, counts, bucket_s, by_hours(recorded, counts, recorded, bucket_s))
    given = int(arrivals.filter(pl.col("endpoint") == ALL_ENDPOINTS)["requests"].sum())
    return LoadProfiles(
        window=window,
        time_zone=time_zone,
        bucket_s=bucket_s,
        requests=int(counts.sum()),
        left_out=given - int(counts.sum()),
        recorded_s=float(len(recorded) * bucket_s),
        hours=hours_frame(hours),
        days=days,
        profile=profile,
        peaks=find_peaks(hours, profile),
        busiest=_busiest(every, hours, days, bucket_s=bucket_s, zone=zone),
        burstiness=find_burstiness(
            inside,
            _whole_buckets(recorded, bucket_s),
            bucket_s=bucket_s,
            endpoints=[ALL_ENDPOINTS, *top_endpoints(inside, BURSTY_SHOWN)],
        ),
        events=measure_events(hours, named),
        quiet=quiet,
        quiet_cycle=quiet_cycle,
        mix=mix,
        shares=shares,
        course=find_course(recorded, counts, bucket_s=bucket_s, zone=zone),
        mix_course=find_mix_course(inside, recorded, bucket_s=bucket_s),
        forecast=pl.DataFrame(seen.rows, schema=FORECAST_SCHEMA, orient="row"),
        forecast_says=str(seen.facts["forecast_says"]),
        says=_too_little(hours, days, profile, quiet_cycle),
    )


def _inside(arrivals: pl.DataFrame, window: Window, bucket_s: int) -> pl.DataFrame:
    missing = [name for name in ARRIVALS_SCHEMA if name not in arrivals.columns]
    if missing:
        raise MissingColumnsError.in_table("arrivals", missing=missing, available=arrivals.columns)
    if bucket_s < 1 or QUARTER_S % bucket_s:
        raise ParameterError(
            f"The width of a bucket must divide a quarter of an hour; it is {bucket_s} s.", hint="60 s are usual."
        )
    if (arrivals["bucket_us"] % (bucket_s * US_PER_S) != 0).any():
        raise ParameterError(
            f"Some buckets of `arrivals` do not begin at a multiple of {bucket_s} s.",
            hint="pass the width they were counted with as `bucket_s`.",
        )
    last_us = window.end_us - bucket_s * US_PER_S
    inside = arrivals.filter(pl.col("bucket_us").is_between(window.start_us, last_us))
    if not inside["requests"].sum():
        raise NoDataError(f"No request was recorded in {window.label()}.", hint="choose a window that holds some.")
    return inside


def _recorded(every: pl.DataFrame, window: Window, bucket_s: int, given_us: Times | None) -> Times:
    starts, width_us = every["bucket_us"].to_numpy(), bucket_s * US_PER_S
    if given_us is not None:
        chosen = given_us[(given_us >= window.start_us) & (given_us <= window.end_us - width_us)]
        # A bucket that holds requests was recorded, whatever is said of it.
        return np.union1d(chosen // width_us * width_us, starts).astype(np.int64)
    waits = np.diff(starts)
    gaps = np.flatnonzero(waits > np.maximum((QUIET_BUCKETS + 1) * width_us, QUIET_TIMES_USUAL * _around(waits)))
    first, last = starts[np.concatenate([[0], gaps + 1])], starts[np.concatenate([gaps, [len(starts) - 1]])]
    stretches = [np.arange(start, end + 1, width_us) for start, end in zip(first, last, strict=True)]
    return np.concatenate(stretches).astype(np.int64)


def _around(waits_us: Times) -> Vector:
    """Return the median of the waits before and after each, NEIGHBOURS of them where there are so many."""
    if len(waits_us) < 2:
        return np.zeros(len(waits_us))
    half = NEIGHBOURS // 2
    padded = np.pad(waits_us.astype(np.float64), half, constant_values=math.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.nanmedian(np.delete(windows, half, axis=1), axis=1), dtype=np.float64)


def _laid_out(recorded_us: Times, every: pl.DataFrame) -> Vector:
    counts = np.zeros(len(recorded_us))
    counts[np.searchsorted(recorded_us, every["bucket_us"].to_numpy())] = every["requests"].to_numpy()
    return counts


def _whole_buckets(recorded_us: Times, bucket_s: int) -> Times:
    """Return the buckets inside stretches: the recording may have begun or ended within the first or the last."""
    beside = np.diff(recorded_us) == bucket_s * US_PER_S
    inner = np.concatenate([[False], beside]) & np.concatenate([beside, [False]])
    return np.asarray(recorded_us[inner], dtype=np.int64)


def _busiest(
    every: pl.DataFrame, hours: LocalHours, days: pl.DataFrame, *, bucket_s: int, zone: zoneinfo.ZoneInfo
) -> pl.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for unit, column, seconds in (("second", "peak_per_s", 1), (f"{bucket_s} s", "requests", bucket_s)):
        at = every.row(int(every[column].arg_max() or 0), named=True)
        rows.append((unit, at["bucket_us"], at[column], at[column] / seconds))
    if np.isfinite(hours.rates).any():
        hour = int(np.nanargmax(hours.rates))
        rows.append(("hour", int(hours.start_us[hour]), int(hours.requests[hour]), float(hours.rates[hour])))
    whole = days.filter("is_whole").sort("rps", descending=True)
    if whole.height:
        day = whole.row(0, named=True)
        midnight_us = local_to_us(parse_time(day["date"]), zone)
        rows.append(("day", midnight_us, day["requests"], day["rps"]))
    starts = np.array([row[1] for row in rows], dtype=np.int64)
    shown = [local_text(*pair) for pair in zip(starts.tolist(), utc_offsets_us(starts, zone).tolist(), strict=True)]
    named = [(row[0], row[1], local, *row[2:]) for row, local in zip(rows, shown, strict=True)]
    return pl.DataFrame(named, schema=BUSIEST_SCHEMA, orient="row")


def _too_little(hours: LocalHours, days: pl.DataFrame, profile: pl.DataFrame, quiet_cycle: str) -> tuple[str, ...]:
    says = []
    if days.height < MIN_DAYS:
        counted = "1 day was" if days.height == 1 else f"{days.height} days were"
        says.append(f"{counted} recorded: how much hours of other days differ is not known.")
    known = int(np.isfinite(hours.rates).sum())
    if known < len(hours.rates):
        says.append(f"{len(hours.rates) - known} of {len(hours.rates)} hours were recorded by less than half.")
    if DAY_OF_WEEK not in profile["cycle"].to_list():
        says.append("No day was recorded whole: days of the week are not compared.")
    if not quiet_cycle:
        says.append("Not all hours of a day were seen: which are quiet is not known.")
    return tuple(says)
