"""Whether an error became more or less frequent, measured against the traffic it comes from, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Trend = Literal["new", "rising", "steady", "falling", "gone", "too few to say"]
SURE: Final = 0.05
STEADY_WITHIN: Final = 2.0
"""A rate is called steady only where the interval excludes that it doubled or halved."""

MIN_BUCKETS: Final = 5
"""Fewer buckets than this say nothing of how errors bunch together."""


@dataclass(frozen=True, slots=True)
class Course:
    """Errors and the traffic they came from, bucket by bucket.

    Attributes
    ----------
    errors, exposure : array of float
        Of the same buckets.
    """

    errors: NDArray[np.float64]
    exposure: NDArray[np.float64]

    @property
    def total(self) -> float:
        """All errors."""
        return float(self.errors.sum())

    @property
    def traffic(self) -> float:
        """All traffic."""
        return float(self.exposure.sum())


@dataclass(frozen=True, slots=True)
class RateChange:
    """The rate of errors in the window over the rate before it.

    Attributes
    ----------
    ratio, low, high : float
        With its 95 % interval; infinite where there was none before, NaN where one side has no traffic.
    p_value : float
        Of the hypothesis of one rate.
    dispersion : float
        How much more the counts of buckets vary than those of a Poisson process; 1 where they do not.
    """

    ratio: float
    low: float
    high: float
    p_value: float
    dispersion: float


def compare_rates(now: Course, before: Course) -> RateChange:
    """Compare the rate of errors of two stretches of time.

    Notes
    -----
    Given the sum of two Poisson counts, the first is binomial, and its share says the ratio of the rates (Przyborowski
    and Wilenski 1940, doi:10.1093/biomet/31.3-4.313); the interval is Clopper and Pearson's (1934,
    doi:10.1093/biomet/26.4.404), the p value twice the smaller tail. Errors come in bursts: both counts are divided by
    the dispersion, as quasi-likelihood does (McCullagh and Nelder 1989, Generalized Linear Models, section 6.2.3), 1 at
    least. With counts that are no longer whole the limits are quantiles of beta distributions, as they are for whole
    ones.

    Examples
    --------
    >>> quiet = Course(np.array([4.0]), np.array([1000.0]))
    >>> change = compare_rates(Course(np.array([5.0]), np.array([1000.0])), quiet)
    >>> f"{change.ratio:.2f} ({change.low:.2f} to {change.high:.2f})"
    '1.25 (0.27 to 6.30)'
    """
    from scipy.special import betainc, betaincinv  # noqa: PLC0415 - scipy costs half a second to import

    if not now.traffic or not before.traffic:
        return RateChange(math.nan, math.nan, math.nan, 1.0, 1.0)
    dispersion = max(1.0, measure_dispersion([now, before]))
    x, y = now.total / dispersion, before.total / dispersion
    scale = before.traffic / now.traffic
    low = float(betaincinv(x, y + 1, 0.025)) if x else 0.0
    high = float(betaincinv(x + 1, y, 0.975)) if y else 1.0
    share = now.traffic / (now.traffic + before.traffic)
    upper = float(betainc(x, y + 1, share)) if x else 1.0
    lower = 1 - float(betainc(x + 1, y, share)) if y else 1.0
    ratio = scale * now.total / before.total if before.total else (math.inf if now.total else math.nan)
    return RateChange(ratio, scale * _odds(low), scale * _odds(high), min(1.0, 2 * min(upper, lower)), dispersion)


def measure_dispersion(courses: list[Course]) -> float:
    """Return how much more counts vary from bucket to bucket than chance alone would let them.

    1 where buckets are too few to say.

    Notes
    -----
    From successive differences, as von Neumann et al. (1941, doi:10.1214/aoms/1177731746) measure scatter around a mean
    that moves: an outage that begins within a stretch is a change and no scatter, and does not hide itself.
    """
    statistic, terms = 0.0, 0
    for course in courses:
        there = course.exposure > 0
        errors, exposure = course.errors[there], course.exposure[there]
        if len(errors) < MIN_BUCKETS or not errors.sum():
            continue
        steps = np.diff(errors / exposure)
        rates = (errors[1:] + errors[:-1]) / (exposure[1:] + exposure[:-1])
        # Two buckets without errors say nothing of how errors scatter.
        variances = rates * (1 / exposure[1:] + 1 / exposure[:-1])
        told = variances > 0
        statistic += float((steps[told] ** 2 / variances[told]).sum())
        terms += int(told.sum())
    return statistic / terms if terms else 1.0


def name_trend(change: RateChange, *, now: float, before: float, q_value: float) -> tuple[Trend, str]:
    """Say in a word how an error went, and why.

    Parameters
    ----------
    change : RateChange
    now, before : float
        Its counts.
    q_value : float
        The p value of the change, corrected for the number of patterns.
    """
    counts = f"{now:,.0f} in the window, {before:,.0f} before"
    if math.isnan(change.low):
        return "too few to say", f"{counts}; no traffic was recorded on one side to compare them by"
    interval = f"95 % CI {_times(change.low)} to {_times(change.high)} times the rate"
    said = f"{counts}; {interval}"
    if q_value <= SURE and change.low > 1:
        return ("rising" if before else "new"), said
    if q_value <= SURE and change.high < 1:
        return ("falling" if now else "gone"), said
    if change.low > 1 / STEADY_WITHIN and change.high < STEADY_WITHIN:
        return "steady", said
    return "too few to say", said


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def _times(value: float) -> str:
    return "any number of" if math.isinf(value) else f"{value:.2g}" if value < 100 else f"{value:,.0f}"
