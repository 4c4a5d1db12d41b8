"""What production's load looks like: the results and the columns of their frames.

Times are µs since the epoch, UTC; hours and days are those of the business's clock. Intervals are at 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.load import shown

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

_TEXT, _WHOLE, _NUMBER, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

HOURS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "start_us": _WHOLE,
    "local": _TEXT,
    "utc_offset_min": _WHOLE,
    "recorded_s": _NUMBER,
    "requests": _WHOLE,
    "rps": _NUMBER,
}
DAYS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "date": _TEXT,
    "weekday": _WHOLE,
    "length_h": _NUMBER,
    "recorded_s": _NUMBER,
    "requests": _WHOLE,
    "rps": _NUMBER,
    "is_whole": _FLAG,
}
PROFILE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "cycle": _TEXT,
    "slot": _WHOLE,
    "label": _TEXT,
    "rps": _NUMBER,
    "low_rps": _NUMBER,
    "high_rps": _NUMBER,
    "least_rps": _NUMBER,
    "most_rps": _NUMBER,
    "n": _WHOLE,
    "interval_from": _TEXT,
}
PEAKS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "kind": _TEXT,
    "hour": _WHOLE,
    "rps": _NUMBER,
    "low_rps": _NUMBER,
    "high_rps": _NUMBER,
    "chance": _NUMBER,
    "days": _WHOLE,
}
BUSIEST_SCHEMA: Final[dict[str, pl.DataType]] = {
    "unit": _TEXT,
    "start_us": _WHOLE,
    "local": _TEXT,
    "requests": _WHOLE,
    "rps": _NUMBER,
}
BURSTINESS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "endpoint": _TEXT,
    "requests": _WHOLE,
    "buckets": _WHOLE,
    "fano": _NUMBER,
    "fano_low": _NUMBER,
    "fano_high": _NUMBER,
    "peak_over_mean": _NUMBER,
    "random_peak_over_mean": _NUMBER,
    "verdict": _TEXT,
}
EVENTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "event": _TEXT,
    "start_us": _WHOLE,
    "end_us": _WHOLE,
    "recorded_h": _NUMBER,
    "requests": _WHOLE,
    "expected": _NUMBER,
    "ratio": _NUMBER,
    "ratio_low": _NUMBER,
    "ratio_high": _NUMBER,
    "peak_rps": _NUMBER,
    "peak_ratio": _NUMBER,
    "against": _TEXT,
    "n": _WHOLE,
    "says": _TEXT,
}
QUIET_SCHEMA: Final[dict[str, pl.DataType]] = {
    "length_h": _WHOLE,
    "rank": _WHOLE,
    "slot": _WHOLE,
    "label": _TEXT,
    "expected": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "most_seen": _NUMBER,
    "n": _WHOLE,
}
MIX_SCHEMA: Final[dict[str, pl.DataType]] = {
    "part_kind": _TEXT,
    "part": _TEXT,
    "requests": _WHOLE,
    "js": _NUMBER,
    "js_chance": _NUMBER,
    "p_value": _NUMBER,
    "differs": _FLAG,
    "most_changed": _TEXT,
}
SHARES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "part_kind": _TEXT,
    "part": _TEXT,
    "endpoint": _TEXT,
    "requests": _WHOLE,
    "share": _NUMBER,
}
COURSE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "start_us": _WHOLE,
    "width_s": _WHOLE,
    "local": _TEXT,
    "recorded_s": _NUMBER,
    "requests": _WHOLE,
    "rps": _NUMBER,
    "stretch": _WHOLE,
}
MIX_COURSE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "start_us": _WHOLE,
    "width_s": _WHOLE,
    "endpoint": _TEXT,
    "requests": _WHOLE,
    "share": _NUMBER,
    "rank": _WHOLE,
    "stretch": _WHOLE,
}
FORECAST_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": _WHOLE,
    "step_s": _WHOLE,
    "rps": _NUMBER,
    "low_rps": _NUMBER,
    "high_rps": _NUMBER,
    "method": _TEXT,
}
PAYLOADS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "endpoint": _TEXT,
    "direction": _TEXT,
    "n": _WHOLE,
    "unknown": _WHOLE,
    "mean_bytes": _NUMBER,
    "p50_bytes": _NUMBER,
    "p95_bytes": _NUMBER,
    "p99_bytes": _NUMBER,
}
HEADROOM_SCHEMA: Final[dict[str, pl.DataType]] = {
    "service_name": _TEXT,
    "resource": _TEXT,
    "n": _WHOLE,
    "lowest_rps": _NUMBER,
    "highest_rps": _NUMBER,
    "slope": _NUMBER,
    "r2": _NUMBER,
    "rps_at_limit": _NUMBER,
    "rps_low": _NUMBER,
    "rps_high": _NUMBER,
    "times_peak": _NUMBER,
    "says": _TEXT,
}
POINTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "service_name": _TEXT,
    "resource": _TEXT,
    "bucket_us": _WHOLE,
    "rps": _NUMBER,
    "utilization": _NUMBER,
}


@dataclass(frozen=True, slots=True, eq=False)
class LoadProfiles:
    """When requests come, how evenly, and of what.

    Attributes
    ----------
    window : Window
    time_zone : str
        IANA name of the business's clock.
    bucket_s : int
    requests : int
        In the recorded buckets that lie wholly in the window.
    left_out : int
        Requests that were given and lie in none of those.
    recorded_s : float
    hours : polars.DataFrame
        Columns of HOURS_SCHEMA, a row an hour of the local clock of which anything was recorded, in order of time.
        ``local`` carries the offset, which tells two hours of one name apart; ``rps`` is null where less than half was
        recorded.
    days : polars.DataFrame
        Columns of DAYS_SCHEMA, a row a local date; ``weekday`` 0 is Monday; ``is_whole``: nine tenths were recorded.
    profile : polars.DataFrame
        Columns of PROFILE_SCHEMA, a row a slot that was seen of ``hour of day``, ``day of week`` (of whole days) and
        ``hour of week``: mean rate with the interval of that mean, and the least and most seen. ``n`` counts hours, or
        days. ``interval_from`` is ``days``, or ``minutes`` where too few days were seen: then it holds for those days
        alone.
    peaks : polars.DataFrame
        Columns of PEAKS_SCHEMA: the hours of the day that may be the ``peak`` and the ``low``, the likeliest first.
        ``chance`` is how often an hour came out in resampled days; null where there are too few days to say.
    busiest : polars.DataFrame
        Columns of BUSIEST_SCHEMA: the fullest second, bucket, hour and whole day that occurred. Of the second,
        ``start_us`` is that of its bucket.
    burstiness : polars.DataFrame
        Columns of BURSTINESS_SCHEMA, all endpoints first (an empty name), then the most asked for. ``fano`` is the
        index of dispersion of the counts by second within buckets: 1 where requests come at random.
    events : polars.DataFrame
        Columns of EVENTS_SCHEMA, a row a named event, in the order given. ``ratio`` is that of ``requests`` to
        ``expected``, the level of the same hours without the event; null where that is not known.
    quiet : polars.DataFrame
        Columns of QUIET_SCHEMA: for each length the stretches of the week, or the day, with the fewest requests to be
        expected, that do not overlap. ``low``, ``high``: where the requests of one such stretch are to be expected.
    quiet_cycle : str
        ``week`` or ``day``; empty where the record is too short for either.
    mix : polars.DataFrame
        Columns of MIX_SCHEMA: how far the endpoints' shares of an hour of the day, and of a day, are from those of all
        other time, as Jensen-Shannon divergence in bits; ``js_chance`` is what chance reaches in 1 of 20.
        ``js_chance``, ``p_value`` and ``differs`` are null where there is too little to tell.
    shares : polars.DataFrame
        Columns of SHARES_SCHEMA: the shares themselves, ``whole`` first.
    course : polars.DataFrame
        Columns of COURSE_SCHEMA: the rate over time in at most course.MOST_COLUMNS columns, none where nothing was
        recorded. ``stretch`` numbers the stretches of columns that follow each other without a gap.
    mix_course : polars.DataFrame
        Columns of MIX_COURSE_SCHEMA: the shares of the endpoints most asked for, and of all others together, over
        time; ``rank`` 0 is asked for most.
    forecast : polars.DataFrame
        Columns of FORECAST_SCHEMA; 80 % intervals (golden_signals.forecasting).
    forecast_says : str
    says : tuple of str
        What was too little to say.
    """

    window: Window
    time_zone: str
    bucket_s: int
    requests: int
    left_out: int
    recorded_s: float
    hours: pl.DataFrame
    days: pl.DataFrame
    profile: pl.DataFrame
    peaks: pl.DataFrame
    busiest: pl.DataFrame
    burstiness: pl.DataFrame
    events: pl.DataFrame
    quiet: pl.DataFrame
    quiet_cycle: str
    mix: pl.DataFrame
    shares: pl.DataFrame
    course: pl.DataFrame
    mix_course: pl.DataFrame
    forecast: pl.DataFrame
    forecast_says: str
    says: tuple[str, ...]

    @property
    def mean_rps(self) -> float:
        """Requests a second over the recorded time."""
        return self.requests / self.recorded_s

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        frames = (
            "hours", "days", "profile", "peaks", "busiest", "burstiness", "events", "quiet", "mix", "shares",
            "course", "mix_course", "forecast",
        )  # fmt: skip
        return {
            "window": {"start_us": self.window.start_us, "end_us": self.window.end_us},
            "time_zone": self.time_zone,
            "bucket_s": self.bucket_s,
            "requests": self.requests,
            "left_out": self.left_out,
            "recorded_s": self.recorded_s,
            "mean_rps": self.mean_rps,
            **{name: getattr(self, name).to_dicts() for name in frames},
            "quiet_cycle": self.quiet_cycle,
            "forecast_says": self.forecast_says,
            "says": list(self.says),
        }

    def _repr_html_(self) -> str:
        return str(shown.profiles(self))


@dataclass(frozen=True, slots=True, eq=False)
class Payloads:
    """How large requests and answers are.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of PAYLOADS_SCHEMA, the most asked for first; quantiles are true to 1 %, means exact. ``unknown`` counts
        the requests whose size is not known.
    left_out : int
        Endpoints of which no size is known.
    """

    frame: pl.DataFrame
    left_out: int

    def _repr_html_(self) -> str:
        return str(shown.payloads(self.frame, self.left_out))


@dataclass(frozen=True, slots=True, eq=False)
class Headroom:
    """How much traffic fits until something is full.

    Attributes
    ----------
    limit : float
        The utilisation that is asked about, from 0 to 1.
    peak_rps : float
        The fullest bucket that was seen.
    frame : polars.DataFrame
        Columns of HEADROOM_SCHEMA, a row a resource, the one that is full first first, then those of which nothing can
        be said. ``slope`` is utilisation a request per second; ``rps_high`` is null where the line's slope is too
        unsure to end the interval; ``times_peak`` is ``rps_at_limit`` over ``peak_rps``.
    points : polars.DataFrame
        Columns of POINTS_SCHEMA, a row a resource and bucket: what the rows of `frame` rest on.
    """

    limit: float
    peak_rps: float
    frame: pl.DataFrame
    points: pl.DataFrame

    def _repr_html_(self) -> str:
        return str(shown.headroom(self))
