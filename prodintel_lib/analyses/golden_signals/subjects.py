"""What the signals are measured of, and the time they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.model import Baseline
from prodintel_lib.analyses.golden_signals.schemas import ABOUT
from prodintel_lib.analyses.production.layout import Columns
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.production import Production

HOUR_US: Final = 3600 * US_PER_S
DAY_US: Final = 24 * HOUR_US
# 1970-01-01 was a Thursday: so much later a Monday begins.
MONDAY_US: Final = 4 * DAY_US
SAME_HOURS_UNTIL_US: Final = 20 * HOUR_US
NEAR_US: Final = HOUR_US
MIN_BLOCKS: Final = 3
"""So many stretches of a baseline tell how much they differ."""

FAR: Final = 3.0
"""So many times other than usual a window must be where the baseline does not tell how much stretches differ."""

MIN_TIMES_SEEN: Final = 2
"""The same hours are a baseline where they were recorded at least so many times."""

KEYS: Final = tuple(ABOUT)


@dataclass(frozen=True, slots=True)
class Subjects:
    """The requests of everything that is asked about, and which of them are the baseline's.

    Attributes
    ----------
    about : polars.DataFrame
        Columns of ABOUT and ``requests`` of the window: a row a subject in the order of the results.
    requests : polars.DataFrame
        request_bins of the window and the history, those without a duration too.
    window_us, baseline_us, history_us : array of int
        Starts of the recorded buckets of each.
    baseline : Baseline
    block_us : int
        Length of the stretches into which the baseline falls that are as long as the window is.
    routes_left_out : int
    """

    about: pl.DataFrame
    requests: pl.DataFrame
    window_us: NDArray[np.int64]
    baseline_us: NDArray[np.int64]
    history_us: NDArray[np.int64]
    baseline: Baseline
    block_us: int
    routes_left_out: int

    @property
    def is_comparable(self) -> bool:
        """Whether the baseline tells how much stretches of time differ, or ends just before the window.

        One or two stretches of other days do not: what differs from them may be usual.
        """
        if not len(self.baseline_us) or not len(self.window_us):
            return False
        blocks = len(np.unique(self.baseline_us // self.block_us))
        return blocks >= MIN_BLOCKS or int(self.window_us[0] - self.baseline_us[-1]) <= NEAR_US

    def rows(self, *columns: str) -> pl.LazyFrame:
        """Return the requests once for each subject they belong to: KEYS, ``bucket_us``, `columns`, counts.

        A route that is shown is kept beside as ``path``, since all routes of a service are one subject too.
        """
        lazy = self.requests.lazy().rename({"route": "path"})
        counted = [pl.col(name) for name in ("bucket_us", "path", *columns, "requests", "failed")]
        whole = [pl.lit("").alias("route")]
        of_all = lazy.filter("is_entry").select(pl.lit("").alias("service_name"), *whole, *counted)
        of_services = lazy.select(pl.col("service_name"), *whole, *counted)
        of_routes = lazy.filter("is_entry").select(pl.col("service_name"), pl.col("path").alias("route"), *counted)
        parts = [
            part.select(pl.lit(grain).alias("grain"), pl.all())
            for grain, part in (("all", of_all), ("service", of_services), ("route", of_routes))
        ]
        return pl.concat(parts).join(self.about.lazy().select(KEYS), on=KEYS, how="semi")

    def of_window(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows of the window."""
        return rows.filter(pl.col("bucket_us").is_in(self.window_us.tolist()))

    def of_baseline(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows of the baseline."""
        return rows.filter(pl.col("bucket_us").is_in(self.baseline_us.tolist()))


def choose_subjects(production: Production, *, services: Sequence[str] | None, max_routes: int) -> Subjects:
    """Choose what is measured: all entry requests, each other service, and the entry routes with most traffic.

    Raises
    ------
    ParameterError
        If a service is not one that was recorded.
    """
    window_us = production.recorded(production.window)
    wanted = _known_services(production, services)
    now = production.requests.filter(pl.col("bucket_us").is_between(*_ends(production), closed="left"))
    count = pl.col("requests").sum()
    of_all = now.filter("is_entry").select(
        pl.lit("all").alias("grain"), pl.lit("").alias("service_name"), pl.lit("").alias("route"), count
    )
    chosen = now.filter(pl.col("service_name").is_in(wanted))
    of_services = (
        chosen.group_by("service_name")
        .agg(count)
        .with_columns(pl.lit("service").alias("grain"), pl.lit("").alias("route"))
    )
    of_routes = (
        chosen.filter("is_entry")
        .group_by("service_name", "route")
        .agg(count)
        .with_columns(pl.lit("route").alias("grain"))
    )
    ordered = [
        part.select(*KEYS, "requests").sort("requests", "service_name", "route", descending=[True, False, False])
        for part in (of_services, of_routes.filter(pl.col("route") != ""))
    ]
    whole = of_all.filter(pl.col("requests") > 0) if services is None else of_all.head(0)
    fronts = now.filter("is_entry")["service_name"].unique().to_list()
    if whole.height and len(fronts) == 1 and now.filter(pl.col("service_name") == fronts[0])["is_entry"].all():
        # The only service that users reach is the same requests under another name.
        ordered[0] = ordered[0].filter(pl.col("service_name") != fronts[0])
    baseline_us, baseline = choose_baseline(production)
    return Subjects(
        about=pl.concat([whole.select(*KEYS, "requests"), ordered[0], ordered[1].head(max_routes)]),
        requests=production.requests,
        window_us=window_us,
        baseline_us=baseline_us,
        history_us=production.recorded(production.history),
        baseline=baseline,
        block_us=_block_us(production, baseline_us),
        routes_left_out=max(0, ordered[1].height - max_routes),
    )


def choose_baseline(production: Production) -> tuple[NDArray[np.int64], Baseline]:
    """Choose the recorded buckets of the history that the window is compared with.

    The same hours of the week where they were recorded twice as often as the window is long, else those of the day,
    else all; without the time of known incidents. A window of most of a day or more is compared with whole weeks and
    days anyway.
    """
    history_us = production.recorded(production.history)
    calm_us = _without_incidents(production, history_us)
    left = len(history_us) - len(calm_us)
    window_us = production.recorded(production.window)
    chosen, words = calm_us, "all of the time before"
    if len(calm_us) and len(window_us) and window_us[-1] - window_us[0] <= SAME_HOURS_UNTIL_US:
        for period, name in ((7 * DAY_US, "hours of the weeks before"), (DAY_US, "hours of the days before")):
            same = calm_us[np.isin(_hour_in(calm_us, period), np.unique(_hour_in(window_us, period)))]
            if len(same) >= MIN_TIMES_SEEN * len(window_us) and _times_seen(same, period) >= MIN_TIMES_SEEN:
                chosen, words = same, f"the same {name}"
                break
    if not len(chosen):
        return chosen, Baseline("nothing: no time before was recorded", 0, 0.0)
    without = " without known incidents" if left else ""
    return chosen, Baseline(words + without, len(chosen), float(len(chosen) * production.bucket_s))


def _known_services(production: Production, services: Sequence[str] | None) -> list[str]:
    known = sorted({*production.requests["service_name"], *production.metrics["service_name"]})
    for name in services or ():
        if name not in known:
            raise ParameterError.unknown("service", name, known=known)
    return known if services is None else list(services)


def _ends(production: Production) -> tuple[int, int]:
    return production.window.start_us, production.window.end_us


def _hour_in(buckets_us: NDArray[np.int64], period_us: int) -> NDArray[np.int64]:
    return (buckets_us - MONDAY_US) % period_us // HOUR_US


def _times_seen(buckets_us: NDArray[np.int64], period_us: int) -> int:
    return len(np.unique((buckets_us - MONDAY_US) // period_us))


def _without_incidents(production: Production, buckets_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out what the series leave out when they learn: known incidents and the minutes around them."""
    if not len(buckets_us):
        return buckets_us
    columns = Columns.of(production, production.recorded_us, bucket_us=production.bucket_us)
    return buckets_us[~np.isin(buckets_us, columns.time_us[columns.is_abnormal])]


def _block_us(production: Production, baseline_us: NDArray[np.int64]) -> int:
    length = production.window.end_us - production.window.start_us
    spread = int(baseline_us[-1] - baseline_us[0]) if len(baseline_us) else 0
    return max(length, DAY_US) if spread > 2 * DAY_US else length
