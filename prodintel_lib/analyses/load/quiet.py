"""When to work on a system: the stretches of the week, or the day, in which the fewest requests are to be expected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.local_hours import DAY_HOURS, HOUR_S, HOUR_US, WEEK_HOURS
from prodintel_lib.analyses.load.model import QUIET_SCHEMA
from prodintel_lib.analyses.load.profile import HOUR_OF_DAY, HOUR_OF_WEEK, slot_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.load.local_hours import LocalHours

    Vector = NDArray[np.float64]

LENGTHS_H: Final = (1, 2, 4)
SHOWN: Final = 3
MIN_WEEKS: Final = 2
MIN_SEEN: Final = 0.9
"""So many of the slots of a cycle must have been seen to say which are the quiet ones."""

MIN_TIMES: Final = 3
_CONFIDENT: Final = 0.975


def find_quiet(hours: LocalHours) -> tuple[str, pl.DataFrame]:
    """Find the stretches with the fewest requests.

    Parameters
    ----------
    hours : LocalHours

    Returns
    -------
    str
        ``week``, ``day``, or empty where not even the hours of a day were seen.
    polars.DataFrame
        Columns of QUIET_SCHEMA: for each of LENGTHS_H the SHOWN quietest stretches that do not overlap, by the mean of
        their hours.

    Notes
    -----
    ``low`` and ``high`` hold 95 of 100 further stretches like those that were seen: Student's prediction interval on
    square roots, which vary alike whatever the level. The mean of the quietest of many stretches is a little too low:
    it was picked for being so.
    """
    cycle = _cycle(hours)
    if not cycle:
        return "", pl.DataFrame(schema=QUIET_SCHEMA)
    by_cycle = {
        "week": (WEEK_HOURS, hours.hour_of_week, HOUR_OF_WEEK),
        "day": (DAY_HOURS, hours.hour_of_day, HOUR_OF_DAY),
    }
    period, slots, name = by_cycle[cycle]
    usual = _usual(hours.rates, slots, period)
    rows: list[tuple[Any, ...]] = []
    for length in LENGTHS_H:
        expected = np.stack([np.roll(usual, -step) for step in range(length)]).sum(axis=0) * HOUR_S
        for rank, start in enumerate(_apart(expected, length, period), start=1):
            seen = _seen(hours, slots, start, length, period)
            low, high = _predicted(seen)
            most = float(seen.max()) if len(seen) else None
            label = slot_label(name, start)
            rows.append((length, rank, start, label, float(expected[start]), low, high, most, len(seen)))
    return cycle, pl.DataFrame(rows, schema=QUIET_SCHEMA, orient="row")


def _cycle(hours: LocalHours) -> str:
    known = np.isfinite(hours.rates)
    of_week = len(np.unique(hours.hour_of_week[known]))
    enough = known.sum() >= MIN_WEEKS * WEEK_HOURS * MIN_SEEN
    if enough and of_week >= MIN_SEEN * WEEK_HOURS:
        return "week"
    return "day" if len(np.unique(hours.hour_of_day[known])) >= MIN_SEEN * DAY_HOURS else ""


def _usual(rates: Vector, slots: NDArray[np.int64], period: int) -> Vector:
    """Return the mean rate by slot; infinite where none was seen, so that it is never called quiet."""
    known = np.isfinite(rates)
    n = np.bincount(slots[known], minlength=period)
    sums = np.bincount(slots[known], rates[known], minlength=period)
    return np.where(n > 0, sums / np.maximum(n, 1), math.inf)


def _apart(expected: Vector, length: int, period: int) -> list[int]:
    chosen: list[int] = []
    for start in np.argsort(expected, kind="stable").tolist():
        if not math.isfinite(expected[start]) or len(chosen) == SHOWN:
            break
        if all(min((start - other) % period, (other - start) % period) >= length for other in chosen):
            chosen.append(start)
    return chosen


def _seen(hours: LocalHours, slots: NDArray[np.int64], start: int, length: int, period: int) -> Vector:
    """Return the requests of each such stretch that was recorded without a gap, brought to whole hours."""
    first = np.flatnonzero(slots == start)
    first = first[first + length <= len(slots)]
    at = first[:, None] + np.arange(length)[None, :]
    is_run = (np.diff(hours.start_us[at], axis=1) == HOUR_US).all(axis=1)
    is_run &= (slots[at] == (start + np.arange(length)) % period).all(axis=1)
    totals = hours.rates[at[is_run]].sum(axis=1) * HOUR_S
    return np.asarray(totals[np.isfinite(totals)], dtype=np.float64)


def _predicted(seen: Vector) -> tuple[float | None, float | None]:
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    n = len(seen)
    if n < MIN_TIMES:
        return None, None
    roots = np.sqrt(seen)
    reach = float(t.ppf(_CONFIDENT, n - 1)) * float(roots.std(ddof=1)) * math.sqrt(1 + 1 / n)
    mean = float(roots.mean())
    return max(0.0, mean - reach) ** 2, (mean + reach) ** 2
