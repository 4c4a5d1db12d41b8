"""Named events, such as a sale, and how much more came in them than in the same hours of other weeks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.local_hours import local_to_us
from prodintel_lib.analyses.load.model import EVENTS_SCHEMA
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import Window, to_us

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.load.local_hours import LocalHours

    Vector = NDArray[np.float64]

MIN_OTHERS: Final = 3
"""So many other weeks, or days, tell the level and how much it varies."""

ROBUST_FROM: Final = 8
MIN_KNOWN: Final = 0.5
"""Another week counts where so much of the event's hours was recorded in it."""

_CONFIDENT: Final = 0.975
_NORMAL_MAD: Final = 1.4826
# So many points are worth one when the spread is taken from the median deviation (Rousseeuw and Croux 1993).
_WORTH_OF_MAD: Final = 0.37
_TEXT: Final = re.compile(r"([^/\s]+)/(\S+)\s+(\S.*)")


@dataclass(frozen=True, slots=True)
class LoadEvent:
    """A time with a name.

    Attributes
    ----------
    name : str
    window : Window
    """

    name: str
    window: Window


def parse_event(text: str, zone: zoneinfo.ZoneInfo) -> LoadEvent:
    """Read ``2025-11-28/2025-12-02 black-friday``: start, end (not part of it) and name, on the local clock.

    Raises
    ------
    ParameterError
        If it is not of that form, or does not end after it starts.
    """
    found = _TEXT.fullmatch(text.strip())
    times = [_on_clock(part, zone) for part in found.groups()[:2]] if found else []
    if found is None or None in times:
        raise ParameterError(
            f"An event is written START/END NAME; this one is `{text}`.",
            hint="write it as `2025-11-28/2025-12-02 black-friday`: the end is the first day after it.",
        )
    start_us, end_us = (time_us for time_us in times if time_us is not None)
    return LoadEvent(found[3].strip(), Window(start_us, end_us))


def measure_events(hours: LocalHours, events: Sequence[LoadEvent]) -> pl.DataFrame:
    """Set each event against the same hours without it.

    Parameters
    ----------
    hours : LocalHours
    events : sequence of LoadEvent

    Returns
    -------
    polars.DataFrame
        Columns of EVENTS_SCHEMA, in the order of `events`.

    Notes
    -----
    The level is the median over the other weeks of what came in the same hours of the week, hours of any event left
    out; where fewer than MIN_OTHERS weeks are known, over the same hours of other days. The ratio's interval is what a
    further week without an event could have had instead: Student's, on logarithms about their median. From ROBUST_FROM
    weeks on the spread is taken from the median absolute deviation, so that one odd week counts for little; its 37 %
    efficiency (Rousseeuw and Croux 1993, doi:10.1080/01621459.1993.10476408) is taken from the degrees of freedom. A
    level that grows or falls from week to week widens the interval and is not taken out.
    """
    inside = [(hours.start_us >= event.window.start_us) & (hours.start_us < event.window.end_us) for event in events]
    in_any = np.logical_or.reduce(inside) if inside else np.zeros(len(hours.start_us), dtype=bool)
    rows = [_row(event, hours, own, in_any) for event, own in zip(events, inside, strict=True)]
    return pl.DataFrame(rows, schema=EVENTS_SCHEMA, orient="row")


def _on_clock(text: str, zone: zoneinfo.ZoneInfo) -> int | None:
    """Read a time on the local clock, or one with a zone of its own; None where it is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return to_us(moment) if moment.tzinfo else local_to_us(to_us(moment), zone)


def _row(event: LoadEvent, hours: LocalHours, own: NDArray[np.bool_], in_any: NDArray[np.bool_]) -> tuple[Any, ...]:
    about = (event.name, event.window.start_us, event.window.end_us)
    known = own & np.isfinite(hours.rates)
    recorded_h = float(hours.seconds[own].sum()) / 3600
    requests = int(hours.requests[own].sum())
    if not known.any():
        return (*about, recorded_h, requests, *(None,) * 6, "", 0, "nothing was recorded of it")
    peak = float(hours.rates[known].max())
    for against, slots, cycles in (
        ("other weeks", hours.hour_of_week, hours.week),
        ("other days", hours.hour_of_day, hours.day),
    ):
        levels, usual = _levels(hours.rates, slots, cycles, known, in_any)
        if len(levels) >= MIN_OTHERS:
            expected = float(np.median(levels)) * float(hours.seconds[known].sum())
            ratio = float(hours.requests[known].sum()) / expected if expected else math.inf
            low, high = _interval(levels, ratio)
            at_peak = int(np.flatnonzero(known)[np.argmax(hours.rates[known])])
            peak_usual = usual.get(int(slots[at_peak]))
            peak_ratio = peak / peak_usual if peak_usual else None
            says = _says(low, high)
            figures = (expected, ratio, low, high, peak, peak_ratio)
            return (*about, recorded_h, requests, *figures, against, len(levels), says)
    says = f"fewer than {MIN_OTHERS} other weeks or days hold the same hours: the usual level is not known"
    return (*about, recorded_h, requests, None, None, None, None, peak, None, "", 0, says)


def _levels(
    rates: Vector,
    slots: NDArray[np.int64],
    cycles: NDArray[np.int64],
    own: NDArray[np.bool_],
    in_any: NDArray[np.bool_],
) -> tuple[Vector, dict[int, float]]:
    """Return the mean rate that each other cycle had in the event's slots, and the usual rate by slot.

    A cycle that lacks some of the slots is brought to all of them by the slots it has.
    """
    others = ~in_any & np.isfinite(rates)
    wanted, weights = np.unique(slots[own], return_counts=True)
    usual: dict[int, float] = {}
    for slot in wanted.tolist():
        seen = rates[others & (slots == slot)]
        if len(seen):
            usual[slot] = float(np.median(seen))
    weight_of = {slot: weight for slot, weight in zip(wanted.tolist(), weights.tolist(), strict=True) if slot in usual}
    whole = sum(weight * usual[slot] for slot, weight in weight_of.items())
    levels = []
    for cycle in np.unique(cycles[others]).tolist():
        at = np.flatnonzero(others & (cycles == cycle) & np.isin(slots, list(weight_of)))
        have = {int(slots[place]): float(rates[place]) for place in at}
        covered = sum(weight_of[slot] for slot in have)
        if covered < MIN_KNOWN * weights.sum():
            continue
        like = sum(weight_of[slot] * usual[slot] for slot in have)
        seen_here = sum(weight_of[slot] * rate for slot, rate in have.items())
        scaled = seen_here / like * whole if like else seen_here
        levels.append(scaled / sum(weight_of.values()))
    return np.array(levels), usual


def _interval(levels: Vector, ratio: float) -> tuple[float | None, float | None]:
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    if (levels <= 0).any() or not math.isfinite(ratio):
        return None, None
    logs = np.log(levels)
    n = len(logs)
    centre = float(np.median(logs))
    if n >= ROBUST_FROM:
        spread, freedom = _NORMAL_MAD * float(np.median(np.abs(logs - centre))), _WORTH_OF_MAD * (n - 1)
    else:
        spread, freedom = float(logs.std(ddof=1)), n - 1.0
    # The variance of a median is that of a mean times pi / 2.
    reach = float(t.ppf(_CONFIDENT, freedom)) * spread * math.sqrt(1 + math.pi / 2 / n)
    return ratio * math.exp(-reach), ratio * math.exp(reach)


def _says(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "some of the other stretches had no request: no interval"
    if low > 1:
        return "more than usual"
    return "less than usual" if high < 1 else "within what is usual"
