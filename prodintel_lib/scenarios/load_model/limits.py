"""What a run must hold: healthy statuses, a client's patience, and thresholds from production and from promises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.rollups.histograms import GROWTH, ZERO_BIN, value_of
from prodintel_lib.rollups.load_answers import NO_DURATION, NO_STATUS
from prodintel_lib.scenarios.load_model.model import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.workspace import RouteSlo

MIN_REQUESTS: Final = 100
"""So many requests of an endpoint make a threshold."""

MIN_STATUS_SHARE: Final = 0.01
MIN_PATIENCE_MS: Final = 10_000
PERCENTILES: Final = (95.0, 99.0)
PATIENCE_PERCENTILE: Final = 99.9
USUAL_STATUSES: Final = (200, 201, 202, 204, 301, 302, 303, 304, 307, 308)
"""What counts as healthy where no status is known."""

_TAIL: Final = 0.025
_SERVER_ERROR: Final = 500
_FIRST_STATUS: Final = 100
_NOT_MODIFIED, _PARTIAL, _OK = 304, 206, 200


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """How an endpoint was answered.

    Attributes
    ----------
    requests : int
    methods : tuple of str
        The most frequent first.
    statuses : tuple of int
        Of healthy answers: those that MIN_STATUS_SHARE of them had at least.
    statuses_known : bool
    failed : int
        Requests that a load test would count as failed.
    bins, counts : array of int
        Durations of those that did not fail, by bins of histograms.
    """

    requests: int
    methods: tuple[str, ...]
    statuses: tuple[int, ...]
    statuses_known: bool
    failed: int
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def timed(self) -> int:
        """Requests whose duration is known."""
        return int(self.counts.sum())

    def quantile_ms(self, q: float) -> float | None:
        """Return the duration of rank ``ceil(q n)``, true to 1 %; None where none is known."""
        rank = max(1, math.ceil(q * self.timed - 1e-9))
        return float(value_of(self.bins[self._at(rank)])[0]) if self.timed else None

    def quantile_high_ms(self, q: float) -> float | None:
        """Return the upper end of the quantile's 95 % interval; None where there are too few to have one.

        Notes
        -----
        The order statistic whose rank is the 97.5 % quantile of Binomial(n, q), plus 1 (Conover 1999, Practical
        Nonparametric Statistics, section 3.2), at the upper edge of its bin. It supposes that requests are independent.
        """
        if not self.timed:
            return None
        from scipy.stats import binom  # noqa: PLC0415 - costs a second to import

        rank = int(binom.ppf(1 - _TAIL, self.timed, q)) + 1
        if rank > self.timed:
            return None
        number = int(self.bins[self._at(rank)][0])
        return 0.0 if number <= ZERO_BIN else float(GROWTH ** (number + 1))

    def _at(self, rank: int) -> NDArray[np.int64]:
        return np.searchsorted(np.cumsum(self.counts), [rank])


def measure_endpoints(answers: pl.DataFrame) -> dict[str, Measured]:
    """Say of each endpoint how it was answered.

    Parameters
    ----------
    answers : polars.DataFrame
        Columns of load_answers.LOAD_ANSWERS_SCHEMA.
    """
    return {str(key[0]): _measure(part) for key, part in answers.group_by("endpoint", maintain_order=True)}


def _measure(part: pl.DataFrame) -> Measured:
    known = part.filter(pl.col("status") != NO_STATUS)
    healthy = known.filter(~pl.col("failed"), pl.col("status") >= _FIRST_STATUS, pl.col("status") < _SERVER_ERROR)
    counts = healthy.group_by("status").agg(pl.col("requests").sum()).sort("status")
    total = int(counts["requests"].sum())
    usual = [int(status) for status, n in counts.iter_rows() if n >= MIN_STATUS_SHARE * total]
    statuses = tuple(sorted(_with_uncached(usual))) or USUAL_STATUSES
    is_failed = pl.col("failed")
    if not known.is_empty():
        is_failed = is_failed | ~pl.col("status").is_in(statuses)
    failed = part.filter(is_failed)["requests"].sum()
    timed = part.filter(~is_failed, pl.col("bin") != NO_DURATION)
    binned = timed.group_by("bin").agg(pl.col("requests").sum()).sort("bin")
    methods = part.group_by("method").agg(pl.col("requests").sum()).sort("requests", "method", descending=[True, False])
    return Measured(
        requests=int(part["requests"].sum()),
        methods=tuple(methods["method"]),
        statuses=statuses,
        statuses_known=bool(usual),
        failed=int(failed),
        bins=binned["bin"].to_numpy(),
        counts=binned["requests"].to_numpy(),
    )


def _with_uncached(statuses: Iterable[int]) -> set[int]:
    """Add what a client without a cache is answered where one with a cache had 304, or asked for a part and had 206."""
    found = set(statuses)
    return found | ({_OK} if found & {_NOT_MODIFIED, _PARTIAL} else set())


def patience_ms(measured: Measured | None, slos: Sequence[RouteSlo]) -> int:
    """Return how long a client waits: as long as 999 of 1,000 answers took, as is promised, and ten seconds."""
    longest = measured.quantile_ms(PATIENCE_PERCENTILE / 100) if measured else None
    promised = [slo.latency_ms for slo in slos if slo.latency_ms is not None]
    return math.ceil(max([MIN_PATIENCE_MS, longest or 0.0, *promised]))


def build_thresholds(place: int, measured: Measured, slos: Sequence[RouteSlo]) -> list[Threshold]:
    """State what an endpoint must hold.

    Parameters
    ----------
    place : int
        The endpoint's.
    measured : Measured
    slos : sequence of RouteSlo
        Those of its route.

    Returns
    -------
    list of Threshold
        A promise where there is one; else, of MIN_REQUESTS and more, what production had, where there are enough to
        give it an upper end: for p99 it takes 368 requests.
    """
    promised = {slo.percentile: slo.latency_ms for slo in slos if slo.latency_ms is not None}
    found = []
    for percentile in sorted({*PERCENTILES, *promised}):
        seen, high = measured.quantile_ms(percentile / 100), measured.quantile_high_ms(percentile / 100)
        limit = promised.get(percentile, high if measured.timed >= MIN_REQUESTS else None)
        if limit is not None and seen is not None:
            found.append(
                Threshold(
                    endpoint=place,
                    kind="latency",
                    percentile=percentile,
                    limit=_up(limit),
                    origin="slo" if percentile in promised else "production",
                    seen=round(seen, 3),
                    n=measured.timed,
                )
            )
    return [*found, *_failures(place, measured, slos)]


def _failures(place: int, measured: Measured, slos: Sequence[RouteSlo]) -> list[Threshold]:
    promised = [1 - slo.availability for slo in slos if slo.availability is not None]
    if not promised and measured.requests < MIN_REQUESTS:
        return []
    seen = Proportion.of(measured.failed, measured.requests)
    return [
        Threshold(
            endpoint=place,
            kind="failures",
            limit=round(min(promised) if promised else seen.high, 6),
            origin="slo" if promised else "production",
            seen=round(seen.share, 6),
            n=measured.requests,
        )
    ]


def _up(limit_ms: float) -> float:
    return math.ceil(limit_ms * 1000 - 1e-6) / 1000
