"""Production in buckets of time, and the series that detectors judge."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.request_failures import REQUEST_FAILURES_SCHEMA
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import SeriesMatrix
    from prodintel_lib.windows import Window

SignalName = Literal[
    "error_ratio",
    "latency",
    "throughput",
    "saturation",
    "log_errors",
    "conversion",
    "journey_mix",
    "frontend_errors",
]
Grain = Literal["service", "route", "region", "release", "metric", "journey"]

EDGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "caller": pl.String(),
    "dependency": pl.String(),
    "calls": pl.Int64(),
    "failed": pl.Int64(),
}
ABOUT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "key": pl.String(),
    "grain": pl.String(),
    "service_name": pl.String(),
    "route": pl.String(),
    "region": pl.String(),
    "release": pl.String(),
    "metric_name": pl.String(),
    "metric_unit": pl.String(),
    "service_instance_id": pl.String(),
    "series": pl.String(),
    "worse": pl.Int64(),
    "requests": pl.Int64(),
}
QUIET_BUCKETS: Final = 12
"""So many buckets without anything, between others that have something, are a quiet time and no gap in the record."""


@dataclass(frozen=True, slots=True, eq=False)
class Production:
    """What production looked like, in buckets: small frames, people replaced.

    Attributes
    ----------
    window : Window
        What is asked about; it begins with a bucket.
    history : Window
        What it is compared with: it ends where `window` begins, and may hold gaps or nothing at all.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.
    requests : polars.DataFrame
        Columns of request_bins.REQUEST_BINS_SCHEMA, of history and window.
    metrics : polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA.
    visits : polars.DataFrame
        Columns of rum_buckets.RUM_BUCKETS_SCHEMA, in buckets of `visit_bucket_s`.
    log_levels : polars.DataFrame
        Columns of log_levels.LOG_LEVELS_SCHEMA.
    calls : polars.DataFrame
        Columns of EDGES_SCHEMA: who calls whom, how often, over history and window; by the calls that were recorded
        and, where none were, by whose answer lies below whose.
    changes : polars.DataFrame
        Rows of the canonical table ``changes`` of the window and the day before it.
    incidents : polars.DataFrame
        Rows of the canonical table ``incidents`` that were open in history or window.
    recorded_us : array of int, shape (buckets,)
        Starts of the buckets in which anything of a server was recorded (of browsers, where there is nothing of
        servers), increasing; quiet ones between them count too where they are at most QUIET_BUCKETS. Nothing tells an
        outage of everything from a record that was broken off for so short a time: it is taken for an outage.
    digest : str
        Of the frames and windows: the same evidence has the same one.
    limits_ms : mapping of str to float
        What ``over_limit`` of `requests` counts by: route to the duration promised; routes without one have 0.
    failures : polars.DataFrame
        Columns of request_failures.REQUEST_FAILURES_SCHEMA.
    visit_bucket_s : int
        Width of the buckets of `visits`, seconds: visits are fewer than requests. 0 where there are none.
    """

    window: Window
    history: Window
    bucket_s: int
    requests: pl.DataFrame
    metrics: pl.DataFrame
    visits: pl.DataFrame
    log_levels: pl.DataFrame
    calls: pl.DataFrame
    changes: pl.DataFrame
    incidents: pl.DataFrame
    recorded_us: NDArray[np.int64]
    digest: str
    limits_ms: Mapping[str, float] = field(default_factory=dict)
    failures: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REQUEST_FAILURES_SCHEMA))
    visit_bucket_s: int = 0

    @property
    def bucket_us(self) -> int:
        """Width of a bucket, µs."""
        return self.bucket_s * US_PER_S

    def buckets(self, window: Window) -> NDArray[np.int64]:
        """Return the starts of all buckets that begin in a window, recorded or not, increasing."""
        first_us = -(-window.start_us // self.bucket_us) * self.bucket_us
        return np.arange(first_us, window.end_us, self.bucket_us, dtype=np.int64)

    def recorded(self, window: Window) -> NDArray[np.int64]:
        """Return the starts of the recorded buckets that begin in a window, increasing."""
        first, end = np.searchsorted(self.recorded_us, (window.start_us, window.end_us))
        return self.recorded_us[first:end]


@dataclass(frozen=True, slots=True, eq=False)
class SignalSet:
    """The series of one signal, and what each of them is about.

    Attributes
    ----------
    signal : str
        One of SignalName.
    matrix : SeriesMatrix
        Over history and window; what was not recorded is NaN.
    about : polars.DataFrame
        Columns of ABOUT_SCHEMA, a row a key of the matrix, in its order. ``grain`` is one of Grain; columns that do not
        apply are empty. ``worse``: 1 where more is worse, -1 where less is, 0 where either may be. ``requests``: what
        the series rests on in the window (requests, sessions, log rows, metric points).
    left_out, too_few : int
        Series that are not there: for their number (those with the least traffic), and for want of data.
    """

    signal: SignalName
    matrix: SeriesMatrix
    about: pl.DataFrame
    left_out: int = 0
    too_few: int = 0

    def __post_init__(self) -> None:
        if dict(self.about.schema) != ABOUT_SCHEMA or tuple(self.about["key"]) != self.matrix.keys:
            raise ParameterError(
                f"`about` needs the columns of ABOUT_SCHEMA and a row for each of the {len(self.matrix.keys)} keys of "
                f"the matrix, in order; it has {self.about.height} rows and columns {', '.join(self.about.columns)}.",
                hint="make it with the keys of the matrix.",
            )

    def rows(self, rows: slice) -> SignalSet:
        """Return some of the series."""
        return replace(self, matrix=self.matrix.rows(rows), about=self.about[rows])
