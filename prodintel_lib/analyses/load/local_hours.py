"""The hours and days of the business's own clock, with those that daylight saving leaves out, doubles or cuts."""

from __future__ import annotations

import math
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.errors import ParameterError, near_match
from prodintel_lib.windows import US_PER_S, to_datetime, to_us

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Times = NDArray[np.int64]

HOUR_S: Final = 3600
HOUR_US: Final = HOUR_S * US_PER_S
DAY_HOURS: Final = 24
WEEK_HOURS: Final = 7 * DAY_HOURS
DAY_US: Final = DAY_HOURS * HOUR_US
# Clocks are set at whole quarters of an hour, and zones differ from UTC by such.
QUARTER_S: Final = 900
_QUARTER_US: Final = QUARTER_S * US_PER_S
# 1970-01-01 was a Thursday: so much later a Monday begins.
_MONDAY_US: Final = 4 * DAY_US
MIN_RECORDED: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class LocalHours:
    """Requests by the hours of a local clock; arrays of shape (hours,), in order of time.

    Attributes
    ----------
    start_us : array of int
        When each hour began, UTC. Where a clock is set back, two hours of one name have different starts; where it is
        set forward, an hour is not there.
    offset_us : array of int
        Local time minus UTC.
    requests : array of float
    seconds : array of float
        How much of the hour was recorded.
    squares : array of float
        Sums of the squared counts of the hour's buckets.
    buckets : array of int
        Recorded buckets.
    bucket_s : int
    """

    start_us: Times
    offset_us: Times
    requests: Vector
    seconds: Vector
    squares: Vector
    buckets: Times
    bucket_s: int

    @property
    def local_us(self) -> Times:
        """Starts on the local clock, as if it were UTC."""
        return self.start_us + self.offset_us

    @property
    def rates(self) -> Vector:
        """Requests a second; NaN where less than half of the hour was recorded."""
        known = self.seconds >= MIN_RECORDED * HOUR_S
        return np.where(known, self.requests / np.maximum(self.seconds, 1.0), math.nan)

    @property
    def hour_of_day(self) -> Times:
        """0 to 23 on the local clock."""
        return self.local_us // HOUR_US % DAY_HOURS

    @property
    def hour_of_week(self) -> Times:
        """0 to 167 on the local clock, from Monday 00:00."""
        return (self.local_us - _MONDAY_US) // HOUR_US % WEEK_HOURS

    @property
    def day(self) -> Times:
        """The local date, as days since 1970-01-01."""
        return self.local_us // DAY_US

    @property
    def week(self) -> Times:
        """The local week, as Mondays since 1970-01-05."""
        return (self.local_us - _MONDAY_US) // (7 * DAY_US)


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone by its IANA name.

    Raises
    ------
    ParameterError
        If there is none of that name, with the nearest.
    """
    known = zoneinfo.available_timezones()
    if name not in known:
        like = near_match(name, sorted(known))
        raise ParameterError(
            f"A time zone is named as in the IANA database; there is no `{name}`.",
            hint=f"did you mean `{like}`?" if like else "write a name such as Europe/Paris, or UTC.",
        )
    return zoneinfo.ZoneInfo(name)


def utc_offsets_us(times_us: Times, zone: zoneinfo.ZoneInfo) -> Times:
    """Return how far the zone's clock is ahead of UTC at each time, µs."""
    quarters, at = np.unique(times_us // _QUARTER_US, return_inverse=True)
    offsets = [_offset_us(int(quarter) * _QUARTER_US, zone) for quarter in quarters]
    return np.asarray(offsets, dtype=np.int64)[at]


def day_length_s(day: int, zone: zoneinfo.ZoneInfo) -> float:
    """Return how long a local date is: 23 or 25 hours where the clock is set.

    Parameters
    ----------
    day : int
        Days since 1970-01-01.
    """
    return (local_to_us(day * DAY_US + DAY_US, zone) - local_to_us(day * DAY_US, zone)) / US_PER_S


def local_to_us(local_us: int, zone: zoneinfo.ZoneInfo) -> int:
    """Return the UTC time at which a local clock shows a time.

    Of a time that is shown twice the first counts; of one that is left out, the moment at which the clock is set.
    """
    wall = to_datetime(local_us).replace(tzinfo=zone)
    moment = to_us(wall.astimezone(UTC))
    if to_us(to_datetime(moment).astimezone(zone).replace(tzinfo=UTC)) == local_us:
        return moment
    # The clock never showed it: it was set shortly before the moment found.
    quarter_us = moment // _QUARTER_US * _QUARTER_US
    while _offset_us(quarter_us - _QUARTER_US, zone) == _offset_us(quarter_us, zone):
        quarter_us -= _QUARTER_US
    return quarter_us


def add_up_hours(recorded_us: Times, counts: Vector, *, bucket_s: int, zone: zoneinfo.ZoneInfo) -> LocalHours:
    """Add buckets up to hours of the local clock.

    Parameters
    ----------
    recorded_us : array of int, shape (buckets,)
        Starts of the recorded buckets, increasing.
    counts : array, shape (buckets,)
        Requests in each.
    bucket_s : int
        Width of a bucket, seconds; a quarter of an hour is a multiple of it.
    zone : ZoneInfo
    """
    offsets = utc_offsets_us(recorded_us, zone)
    starts = (recorded_us + offsets) // HOUR_US * HOUR_US - offsets
    hours, first, at = np.unique(starts, return_index=True, return_inverse=True)
    buckets = np.bincount(at, minlength=len(hours))
    return LocalHours(
        start_us=hours,
        offset_us=offsets[first],
        requests=np.bincount(at, counts, minlength=len(hours)).astype(np.float64),
        seconds=(buckets * bucket_s).astype(np.float64),
        squares=np.bincount(at, counts**2, minlength=len(hours)).astype(np.float64),
        buckets=buckets.astype(np.int64),
        bucket_s=bucket_s,
    )


def _offset_us(time_us: int, zone: zoneinfo.ZoneInfo) -> int:
    return _whole_offset_us(to_datetime(time_us).astimezone(zone))


def _whole_offset_us(moment: datetime) -> int:
    return (moment.utcoffset() or timedelta()) // timedelta(microseconds=1)
