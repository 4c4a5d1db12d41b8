"""Good and bad requests of an objective on a grid of buckets, and the burn over any window that ends at a bucket."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.statistics import Z95
from prodintel_lib.rollups.request_bins import coarse_value_of
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.slos.objectives import Objective

US_PER_H: Final = 3600 * US_PER_S
BURN_WINDOWS_H: Final[dict[str, float]] = {"5m": 1 / 12, "30m": 0.5, "1h": 1, "2h": 2, "6h": 6, "1d": 24, "3d": 72}
STRETCHES: Final = 50
"""Into so many stretches of equal recorded time a period is cut to see whether failures come in bunches."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What came of an objective, bucket by bucket, over its period.

    Attributes
    ----------
    start_us, bucket_us : int
        Of the first bucket, and the width of all.
    total, bad : array of int, shape (buckets,)
        Requests that began in the bucket, and those of them that broke the promise.
    recorded : array of bool, shape (buckets,)
        Whether anything at all was recorded then.
    """

    start_us: int
    bucket_us: int
    total: NDArray[np.int64]
    bad: NDArray[np.int64]
    recorded: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """All requests."""
        return int(self.total.sum())

    @property
    def n_bad(self) -> int:
        """All bad requests."""
        return int(self.bad.sum())

    @property
    def recorded_h(self) -> float:
        """Hours in which anything was recorded."""
        return float(self.recorded.sum()) * self.bucket_us / US_PER_H

    @property
    def starts_us(self) -> NDArray[np.int64]:
        """The start of each bucket."""
        return self.start_us + np.arange(len(self.total), dtype=np.int64) * self.bucket_us

    def buckets_in(self, hours: float) -> int:
        """Return how many buckets make so many hours; 0 where a bucket is longer than that."""
        return round(hours * US_PER_H) // self.bucket_us

    def last(self, hours: float) -> Course:
        """Return the buckets of the last hours; all of them where there are no more."""
        first = max(0, len(self.total) - self.buckets_in(hours))
        return Course(
            self.start_us + first * self.bucket_us,
            self.bucket_us,
            self.total[first:],
            self.bad[first:],
            self.recorded[first:],
        )

    def trailing_burn(self, hours: float, allowed_share: float) -> NDArray[np.float64]:
        """Return the burn over the hours that end with each bucket; NaN where no request was recorded in them.

        A burn of 1 uses the budget of a period up in exactly a period.
        """
        width = self.buckets_in(hours)
        if width == 0:
            return np.full(len(self.total), math.nan)
        total, bad = _trailing_sum(self.total, width), _trailing_sum(self.bad, width)
        with np.errstate(divide="ignore", invalid="ignore"):
            # A share that may not fail at all burns infinitely fast with the first failure, and not before.
            burn = np.where(bad > 0, bad / total / allowed_share, 0.0)
        return np.where(total > 0, burn, math.nan)


def count_course(production: Production, objective: Objective, *, as_of_us: int, since_us: int | None = None) -> Course:
    """Count an objective's requests over the period that ends at `as_of_us`, or since an earlier time.

    Requests that entered the system are counted; a route that none enters by is one between services, and then all of
    its requests are.
    """
    width_us = production.bucket_s * US_PER_S
    period_start_us = as_of_us - round(objective.period_days * 24 * US_PER_H)
    if since_us is not None:
        period_start_us = min(period_start_us, since_us)
    earliest_us = int(production.recorded_us[0]) if len(production.recorded_us) else period_start_us
    first = -(-max(period_start_us, earliest_us) // width_us)
    buckets = max(0, -(-as_of_us // width_us) - first)
    rows = requests_of(production.requests, objective.route).with_columns(
        _bad(objective, limits_ms=known_limits_ms(production)).alias("bad"),
        (pl.col("bucket_us") // width_us - first).alias("place"),
    )
    rows = rows.filter(pl.col("place").is_between(0, buckets, closed="left"))
    recorded = np.zeros(buckets, dtype=np.bool_)
    places = production.recorded_us // width_us - first
    recorded[places[(places >= 0) & (places < buckets)]] = True
    return Course(
        first * width_us,
        width_us,
        _added_up(rows["place"], rows["requests"], buckets),
        _added_up(rows["place"], rows["bad"], buckets),
        recorded,
    )


def requests_of(requests: pl.DataFrame, route: str) -> pl.DataFrame:
    """Return the rows of a route: those that entered the system, or all where none did."""
    rows = requests.filter(pl.col("route") == route)
    entries = rows.filter(pl.col("is_entry"))
    return rows if entries.is_empty() else entries


def known_limits_ms(production: Production) -> Mapping[str, float]:
    """Return the limits that the production's ``over_limit`` was counted at."""
    return production.limits_ms


def is_exact(objective: Objective, limits_ms: Mapping[str, float]) -> bool:
    """Say whether an objective's bad requests were counted one by one, not by bins."""
    return objective.kind == "availability" or limits_ms.get(objective.route) == objective.limit_ms


def slower_than(limit_ms: float) -> pl.Expr:
    """Count the requests of a row that are in a bin above a limit, which is true to the width of a coarse bin."""
    return pl.when(pl.col("bin").map_batches(_values, return_dtype=pl.Float64) > limit_ms).then("requests").otherwise(0)


def interval(bad: float, n: float, *, design_effect: float = 1.0) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share whose failures come in bunches of `design_effect`.

    Notes
    -----
    Wilson (1927), doi:10.1080/01621459.1927.10502953, at the effective sample size n / design effect of Kish (1965),
    Survey Sampling, section 8.2.
    """
    if n <= 0:
        return 0.0, 1.0
    share, size, z2 = bad / n, n / design_effect, Z95**2
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = Z95 / (1 + z2 / size) * math.sqrt(share * (1 - share) / size + z2 / (4 * size * size))
    return max(0.0, centre - half), min(1.0, centre + half)


def design_effect(course: Course) -> float:
    """Return how much larger the variance of the bad share is than of failures that come one by one; at least 1.

    Notes
    -----
    Pearson's chi-squared over its degrees of freedom, over stretches of equal recorded time: McCullagh & Nelder (1989),
    Generalized Linear Models, section 4.5.2. Buckets without a request have no part in it.
    """
    asked = np.flatnonzero(course.total > 0)
    if len(asked) < 2 or course.n_bad in {0, course.n}:
        return 1.0
    stretches = np.array_split(asked, min(STRETCHES, len(asked)))
    total = np.array([course.total[part].sum() for part in stretches], dtype=np.float64)
    bad = np.array([course.bad[part].sum() for part in stretches], dtype=np.float64)
    share = bad.sum() / total.sum()
    pearson = float((((bad - share * total) ** 2) / (share * (1 - share) * total)).sum())
    return max(1.0, pearson / (len(stretches) - 1))


def last_recorded_end_us(production: Production, within: Window) -> int | None:
    """Return the end of the last bucket of a window in which anything was recorded, at most the window's own end."""
    inside = production.recorded_us[
        (production.recorded_us < within.end_us)
        & (production.recorded_us + production.bucket_s * US_PER_S > within.start_us)
    ]
    return min(int(inside[-1]) + production.bucket_s * US_PER_S, within.end_us) if len(inside) else None


def thinned(columns: int, limit: int) -> NDArray[np.int64]:
    """Return at most `limit` places of `columns`, evenly spaced, the last one among them."""
    step = max(1, -(-columns // limit))
    return np.arange((columns - 1) % step, columns, step, dtype=np.int64)


def largest_in_steps(values: NDArray[np.float64], places: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest value after the place before and up to each place; NaN where there is none."""
    starts = np.concatenate([[0], np.asarray(places)[:-1] + 1])
    known = np.where(np.isnan(values), -math.inf, values)
    largest = np.maximum.reduceat(known, starts) if len(values) else known
    return np.where(np.isneginf(largest), math.nan, largest)


def _bad(objective: Objective, *, limits_ms: Mapping[str, float]) -> pl.Expr:
    if objective.limit_ms is None:
        return pl.col("failed")
    return pl.col("over_limit") if is_exact(objective, limits_ms) else slower_than(objective.limit_ms)


def _values(bins: pl.Series) -> pl.Series:
    # A duration that is not known is a NaN, which Polars holds to be larger than any limit.
    return pl.Series(np.nan_to_num(coarse_value_of(bins.to_numpy())), dtype=pl.Float64)


def _added_up(places: pl.Series, values: pl.Series, buckets: int) -> NDArray[np.int64]:
    # As weights the counts are floats, which hold every integer up to 2^53.
    sums = np.bincount(places.to_numpy(), weights=values.to_numpy(), minlength=buckets)
    return np.rint(sums).astype(np.int64)


def _trailing_sum(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    sums = np.cumsum(values)
    trailing = sums.copy()
    trailing[width:] -= sums[:-width]
    return np.asarray(trailing, dtype=np.int64)
