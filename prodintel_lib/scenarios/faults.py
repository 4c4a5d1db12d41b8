"""From a degraded dependency in the data to the fault that recreates it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.onset import SLOW_RATIO
from prodintel_lib.scenarios.model import DependencyFault
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.windows import Window

MIN_DEGRADED: Final = 5


@dataclass(frozen=True, slots=True)
class ObservedFault:
    """How a dependency misbehaved, with the counts behind it.

    Attributes
    ----------
    degraded, calls : int
        Calls that were slow or failed, of all in the window.
    latency_ms : int or None
        The median duration of the slow ones; None where they failed fast.
    status : int or None
        The usual status of those that failed fast.
    mode : {"hangs", "fails"}
    baseline_p99_ms : float
    """

    caller: str
    dependency: str
    degraded: int
    calls: int
    latency_ms: int | None
    status: int | None
    mode: Literal["hangs", "fails"]
    baseline_p99_ms: float

    @property
    def rate(self) -> float:
        """The share of calls that were degraded."""
        return self.degraded / self.calls

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        how = (
            f"took {self.latency_ms / 1000:,.1f} s (median)"
            if self.latency_ms is not None
            else f"failed with {self.status or 'an error'}"
        )
        return (
            f"{self.degraded:,} of {self.calls:,} calls from {self.caller} ({100 * self.rate:.0f} %) {how}; "
            f"p99 before: {self.baseline_p99_ms:,.0f} ms"
        )


def measure_fault(
    calls: pl.DataFrame, *, caller: str, dependency: str, window: Window, baseline: Window
) -> ObservedFault | None:
    """Measure how a dependency misbehaved in the window.

    A call is slow when it takes three times the baseline's p99. Returns None where fewer than five were degraded.

    Parameters
    ----------
    calls : polars.DataFrame
        One row a call: ``time_us, duration_ms, caller, dependency, failed, http_response_status_code``.
    """
    edge = calls.filter((pl.col("caller") == caller) & (pl.col("dependency") == dependency))
    before = within(edge, baseline)
    during = within(edge, window)
    if before.is_empty() or during.is_empty():
        return None
    p99_ms = float(before["duration_ms"].quantile(0.99, "linear") or 0.0)
    slow = during.filter(pl.col("duration_ms") > SLOW_RATIO * p99_ms)
    failed_fast = during.filter(pl.col("failed") & (pl.col("duration_ms") <= SLOW_RATIO * p99_ms))
    if slow.height >= max(failed_fast.height, MIN_DEGRADED):
        latency_ms = round(float(slow["duration_ms"].median() or 0.0), -2)  # type: ignore[arg-type]
        return ObservedFault(
            caller, dependency, slow.height, during.height, max(1, int(latency_ms)), None, "hangs", p99_ms
        )
    if failed_fast.height >= MIN_DEGRADED:
        statuses = failed_fast["http_response_status_code"].drop_nulls().mode().sort()
        status = int(statuses[0]) if len(statuses) and statuses[0] >= 400 else 503
        return ObservedFault(caller, dependency, failed_fast.height, during.height, None, status, "fails", p99_ms)
    return None


def build_condition(fault: ObservedFault, *, proxies: Mapping[str, str], rate: float | None = None) -> DependencyFault:
    """Build the condition that recreates a fault, at its own rate or another.

    Parameters
    ----------
    proxies : mapping
        Dependency to the name of the proxy before it; a dependency that is not in it has a proxy of its own name.
    """
    share = round(min(1.0, max(0.01, fault.rate)), 2) if rate is None else rate
    verb = {"hangs": "hangs", "fails": "fails"}[fault.mode]
    suffix = "" if rate is None else "_always" if rate == 1.0 else f"_{round(100 * rate)}_percent"
    return DependencyFault(
        id=slug(f"{fault.dependency} {verb}{suffix}", fallback="dependency"),
        dependency=fault.dependency,
        proxy=proxies.get(fault.dependency, fault.dependency),
        rate=share,
        latency_ms=fault.latency_ms,
        status=fault.status,
        seen=fault.sentence,
    )
