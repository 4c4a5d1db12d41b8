"""How bad a finding is, and why: whom it hit, how much, how long; few events are never critical."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.onset import INSTANT_MS
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomalies import Severity
    from prodintel_lib.analyses.anomaly_findings.figures import Figures
    from prodintel_lib.analyses.anomaly_findings.model import FindingType
    from prodintel_lib.analyses.statistics import Proportion

LEVELS: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
MANY_OF_ALL: Final = ((0.25, 3), (0.1, 2), (0.01, 1))
"""Shares of all requests from outside that went bad, and the level each makes."""
FEW_OF_ALL: Final = 0.01
MANY_OF_OWN: Final = ((0.5, 2), (0.1, 1))
MANY_TIMES: Final = ((10.0, 2), (2.0, 1))
FEW_EVENTS: Final = ((10, 0), (30, 1), (100, 2))
"""With fewer events than the first, no level above the second."""
LONG_S: Final = 3600.0
NEARLY_FULL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the severity is made from.

    Attributes
    ----------
    is_felt : bool
        Whether users feel what the main series measures.
    affected : Proportion or None
        Requests from outside that went bad, of all.
    events : float
        How many events the finding rests on: bad requests, requests too few, sessions.
    """

    type: FindingType
    figures: Figures
    is_felt: bool
    affected: Proportion | None
    events: float
    duration_s: float
    is_ongoing: bool
    is_for_the_worse: bool


def grade(case: Circumstances) -> tuple[Severity, str]:
    """Say how bad it is.

    Parameters
    ----------
    case : Circumstances

    Returns
    -------
    severity : {"low", "medium", "high", "critical"}
        The higher of what its size and its share of all requests make; one more where it lasted an hour; no more than
        its kind of evidence allows: few events, nobody outside known to be hit, nothing that must be for the worse.
    reason : str
        The figures it was made from, and the limit where one held it back.
    """
    level, reasons = _by_size(case)
    if case.is_felt and case.affected is not None and case.affected.n:
        of_all = _step(case.affected.share, MANY_OF_ALL)
        level = max(level, of_all)
        reasons.append(
            f"{case.affected.hits:,} of {case.affected.n:,} requests from outside went bad "
            f"({100 * case.affected.share:.1f} %)"
        )
    if case.duration_s >= LONG_S:
        level = min(level + 1, len(LEVELS) - 1)
        reasons.append(f"{'lasts' if case.is_ongoing else 'lasted'} {format_duration(case.duration_s)}")
    most, limit = _limit(case)
    if level > most:
        level = most
        reasons.append(limit)
    return LEVELS[level], "; ".join(reasons)


def _step(value: float, steps: tuple[tuple[float, int], ...]) -> int:
    return next((level for least, level in steps if value >= least), 0)


def _by_size(case: Circumstances) -> tuple[int, list[str]]:
    figures = case.figures
    if figures.unit == "share" and not math.isnan(figures.magnitude):
        moved = abs(figures.magnitude)
        return _step(moved, MANY_OF_OWN), [
            f"{100 * moved:.1f} points {'more' if figures.magnitude > 0 else 'less'} than before (n {figures.n:,})"
        ]
    ratio = figures.ratio
    if math.isnan(ratio):
        return 0, [f"nothing to compare with (n {figures.n:,})"]
    less = figures.current < figures.baseline
    how = "gone" if less and math.isinf(ratio) else f"{ratio:,.1f} times {'less' if less else 'as much'}"
    how = "nothing before" if not less and math.isinf(ratio) else how
    level = _step(ratio, MANY_TIMES)
    if case.type == "SATURATION" and NEARLY_FULL <= figures.current <= 1.0:
        return max(level, 1), [f"{100 * figures.current:.0f} % used (n {figures.n:,})"]
    return level, [f"{how} (n {figures.n:,})"]


def _limit(case: Circumstances) -> tuple[int, str]:
    """Return the highest level this kind of evidence allows, and why."""
    limits = [(most, f"only {case.events:,.0f} events") for fewer, most in FEW_EVENTS if case.events < fewer][:1]
    if case.type == "LATENCY_DEGRADATION" and case.figures.current < INSTANT_MS:
        limits.append((0, f"still under {INSTANT_MS:g} ms, which feels instant"))
    if case.affected is not None and case.affected.n and case.affected.share < FEW_OF_ALL:
        limits.append((2, f"under {FEW_OF_ALL:.0%} of the requests from outside".replace("%", " %")))
    if not case.is_for_the_worse:
        limits.append((1, "a change that need not be for the worse"))
    if not case.is_felt:
        limits.append((1, "no request from outside is known to be hit"))
    return min(limits, key=lambda limit: limit[0], default=(len(LEVELS) - 1, ""))
