"""How fast the budget burns now, and which alert of the multi-window rule fires."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.slos.counts import (
    BURN_WINDOWS_H,
    interval,
    largest_in_steps,
    thinned,
)
from prodintel_lib.analyses.slos.model import BUDGET_SCHEMA, BURN_SCHEMA
from prodintel_lib.analyses.slos.wording import burn_text
from prodintel_lib.markup import four_digits
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from prodintel_lib.analyses.slos.counts import Course
    from prodintel_lib.analyses.slos.model import AlertState
    from prodintel_lib.analyses.slos.objectives import Objective

MAX_POINTS: Final = 1000
RECENT_POINTS: Final = 400
MIN_BAD: Final = 3
"""Fewer bad requests in the long window wake nobody, however few there were: the workbook's "low-traffic services"."""


@dataclass(frozen=True, slots=True)
class BurnRule:
    """An alert that fires where both a long and a short window burn at least so fast.

    Attributes
    ----------
    name : str
    long, short : str
        Keys of counts.BURN_WINDOWS_H.
    threshold : float
        Burn; 1 uses the budget up in exactly a period.
    severity : {"page", "ticket"}
    """

    name: str
    long: str
    short: str
    threshold: float
    severity: str


# Of a period of 30 days: 2 % of the budget in an hour, 5 % in six, 10 % in a day and in three.
RULES: Final = (
    BurnRule("1h/5m", "1h", "5m", 14.4, "page"),
    BurnRule("6h/30m", "6h", "30m", 6.0, "page"),
    BurnRule("1d/2h", "1d", "2h", 3.0, "ticket"),
    BurnRule("3d/6h", "3d", "6h", 1.0, "ticket"),
)
"""Google, The Site Reliability Workbook (2018), chapter 5, "Multiwindow, Multi-Burn-Rate Alerts", table 5-8, with the
rule of a day between the last two that its authors' tools add; the short window is a twelfth of the long one."""


@dataclass(frozen=True, slots=True, eq=False)
class Burns:
    """How fast an objective's budget burns.

    Attributes
    ----------
    now : list of dict
        Rows of NOW_SCHEMA.
    alerts : list of dict
        Rows of ALERTS_SCHEMA.
    trailing : mapping of str to array, shape (buckets,)
        The burn over each window of BURN_WINDOWS_H that ends with a bucket; NaN where not known.
    """

    now: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    trailing: Mapping[str, NDArray[np.float64]]


def measure_burns(objective: Objective, course: Course) -> Burns:
    """Measure the burn over every window, now and before, and judge it by RULES."""
    trailing = {name: course.trailing_burn(hours, objective.allowed_share) for name, hours in BURN_WINDOWS_H.items()}
    now = {name: _now(objective, course, name) for name in BURN_WINDOWS_H}
    alerts = [_judge(rule, objective, course, trailing, now) for rule in RULES]
    return Burns(list(now.values()), alerts, trailing)


def burn_over_time(objective: Objective, course: Course, burns: Burns) -> pl.DataFrame:
    """Return the burns over time with at most MAX_POINTS rows: of each step its fastest burn, and all its requests.

    The last day has the finest steps: an alert is about minutes.
    """
    places = _shown_places(course, recent_points=RECENT_POINTS)
    columns = {f"burn_{name}": _nulled(largest_in_steps(burns.trailing[name], places)) for name in BURN_WINDOWS_H}
    good, total = (_summed_in_steps(values, places) for values in (course.total - course.bad, course.total))
    frame = pl.DataFrame({"bucket_us": course.starts_us[places], "good": good, "total": total, **columns})
    return frame.select(pl.lit(objective.name).alias("objective"), pl.all()).cast(BURN_SCHEMA)  # type: ignore[arg-type]


def budget_over_time(objective: Objective, course: Course) -> pl.DataFrame:
    """Return the share of the period's budget that was left at the end of each of at most MAX_POINTS steps."""
    places = _shown_places(course)
    spent, n = np.cumsum(course.bad)[places], course.n
    left = np.array([budget_left(objective, int(bad), n) for bad in spent], dtype=np.float64)
    frame = pl.DataFrame(
        {
            "bucket_us": course.starts_us[places],
            "bad": _summed_in_steps(course.bad, places),
            "total": _summed_in_steps(course.total, places),
            "left": _nulled(left),
        }
    )
    return frame.select(pl.lit(objective.name).alias("objective"), pl.all()).cast(BUDGET_SCHEMA)  # type: ignore[arg-type]


def budget_left(objective: Objective, bad: int, n: int) -> float:
    """Return the share of the budget of n requests that is left: below 0 once overdrawn, NaN where there is none.

    Where nothing may fail there is no budget to use a part of: it is whole until the first failure, and then overdrawn
    without measure.
    """
    if n == 0:
        return math.nan
    if objective.allowed_share == 0:
        return 1.0 if bad == 0 else -math.inf
    return 1.0 - bad / (objective.allowed_share * n)


def _shown_places(course: Course, *, recent_points: int = 0) -> NDArray[np.int64]:
    """Return at most MAX_POINTS places of buckets, of those in which anything was recorded."""
    recorded = np.flatnonzero(course.recorded | (course.total > 0))
    places = recorded[thinned(len(recorded), MAX_POINTS - recent_points)]
    if not recent_points:
        return places
    recent = recorded[recorded >= len(course.total) - course.buckets_in(24.0)]
    return np.union1d(places, recent[thinned(len(recent), recent_points)])


def _now(objective: Objective, course: Course, name: str) -> dict[str, Any]:
    hours = BURN_WINDOWS_H[name]
    row: dict[str, Any] = {"objective": objective.name, "window": name, "window_h": hours, "recorded_h": 0.0}
    if course.buckets_in(hours) == 0:
        return {**row, "n": 0, "bad": 0, "burn": None, "low": None, "high": None}
    last = course.last(hours)
    row |= {"recorded_h": last.recorded_h, "n": last.n, "bad": last.n_bad, "burn": None, "low": None, "high": None}
    if last.n:
        # The window itself is asked about, not the system behind it: bunches are what an alert looks for.
        low, high = interval(last.n_bad, last.n)
        row |= {
            key: _over(share, objective) for key, share in (("burn", last.n_bad / last.n), ("low", low), ("high", high))
        }
    return row


def _over(share: float, objective: Objective) -> float:
    if objective.allowed_share == 0:
        return math.inf if share > 0 else 0.0
    return share / objective.allowed_share


def _judge(
    rule: BurnRule,
    objective: Objective,
    course: Course,
    trailing: Mapping[str, NDArray[np.float64]],
    now: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    long, short = now[rule.long], now[rule.short]
    state, reason = _state(rule, objective, long, short)
    since_us = None
    if state == "fires":
        fast = np.minimum(trailing[rule.long], trailing[rule.short]) >= rule.threshold
        slow = np.flatnonzero(~fast)
        since_us = int(course.starts_us[slow[-1] + 1 if len(slow) else 0]) + course.bucket_us
    return {
        "objective": objective.name,
        "rule": rule.name,
        "severity": rule.severity,
        "threshold": rule.threshold,
        "burn_long": long["burn"],
        "burn_short": short["burn"],
        "state": state,
        "since_us": since_us,
        "reason": reason,
    }


def _state(
    rule: BurnRule, objective: Objective, long: Mapping[str, Any], short: Mapping[str, Any]
) -> tuple[AlertState, str]:
    if objective.allowed_share and 1.0 / objective.allowed_share < rule.threshold:
        return "cannot fire", (
            f"if all failed, the burn would be {four_digits(1.0 / objective.allowed_share)}, below {rule.threshold:g}"
        )
    for name, row in ((rule.long, long), (rule.short, short)):
        if row["burn"] is None:
            return "not known", f"no request of it was recorded in the last {name}"
    said = (
        f"{burn_text(long['burn'])} over {rule.long}{_coverage(long)}, {burn_text(short['burn'])} over {rule.short}: "
        f"{long['bad']:,} of {long['n']:,} requests"
    )
    if min(long["burn"], short["burn"]) < rule.threshold:
        return "quiet", said
    # What may never fail has been broken by one failure, however few requests there were.
    if objective.allowed_share and (long["low"] < 1.0 or long["bad"] < MIN_BAD):
        return "too few", f"{said}, too few to be sure that the budget is used up faster than it lasts"
    return "fires", said


def _coverage(row: Mapping[str, Any]) -> str:
    if row["recorded_h"] > 0.9 * row["window_h"]:
        return ""
    return f" ({format_duration(row['recorded_h'] * 3600)} of it recorded)"


def _summed_in_steps(values: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    sums = np.cumsum(values)[places]
    return np.diff(sums, prepend=0)


def _nulled(values: NDArray[np.float64]) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


def used_up_in_h(objective: Objective, left: float, burn: float | None, *, period_h: float) -> float | None:
    """Return the hours in which the rest of the budget is used up at a burn; None where it would outlast a period.

    What was not recorded of the period is taken to have been like what was.
    """
    if burn is None or math.isnan(left) or burn <= 0:
        return None
    hours = max(0.0, left) * period_h / burn
    return hours if hours < period_h and objective.allowed_share else None
