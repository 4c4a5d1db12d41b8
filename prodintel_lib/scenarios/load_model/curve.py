"""When sessions begin: one day of production, or all of it, as a curve that a load test can follow."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.local_hours import DAY_US, HOUR_S, HOUR_US, local_to_us, utc_offsets_us, zone_named
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.scenarios.load_model.model import LoadCurve
from prodintel_lib.windows import US_PER_S, Window, to_datetime, to_us

if TYPE_CHECKING:
    import zoneinfo

    from numpy.typing import NDArray

    from prodintel_lib.analyses.load import LoadProfiles
    from prodintel_lib.rollups.load_requests import LoadSource

    Seconds = NDArray[np.float64]
    Times = NDArray[np.int64]

BUSIEST: Final = "busiest"
WHOLE: Final = "whole"
MIN_BUCKETS: Final = 12
"""A curve in fewer buckets has lost its shape."""

SHIFTS: Final = (0.0, 0.25, 0.5, 0.75)
BUCKET_WIDTHS_S: Final = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_DAYS_NAMED: Final = 5


def choose_curve(
    steps: pl.DataFrame,
    *,
    profiles: LoadProfiles | None,
    time_zone: str,
    source: LoadSource,
    day: str = BUSIEST,
    max_buckets: int = 1500,
) -> LoadCurve:
    """Count how many sessions began when, in the day that a load test is to follow.

    Parameters
    ----------
    steps : polars.DataFrame
        ``step_no, time_us`` of load_steps.LOAD_STEPS_SCHEMA.
    profiles : LoadProfiles or None
        Which hours were recorded although nobody came; without it the curve reaches from the first request to the last.
    time_zone : str
        IANA name of the business's clock.
    source : {"spans", "rum"}
    day : str
        ``busiest``: the local day on which most sessions began, the first of such days; ``whole``: all that there is;
        else a local date, as 2025-11-28.
    max_buckets : int
        As choose_buckets takes it.

    Returns
    -------
    LoadCurve
        Cut to what was recorded, in whole seconds; a day has 23 or 25 hours where the clock is set. What was not
        recorded within it has no sessions.

    Raises
    ------
    NoDataError
        If no session began.
    ParameterError
        If `day` or `time_zone` is none, nothing began on that day, or there is no bucket.
    """
    if max_buckets < 1:
        raise ParameterError(f"A curve has one bucket at least; max_buckets is {max_buckets}.", hint="leave it out.")
    zone = zone_named(time_zone)
    starts_us = steps.filter(pl.col("step_no") == 1)["time_us"].to_numpy()
    if not len(starts_us):
        raise NoDataError(
            "A curve of arrivals needs sessions; none began.",
            hint="take a window in which requests carry a session or a visitor.",
        )
    asked = _window_of(starts_us, day, zone)
    times_us = steps["time_us"].to_numpy()
    recorded = _recorded(times_us[(times_us >= asked.start_us) & (times_us < asked.end_us)], asked, profiles)
    inside = starts_us[(starts_us >= recorded.start_us) & (starts_us < recorded.end_us)]
    since_s, length_s = (inside - recorded.start_us) / US_PER_S, recorded.duration_s
    buckets = choose_buckets(since_s, length_s=length_s, max_buckets=max_buckets)
    place = np.minimum((since_s * buckets / length_s).astype(np.int64), buckets - 1)
    return LoadCurve(
        start_us=recorded.start_us,
        end_us=recorded.end_us,
        time_zone=time_zone,
        local_start_s=_local_second(recorded.start_us, zone),
        bucket_s=length_s / buckets,
        sessions=tuple(np.bincount(place, minlength=buckets).astype(np.float64).tolist()),
        source=source,
    )


def choose_buckets(since_s: Seconds, *, length_s: float, max_buckets: int) -> int:
    """Choose how many buckets a curve has: narrow ones where arrivals come in bursts, wide ones where by chance.

    Parameters
    ----------
    since_s : array
        When each session began, seconds from the beginning of the curve.
    length_s : float
        Of the curve.
    max_buckets : int
        No more than these, and no fewer than MIN_BUCKETS where these allow it.

    Notes
    -----
    The least cost ``(2 mean - variance) / width ** 2`` of the counts (Shimazaki and Shinomoto 2007,
    doi:10.1162/neco.2007.19.6.1503), which estimates how far the histogram is from the rate that the sessions
    came by: a curve in finer buckets than that would repeat production's chance, and add chance of its own. Here the
    widths tried are those of BUCKET_WIDTHS_S, changed a little so that they fill the curve, and the cost is the mean
    over SHIFTS of the buckets' edges.
    """
    counts = sorted({math.ceil(length_s / width_s - 1e-9) for width_s in BUCKET_WIDTHS_S})
    tried = [count for count in counts if MIN_BUCKETS <= count <= max_buckets]
    if not tried:
        return max((count for count in counts if count <= max_buckets), default=max_buckets)
    return min(tried, key=lambda count: _cost(since_s, length_s / count, count))


def _cost(since_s: Seconds, width_s: float, buckets: int) -> float:
    costs = []
    for shift in SHIFTS:
        place = np.floor(since_s / width_s - shift).astype(np.int64)
        # Shifted, the first and the last bucket lie partly outside.
        whole = buckets - (shift > 0)
        counts = np.bincount(place[(place >= 0) & (place < whole)], minlength=whole)
        costs.append((2 * counts.mean() - counts.var()) / width_s**2)
    return float(np.mean(costs))


def _window_of(starts_us: Times, day: str, zone: zoneinfo.ZoneInfo) -> Window:
    """Return the time that was asked for: a local day, or all of it."""
    days, counts = np.unique((starts_us + utc_offsets_us(starts_us, zone)) // DAY_US, return_counts=True)
    if day == WHOLE:
        return Window(local_to_us(int(days[0]) * DAY_US, zone), local_to_us(int(days[-1] + 1) * DAY_US, zone))
    chosen = int(days[counts.argmax()]) if day == BUSIEST else _day_number(day)
    if chosen not in days:
        known = ", ".join(_date_of(int(number)) for number in days[np.argsort(-counts, kind="stable")][:_DAYS_NAMED])
        raise ParameterError(
            f"No session began on {day} by the clock of {zone.key}.",
            hint=f"sessions began on {known}, most of them first.",
        )
    return Window(local_to_us(chosen * DAY_US, zone), local_to_us((chosen + 1) * DAY_US, zone))


def _day_number(day: str) -> int:
    try:
        found = date.fromisoformat(day)
    except ValueError as error:
        raise ParameterError(
            f"A day is `{BUSIEST}`, `{WHOLE}` or a date; got `{day}`.", hint="write a date as 2025-11-28."
        ) from error
    return to_us(datetime(found.year, found.month, found.day, tzinfo=UTC)) // DAY_US


def _date_of(day: int) -> str:
    return to_datetime(day * DAY_US).date().isoformat()


def _recorded(times_us: Times, asked: Window, profiles: LoadProfiles | None) -> Window:
    """Return from the first request to the last, and further where the hours before or after were recorded whole."""
    first_us, last_us = int(times_us.min()), int(times_us.max())
    if profiles is not None:
        whole = profiles.hours.filter(
            pl.col("recorded_s") >= HOUR_S, pl.col("start_us") >= asked.start_us, pl.col("start_us") < asked.end_us
        )["start_us"].to_list()
        first_us, last_us = min([first_us, *whole]), max([last_us, *(hour_us + HOUR_US - 1 for hour_us in whole)])
    # Whole seconds: a start by the clock is one.
    return Window(first_us // US_PER_S * US_PER_S, min((last_us // US_PER_S + 1) * US_PER_S, asked.end_us))


def _local_second(time_us: int, zone: zoneinfo.ZoneInfo) -> int:
    return (time_us + int(utc_offsets_us(np.array([time_us]), zone)[0])) % DAY_US // US_PER_S
