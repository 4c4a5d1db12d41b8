"""The forecast that the history allows: by the hour with its rhythm, the level alone, or none with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from prodintel_lib.analyses.golden_signals.forecasting import INTERVAL, forecast_counts
from prodintel_lib.analyses.golden_signals.rhythm import DAY, HOUR_S, PERIOD_NAMES, WEEK
from prodintel_lib.analyses.golden_signals.subjects import DAY_US, HOUR_US, MONDAY_US
from prodintel_lib.windows import US_PER_S, format_duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.golden_signals.forecasting import Forecast
    from prodintel_lib.analyses.golden_signals.rhythm import Hours

    Vector = NDArray[np.float64]

HORIZON_HOURS: Final = 24
MIN_LEVEL_STEPS: Final = 60
MAX_LEVEL_STEPS: Final = 240
AHEAD_PART: Final = 6
GAP_STEPS: Final = 3


@dataclass(frozen=True, slots=True)
class Foresight:
    """What is foreseen of one subject.

    Attributes
    ----------
    rows : list of tuple
        ``bucket_us, step_s, rps, low_rps, high_rps, method``; empty where nothing is foreseen.
    facts : dict
        ``forecast_method, forecast_says, coverage, coverage_n``.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def foresee(recorded_us: NDArray[np.int64], counts: Vector, bucket_s: int, hours: Hours) -> Foresight:
    """Foresee the next hours of one subject.

    Parameters
    ----------
    recorded_us, counts : arrays, shape (buckets,)
        Recorded buckets and the requests in each.
    bucket_s : int
    hours : rhythm.Hours
        The same by hours.
    """
    if hours.period:
        periods = [DAY, WEEK] if hours.period == WEEK else [DAY]
        found = forecast_counts(hours.rates * HOUR_S, steps=HORIZON_HOURS, periods=periods, day=DAY)
        if found is not None:
            start_us = hours.start_us + len(hours.rates) * HOUR_US
            return _foresight(found, start_us, HOUR_S, _unseen_days(hours, start_us))
    return _foresee_level(recorded_us, counts, bucket_s)


def _foresee_level(recorded_us: NDArray[np.int64], counts: Vector, bucket_s: int) -> Foresight:
    """Foretell the level from the last stretch without a gap, a sixth of its length ahead."""
    step_us = bucket_s * US_PER_S
    gaps = np.flatnonzero(np.diff(recorded_us) > GAP_STEPS * step_us)
    first = int(gaps[-1]) + 1 if len(gaps) else 0
    stretch = counts[first:]
    together = max(1, len(stretch) // MAX_LEVEL_STEPS)
    whole = len(stretch) // together * together
    if whole // together < MIN_LEVEL_STEPS:
        length = format_duration(len(stretch) * bucket_s)
        need = format_duration(MIN_LEVEL_STEPS * bucket_s)
        return _none(f"no forecast: {length} were recorded without a gap, at least {need} are needed for a level")
    # Whole steps are counted back from the end, so that the last one is the latest.
    steps = stretch[len(stretch) - whole :].reshape(-1, together).sum(axis=1)
    found = forecast_counts(steps, steps=max(1, len(steps) // AHEAD_PART), periods=(), day=len(steps))
    if found is None:
        return _none("no forecast: too few known steps to try one on")
    says = "level only: no day was seen twice, so that a rhythm is not known"
    return _foresight(found, int(recorded_us[-1]) + step_us, together * bucket_s, says)


def _none(says: str) -> Foresight:
    return Foresight(facts={"forecast_method": "", "forecast_says": says, "coverage": None, "coverage_n": 0})


def _foresight(found: Forecast, start_us: int, step_s: int, remark: str) -> Foresight:
    method = found.method.words(PERIOD_NAMES)
    rows = [
        (start_us + at * step_s * US_PER_S, step_s, *(float(part[at]) / step_s for part in _columns(found)), method)
        for at in range(len(found.values))
    ]
    tried = (
        f"{found.coverage:.0%} of {found.coverage_n:,} backtested values lay in the {INTERVAL:.0%} interval"
        if found.coverage_n
        else "too few values to try the interval on"
    )
    ahead = format_duration(len(found.values) * step_s)
    says = f"next {ahead} by {method}; {tried}" + (f"; {remark}" if remark else "")
    coverage = None if math.isnan(found.coverage) else found.coverage
    return Foresight(
        rows,
        {"forecast_method": method, "forecast_says": says, "coverage": coverage, "coverage_n": found.coverage_n},
    )


def _columns(found: Forecast) -> tuple[Vector, Vector, Vector]:
    return found.values, found.low, found.high


def _unseen_days(hours: Hours, start_us: int) -> str:
    """Say that a day of the week is foretold that was not seen before."""
    seen = set(((hours.times_us - MONDAY_US) // DAY_US % 7).tolist())
    ahead = {(start_us + at * HOUR_US - MONDAY_US) // DAY_US % 7 for at in range(HORIZON_HOURS)}
    return "the history holds no such day of the week, which may differ" if ahead - seen else ""
