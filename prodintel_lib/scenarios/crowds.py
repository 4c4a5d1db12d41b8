"""Whether requests fail for being many: how many were in flight when the bad ones came, against healthy times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.in_flight import count_company

if TYPE_CHECKING:
    from prodintel_lib.analyses.differences import Differences
    from prodintel_lib.windows import Window

MIN_RATIO: Final = 2.0
MIN_CROWD: Final = 4
MIN_BAD: Final = 5


@dataclass(frozen=True, slots=True)
class Crowd:
    """Bad requests came while many of their route were in flight.

    Attributes
    ----------
    median_bad, healthy_p99 : float
        In flight when a bad request began, and when a healthy one did before the incident (99th percentile).
    bad, healthy_n : int
    peak : int
        The most at once.
    cold : bool
        Whether caches missed more than before at the same time.
    """

    route: str
    median_bad: float
    healthy_p99: float
    bad: int
    healthy_n: int
    peak: int
    cold: bool

    @property
    def differs(self) -> str:
        """Say what sets them apart."""
        return f"many {self.route} at the same moment" + (", which no cache could answer" if self.cold else "")

    @property
    def seen(self) -> str:
        """Say it with its counts."""
        return (
            f"{self.median_bad:g} in flight at the median of {self.bad:,} bad requests (at most {self.peak}); "
            f"{self.healthy_p99:g} at the 99th percentile of {self.healthy_n:,} before"
        )


def find_crowd(
    requests: pl.DataFrame, differences: Differences, *, route: str, window: Window, baseline: Window
) -> Crowd | None:
    """Find out whether bad requests of a route came in crowds.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``time_us, duration_ms, route, bad``.
    differences : Differences
        They tell whether caches missed.

    Returns
    -------
    Crowd or None
        None where bad requests met no more company than healthy ones: less than twice the healthy 99th percentile at
        their median, or fewer than four.
    """
    of_route = requests.filter(pl.col("route") == route)
    company = of_route.with_columns(pl.Series("company", count_company(of_route), dtype=pl.Int64))
    bad = within(company, window).filter(pl.col("bad"))["company"]
    healthy = within(company, baseline)["company"]
    if len(bad) < MIN_BAD or healthy.is_empty():
        return None
    median_bad, healthy_p99 = float(str(bad.median())), float(str(healthy.quantile(0.99, "higher")))
    if median_bad < max(MIN_CROWD, MIN_RATIO * healthy_p99):
        return None
    cold = any(row.notable and _missed_more(row.measure, row.effect or 0.0) for row in differences.of("cache"))
    return Crowd(route, median_bad, healthy_p99, len(bad), len(healthy), int(str(bad.max())), cold)


def _missed_more(measure: str, effect: float) -> bool:
    return ("miss" in measure and effect > 0) or ("hit" in measure and effect < 0)
