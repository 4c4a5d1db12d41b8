"""Will the budget last: the chance that it is used up soon, from how it burned before and how it burns now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.slos.counts import BURN_WINDOWS_H, US_PER_H, interval
from prodintel_lib.analyses.slos.model import FORECAST_LEVEL, FORECAST_SCHEMA
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.slos.counts import Course
    from prodintel_lib.analyses.slos.objectives import Objective

DAY_H: Final = 24
HORIZONS_H: Final[dict[str, int]] = {"6h": 6, "24h": 24}
FUTURES: Final = 1000
SEED: Final = 20241
MIN_DAYS: Final = 3
"""Days of which most was recorded, from which on the future is made of whole days and keeps their rhythm."""
DAY_SHARE: Final = 0.75
PERIOD_SHARE: Final = 0.25
"""So much of a period has to be recorded before anything is said of a period to come."""
HALF_LIFE: Final = 1.0
"""In periods: a day so long ago is drawn half as often as yesterday, since what broke then was mended since."""
UNSEEN: Final = 0.25
MAX_POINTS: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """What may become of a budget.

    Attributes
    ----------
    foreseen : list of dict
        Rows of FORESEEN_SCHEMA.
    forecast : polars.DataFrame
        Columns of FORECAST_SCHEMA; no row where nothing can be foreseen.
    """

    foreseen: list[dict[str, Any]]
    forecast: pl.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class _Hours:
    """What was recorded hour by hour, the last hour last; what was not recorded is taken to be like what was."""

    total: NDArray[np.float64]
    bad: NDArray[np.float64]
    recorded: NDArray[np.float64]


def foresee_budget(objective: Objective, course: Course) -> Foresight:
    """Foresee whether an objective's budget is used up within 6 h, 24 h and a period.

    Parameters
    ----------
    objective : Objective
    course : Course
        Up to now: the period, and what was recorded before it, which shows more of what may come.

    Notes
    -----
    A thousand futures, hour by hour. A future is made of whole days drawn from the record with replacement: a block
    bootstrap (Kuensch 1989, doi:10.1214/aos/1176347265) whose blocks begin at the present hour of the day, so that the
    daily rhythm and the bunches of failures stay; of single hours, where less than three days were recorded. Where the
    budget burns now, that goes on at its pace for as long as nobody knows: what has lasted d lasts another r with the
    chance d / (d + r), the "delta t argument" of Gott (1993), doi:10.1038/363315a0. The period moves on with the clock:
    what failed at its start leaves the budget again. To the share of futures in which the budget is used up comes
    what the record is too short to have shown. Something that did not happen in R hours happens in the next h with the
    chance h / (R + h) (Laplace's rule of succession, R of one period); that it then uses the budget up grows with h as
    well. A quarter of the square of h / (R + h) is what planted data ask for: chosen with benchmarks/slos.py at seed
    11; the figures to believe are those of other seeds.
    """
    period_h = objective.period_days * DAY_H
    horizons = {**HORIZONS_H, "period": period_h}
    if (known := _known_beforehand(objective, course.last(period_h))) is not None:
        probability, reason = known
        rows = [_row(objective, name, hours, probability, reason) for name, hours in horizons.items()]
        return Foresight(rows, pl.DataFrame(schema=FORECAST_SCHEMA))
    enough = {
        name: course.recorded_h >= (hours if name != "period" else PERIOD_SHARE * hours)
        for name, hours in horizons.items()
    }
    rows = []
    reach_h = max((hours for name, hours in horizons.items() if enough[name]), default=0)
    left = _simulate(objective, course, reach_h) if reach_h else np.empty((FUTURES, 0))
    for name, hours in horizons.items():
        if not enough[name]:
            rows.append(_row(objective, name, hours, None, _too_short(course, name, hours)))
            continue
        gone = float((left[:, :hours] <= 0).any(axis=1).sum() + 0.5) / (FUTURES + 1)
        unseen = UNSEEN * (hours / (course.last(period_h).recorded_h + hours)) ** 2
        rows.append(_row(objective, name, hours, 1.0 - (1.0 - gone) * (1.0 - unseen), _basis(course)))
    return Foresight(rows, _forecast(objective, course, left))


def _known_beforehand(objective: Objective, course: Course) -> tuple[float | None, str] | None:
    if course.n == 0:
        return None, "no request of it was recorded"
    if objective.allowed_share == 0:
        said = "a request was bad" if course.n_bad else "the first bad request breaks it"
        return (1.0 if course.n_bad else None), f"nothing is allowed to be bad: {said}"
    if course.n_bad >= objective.allowed_share * course.n:
        return 1.0, f"used up already: {course.n_bad:,} of {course.n:,} requests were bad"
    return None


def _too_short(course: Course, name: str, hours: int) -> str:
    needed_h = hours if name != "period" else PERIOD_SHARE * hours
    return (
        f"{format_duration(course.recorded_h * 3600)} were recorded; "
        f"{format_duration(needed_h * 3600)} are needed to look so far ahead"
    )


def _basis(course: Course) -> str:
    return f"from {format_duration(course.recorded_h * 3600)} recorded"


def _row(objective: Objective, name: str, hours: int, probability: float | None, reason: str) -> dict[str, Any]:
    return {
        "objective": objective.name,
        "horizon": name,
        "horizon_h": float(hours),
        "probability": probability,
        "reason": reason,
    }


def _simulate(objective: Objective, course: Course, reach_h: int) -> NDArray[np.float64]:
    """Return the share of the budget left after each coming hour, shape (FUTURES, reach_h)."""
    period_h = objective.period_days * DAY_H
    hours = _by_hour(course, max(period_h, len(course.total) * course.bucket_us // US_PER_H))
    rng = np.random.default_rng(SEED)
    total, bad = _draw(hours, reach_h, period_h, rng)
    bad = _go_on(objective, course, total, bad, rng)
    # The oldest hour leaves the period as a coming one joins it.
    in_period = np.arange(1, reach_h + 1)
    past_total, past_bad = (
        np.concatenate([np.cumsum(values[: -period_h - 1 : -1])[::-1], [0.0]])[in_period]
        for values in (hours.total, hours.bad)
    )
    all_bad = past_bad + np.cumsum(bad, axis=1)
    all_total = past_total + np.cumsum(total, axis=1)
    return np.asarray(1.0 - all_bad / np.maximum(objective.allowed_share * all_total, 1e-12), dtype=np.float64)


def _by_hour(course: Course, count: int) -> _Hours:
    """Add buckets up to hours that end where the course does; what was recorded in part is scaled to a whole hour."""
    ages_h = ((len(course.total) - 1 - np.arange(len(course.total))) * course.bucket_us) // US_PER_H
    places = count - 1 - ages_h
    inside = places >= 0
    total, bad, recorded = (
        np.bincount(places[inside], weights=values[inside], minlength=count).astype(np.float64)
        for values in (course.total, course.bad, course.recorded)
    )
    recorded = np.minimum(recorded * course.bucket_us / US_PER_H, 1.0)
    known = recorded > 0
    mean_total, mean_bad = (values.sum() / recorded.sum() for values in (total, bad))
    missing = 1.0 - recorded
    return _Hours(
        np.where(known, total, 0.0) + missing * mean_total, np.where(known, bad, 0.0) + missing * mean_bad, recorded
    )


def _draw(
    hours: _Hours, reach_h: int, period_h: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the coming hours from those that were."""
    days = len(hours.total) // DAY_H
    by_day = hours.recorded[-days * DAY_H :].reshape(days, DAY_H).mean(axis=1) >= DAY_SHARE
    if by_day.sum() >= MIN_DAYS:
        starts = len(hours.total) - days * DAY_H + np.flatnonzero(by_day) * DAY_H
        weights = 0.5 ** ((len(hours.total) - starts) / (HALF_LIFE * period_h))
        blocks = rng.choice(starts, size=(FUTURES, -(-reach_h // DAY_H)), p=weights / weights.sum())
        places = (blocks[:, :, None] + np.arange(DAY_H)).reshape(FUTURES, -1)[:, :reach_h]
    else:
        places = rng.choice(np.flatnonzero(hours.recorded > 0), size=(FUTURES, reach_h))
    return hours.total[places], hours.bad[places]


def _go_on(
    objective: Objective,
    course: Course,
    total: NDArray[np.float64],
    bad: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Let what burns now go on in every future, each for its own time, at least as bad as what was drawn."""
    lasted_h = _burning_for_h(objective, course)
    if not lasted_h:
        return bad
    recent = course.last(min(1.0, lasted_h))
    rest_h = lasted_h * (1.0 / rng.uniform(1e-6, 1.0, size=FUTURES) - 1.0)
    share = np.clip(rest_h[:, None] - np.arange(total.shape[1]), 0.0, 1.0)
    worse = np.maximum(bad, total * recent.n_bad / recent.n)
    return np.asarray(bad + share * (worse - bad), dtype=np.float64)


def _burning_for_h(objective: Objective, course: Course) -> float:
    """Return for how long the budget has been burning faster than it lasts; 0 where that is not certain, or over."""
    last_hour = course.last(1.0)
    if last_hour.n == 0 or interval(last_hour.n_bad, last_hour.n)[0] <= objective.allowed_share:
        return 0.0
    shortest = next(hours for hours in BURN_WINDOWS_H.values() if course.buckets_in(hours))
    if not course.trailing_burn(shortest, objective.allowed_share)[-1] > 1.0:
        return 0.0
    cool = np.flatnonzero(~(course.trailing_burn(max(1.0, shortest), objective.allowed_share) > 1.0))
    first = int(cool[-1]) + 1 if len(cool) else 0
    return (len(course.total) - first) * course.bucket_us / US_PER_H


def _forecast(objective: Objective, course: Course, left: NDArray[np.float64]) -> pl.DataFrame:
    if not left.shape[1]:
        return pl.DataFrame(schema=FORECAST_SCHEMA)
    hours = left.shape[1]
    places = np.arange(hours - 1, -1, -max(1, -(-hours // MAX_POINTS)))[::-1]
    tail = (1.0 - FORECAST_LEVEL) / 2
    low, middle, high = np.quantile(left[:, places], (tail, 0.5, 1.0 - tail), axis=0)
    end_us = course.start_us + len(course.total) * course.bucket_us
    frame = pl.DataFrame(
        {"time_us": end_us + (places + 1) * US_PER_H, "left_low": low, "left": middle, "left_high": high}
    )
    return frame.select(pl.lit(objective.name).alias("objective"), pl.all()).cast(FORECAST_SCHEMA)  # type: ignore[arg-type]
