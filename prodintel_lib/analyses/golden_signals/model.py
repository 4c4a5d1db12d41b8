"""The four golden signals as results: latency, traffic, errors and saturation, each a frame with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prodintel_lib.analyses.golden_signals import shown

if TYPE_CHECKING:
    import polars as pl

    from prodintel_lib.analyses.localisation import Localisation
    from prodintel_lib.windows import Window

__all__ = [
    "Baseline",
    "ErrorSignals",
    "GoldenSignals",
    "Grain",
    "LatencySignals",
    "Risk",
    "SaturationSignals",
    "TrafficSignals",
]

Grain = Literal["all", "service", "route"]
"""``all``: the requests that users feel, together; ``service``: all of a service; ``route``: a route users call."""

Risk = Literal["ok", "watch", "high", "critical", "no limit known"]
RISK_AT: Final[dict[Risk, float]] = {"watch": 0.7, "high": 0.8, "critical": 0.9}


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the window is compared with.

    Attributes
    ----------
    says : str
        In words: the same hours of the days before, or all of the time before.
    buckets : int
        Recorded buckets of it; 0 where there is no history.
    recorded_s : float
        Seconds they cover.
    """

    says: str
    buckets: int
    recorded_s: float


@dataclass(frozen=True, slots=True)
class LatencySignals:
    """How long requests took, in the window and before it.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of schemas.LATENCY_SCHEMA, a row for each of "all", service and entry route that was asked, in this
        order, most requests first.

        - ``p50_ms`` to ``p999_ms``: null where fewer than 5 requests lie beyond; ``*_low_ms`` and ``*_high_ms`` their
          95 % intervals, wider where requests of one time are alike
        - ``history_*``: the same of the baseline; ``verdict`` slower, faster, same, too few to say or no history, by
          the percentile named in ``judged_by``
        - ``tail_ratio``: p99 over p50
        - ``modes``: how many; null where it could not be tested, and 1 where groups lie apart in time: that is a
          change, and no two kinds of requests; ``modes_p``: the chance of so much separation if there were one;
          ``split_by``: what tells the groups apart, in words
        - ``trend``: rising, falling, steady or too few to say; ``trend_per_hour`` the relative change of the median an
          hour (0.1: 10 % an hour) with its 95 % interval
    modes : polars.DataFrame
        Columns of schemas.MODES_SCHEMA: a row a mode of what has more than one, fastest first.
    splits : polars.DataFrame
        Columns of schemas.SPLITS_SCHEMA: how the slowest mode's share differs by what might split the modes.
    distribution : polars.DataFrame
        Columns of schemas.DISTRIBUTION_SCHEMA: requests by class of duration.
    over_time : polars.DataFrame
        Columns of schemas.LATENCY_TIME_SCHEMA: percentiles by step of `step_s` of the window and the history.
    step_s : int
    baseline : Baseline
    places : mapping of (service, route) to Localisation
        Which attribute combination the slow mode belongs to.
    routes_left_out : int
        Entry routes with less traffic than the ones shown.
    """

    frame: pl.DataFrame
    modes: pl.DataFrame
    splits: pl.DataFrame
    distribution: pl.DataFrame
    over_time: pl.DataFrame
    step_s: int
    baseline: Baseline
    places: dict[tuple[str, str], Localisation]
    routes_left_out: int

    def _repr_html_(self) -> str:
        return str(shown.latency_table(self.frame, self.modes, self.baseline.says, self.routes_left_out))


@dataclass(frozen=True, slots=True)
class TrafficSignals:
    """How many requests came, how many usually come, and how many are to be expected.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of schemas.TRAFFIC_SCHEMA, rows as LatencySignals.frame.

        - ``rps``: requests a second of recorded time; ``usual_rps`` of the baseline, with the range of nine in ten
          baseline buckets (``usual_low_rps``, ``usual_high_rps``)
        - ``verdict``: more, less, usual, too few to say or no history
        - ``pattern``: the rhythm in words
        - ``forecast_method``, ``forecast_says``: how the hours to come were foreseen, or why they were not;
          ``coverage`` the share of backtested values within the interval that was then given, of ``coverage_n``
    over_time : polars.DataFrame
        Columns of schemas.TRAFFIC_TIME_SCHEMA: observed and usual by step of `step_s` of window and history.
    step_s : int
    forecast : polars.DataFrame
        Columns of schemas.FORECAST_SCHEMA; ``low_rps`` to ``high_rps`` is the interval of `interval_level`.
    decomposition : polars.DataFrame
        Columns of schemas.DECOMPOSITION_SCHEMA; no row for what has less than two periods of history.
    profile : polars.DataFrame
        Columns of schemas.PROFILE_SCHEMA: the usual rate by hour of the day, or of the week where the history holds
        two.
    baseline : Baseline
    interval_level : float
    routes_left_out : int
    """

    frame: pl.DataFrame
    over_time: pl.DataFrame
    step_s: int
    forecast: pl.DataFrame
    decomposition: pl.DataFrame
    profile: pl.DataFrame
    baseline: Baseline
    interval_level: float
    routes_left_out: int

    def _repr_html_(self) -> str:
        return str(shown.traffic_table(self.frame, self.baseline.says, self.interval_level, self.routes_left_out))


@dataclass(frozen=True, slots=True)
class ErrorSignals:
    """Which share of requests failed, what failed, and what is new.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of schemas.ERRORS_SCHEMA, rows as LatencySignals.frame. ``low`` and ``high`` are the 95 % interval of
        ``ratio``; ``times``, ``times_low``, ``times_high`` the ratio over the baseline's; ``trend`` new, rising,
        steady, falling, gone, none or too few to say.
    categories : polars.DataFrame
        Columns of schemas.CATEGORIES_SCHEMA: answers by HTTP class, failed spans by type of error, log rows by level;
        ``of_n`` is the traffic that ``n`` is set against. Most in the window first within a kind.
    over_time : polars.DataFrame
        Columns of schemas.ERRORS_TIME_SCHEMA, by step of `step_s`.
    step_s : int
    baseline : Baseline
    not_recorded : tuple of str
        Kinds of categories nothing was recorded of.
    routes_left_out : int
    """

    frame: pl.DataFrame
    categories: pl.DataFrame
    over_time: pl.DataFrame
    step_s: int
    baseline: Baseline
    not_recorded: tuple[str, ...]
    routes_left_out: int

    def _repr_html_(self) -> str:
        errors = shown.errors_table(self.frame, self.baseline.says, self.routes_left_out)
        return str(errors + shown.categories_table(self.categories, self.not_recorded))


@dataclass(frozen=True, slots=True)
class SaturationSignals:
    """How full what has a limit is, and when it will be full.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of schemas.SATURATION_SCHEMA, a row a resource, fullest first, then those without a known limit.

        - ``level``: mean of the window, 0 to 1; ``highest`` the largest bucket; without a limit both in ``unit``
        - ``watch_share``, ``high_share``, ``critical_share``: of the window's recorded time at or above 0.7, 0.8, 0.9
        - ``risk``: the highest bound that was held for a twentieth of the time or that is passed now
        - ``hours_left``, ``hours_low``, ``hours_high``: until it is full if it goes on like this; null where it does
          not rise for certain; `hours_high` is null where the slope's interval ends at zero
        - ``says``: why there is a time or none
    over_time : polars.DataFrame
        Columns of schemas.SATURATION_TIME_SCHEMA, by step of `step_s`.
    step_s : int
    resources_left_out : int
        Resources with a limit beyond the ones shown.
    """

    frame: pl.DataFrame
    over_time: pl.DataFrame
    step_s: int
    resources_left_out: int

    def _repr_html_(self) -> str:
        return str(shown.saturation_table(self.frame, self.resources_left_out))


@dataclass(frozen=True, slots=True)
class GoldenSignals:
    """Latency, traffic, errors and saturation of a window of production.

    Attributes
    ----------
    window, history : Window
    bucket_s : int
    latency : LatencySignals
    traffic : TrafficSignals
    errors : ErrorSignals
    saturation : SaturationSignals
    digest : str
        Of the production that was measured.
    """

    window: Window
    history: Window
    bucket_s: int
    latency: LatencySignals
    traffic: TrafficSignals
    errors: ErrorSignals
    saturation: SaturationSignals
    digest: str

    def to_dicts(self) -> dict[str, list[dict[str, object]]]:
        """Return the main frames as plain JSON values, a list of rows a signal, without the courses over time."""
        signals = {
            "latency": self.latency.frame,
            "latency_modes": self.latency.modes,
            "latency_splits": self.latency.splits,
            "traffic": self.traffic.frame,
            "traffic_forecast": self.traffic.forecast,
            "errors": self.errors.frame,
            "error_categories": self.errors.categories,
            "saturation": self.saturation.frame,
        }
        return {name: frame.to_dicts() for name, frame in signals.items()}

    def _repr_html_(self) -> str:
        parts = (
            ("Latency", self.latency), ("Traffic", self.traffic), ("Errors", self.errors),
            ("Saturation", self.saturation),
        )  # fmt: skip
        return str(shown.sections(self.window.label(), parts))
