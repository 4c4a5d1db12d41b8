"""The time of day of an error, on the clocks of those who met it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.statistics import Proportion, find_abnormal_interval

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

DAY_HOURS: Final = 24
MIN_EXPECTED: Final = 5.0
SURE: Final = 0.01


@dataclass(frozen=True, slots=True)
class HourPattern:
    """How the rate of an error goes over the local day.

    Attributes
    ----------
    p_value : float or None
        Of the hypothesis that every hour has the same rate; None where there is too little to test.
    peak_from, peak_to : int or None
        The local hours ``[from, to)`` in which it is raised the most, over midnight where ``to <= from``; None where
        no interval is raised for certain.
    inside, outside : Proportion or None
        Sessions that met it among those that were there, in the peak and out of it.
    unknown : int
        Sessions that met it and whose local time is not known: left out.
    """

    p_value: float | None
    peak_from: int | None
    peak_to: int | None
    inside: Proportion | None
    outside: Proportion | None
    unknown: int

    @property
    def is_peaked(self) -> bool:
        """Whether the rate differs by hour, and is raised in one interval."""
        return self.p_value is not None and self.p_value < SURE and self.peak_from is not None

    def __str__(self) -> str:
        if self.p_value is None:
            return "local time not known" if self.unknown else "too few to say"
        if not self.is_peaked or self.inside is None or self.outside is None:
            return "as the traffic" if self.p_value >= SURE else "differs by hour, without one peak"
        times = self.inside.share / self.outside.share if self.outside.hits else float("inf")
        more = f"{times:.1f} times the rate of other hours" if np.isfinite(times) else "at no other hour"
        return f"{self.peak_from:02} to {self.peak_to:02} h: {more}"


def find_hour_pattern(counts: pl.DataFrame, *, unknown: int) -> HourPattern:
    """Test whether an error has its hours, given when people were there at all.

    Parameters
    ----------
    counts : polars.DataFrame
        ``hour_local`` (0 to 23), ``hits``, ``sessions``: sessions with the error in that hour, and all that were on its
        page in it. Hours without sessions may be missing.
    unknown : int
        Hits of unknown hour.

    Notes
    -----
    Pearson's chi-squared test of homogeneity over the hours; neighbours are put together until every expected count is
    MIN_EXPECTED (Cochran 1954, doi:10.2307/3001616). A session that is there in two hours counts in both. The peak is
    the interval of the scan statistic (statistics.find_abnormal_interval) on a day that is made to begin in the hour
    with the fewest sessions, so that a peak may run over midnight.
    """
    hits, sessions = np.zeros(DAY_HOURS, dtype=np.int64), np.zeros(DAY_HOURS, dtype=np.int64)
    hours = counts["hour_local"].to_numpy()
    np.add.at(hits, hours, counts["hits"].to_numpy())
    np.add.at(sessions, hours, counts["sessions"].to_numpy())
    start = int(np.argmin(sessions))
    hits, sessions = np.roll(hits, -start), np.roll(sessions, -start)
    p_value = _test_homogeneity(hits, sessions)
    peak = find_abnormal_interval(hits, sessions) if p_value is not None else None
    if peak is None or peak.p_value >= SURE:
        return HourPattern(p_value, None, None, None, None, unknown)
    # Hours in which nobody was there add nothing to an interval, and may lie at its ends.
    there = np.flatnonzero(sessions[peak.first : peak.last + 1]) + peak.first
    first, after = (start + int(there[0])) % DAY_HOURS, (start + int(there[-1]) + 1) % DAY_HOURS
    return HourPattern(p_value, first, after, peak.inside, peak.outside, unknown)


def _test_homogeneity(hits: NDArray[np.int64], sessions: NDArray[np.int64]) -> float | None:
    """Return the p value of one rate for all hours; None with fewer than two groups of hours to compare."""
    total, every = int(hits.sum()), int(sessions.sum())
    if total in {0, every}:
        return None
    rarer = min(total, every - total) / every
    groups: list[tuple[int, int]] = []
    held_hits = held_sessions = 0
    for hit, session in zip(hits.tolist(), sessions.tolist(), strict=True):
        held_hits, held_sessions = held_hits + hit, held_sessions + session
        if held_sessions * rarer >= MIN_EXPECTED:
            groups.append((held_hits, held_sessions))
            held_hits = held_sessions = 0
    if groups and held_sessions:
        groups[-1] = (groups[-1][0] + held_hits, groups[-1][1] + held_sessions)
    if len(groups) < 2:
        return None
    from scipy.stats import chi2  # noqa: PLC0415 - costs a second to import

    seen = np.array(groups, dtype=np.float64)
    share = total / every
    statistic = ((seen[:, 0] - seen[:, 1] * share) ** 2 / (seen[:, 1] * share * (1 - share))).sum()
    return float(chi2.sf(statistic, len(groups) - 1))
