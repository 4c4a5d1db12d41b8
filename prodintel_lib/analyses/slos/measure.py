"""Measure what was promised: compliance, budget, burn, alerts, and what is foreseen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.slos.burn import (
    Burns,
    budget_left,
    budget_over_time,
    burn_over_time,
    measure_burns,
    used_up_in_h,
)
from prodintel_lib.analyses.slos.counts import (
    Course,
    count_course,
    design_effect,
    interval,
    is_exact,
    known_limits_ms,
    last_recorded_end_us,
)
from prodintel_lib.analyses.slos.foresight import DAY_H, Foresight, foresee_budget
from prodintel_lib.analyses.slos.model import (
    ALERTS_SCHEMA,
    BUDGET_SCHEMA,
    BURN_SCHEMA,
    FORECAST_LEVEL,
    FORECAST_SCHEMA,
    FORESEEN_SCHEMA,
    NOW_SCHEMA,
    OBJECTIVES_SCHEMA,
    SloReport,
    SloStatus,
)
from prodintel_lib.analyses.slos.objectives import Objective, entry_routes, list_objectives, propose_objectives
from prodintel_lib.analyses.slos.wording import horizon_text
from prodintel_lib.errors import NoDataError, ParameterError, near_match
from prodintel_lib.markup import percent
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.production import Production
    from prodintel_lib.workspace import RouteSlo

LITTLE_LEFT: Final = 0.25
LIKELY: Final = 0.5
MAX_PROPOSED_ROUTES: Final = 12
_RANK: Final[dict[str, int]] = {"bad": 0, "watch": 1, "unknown": 2, "ok": 3}


def measure_slos(
    production: Production,
    slos: Sequence[RouteSlo],
    *,
    period_days: int = 28,
    max_proposed_routes: int = MAX_PROPOSED_ROUTES,
) -> SloReport:
    """Measure what is promised for routes, and propose promises for the busiest entry routes that have none.

    Parameters
    ----------
    production : Production
        A latency objective is counted exactly where the production was gathered with its limit in ``limits_ms`` (see
        production.latency_limits_ms), and by coarse bins of about 4 % otherwise; ``is_exact`` says which.
    slos : sequence of RouteSlo
        As prodintel.yaml has them, each with its own period.
    period_days : int
        Of what is proposed.
    max_proposed_routes : int
        0: nothing is proposed.

    Returns
    -------
    SloReport

    Raises
    ------
    NoDataError
        If nothing was recorded in the window.
    ParameterError
        If the same is promised twice, or the period is not at least a day.

    Notes
    -----
    A bad request of an availability objective is one that failed; of a latency objective one that took longer than the
    limit, failed or not. All routes' requests are those that entered the system; where the same route enters at several
    services, they are added up. A gap in the record is no time without failures: shares are of what was recorded.
    """
    if period_days < 1:
        raise ParameterError(f"A period is at least 1 day long; it is {period_days}.", hint="28 is four whole weeks.")
    as_of_us = last_recorded_end_us(production, production.window)
    if as_of_us is None:
        raise NoDataError(
            f"Nothing was recorded in {production.window.label()}.", hint="ask about a window that has telemetry."
        )
    promised = list_objectives(slos)
    proposed = propose_objectives(
        production,
        without=promised,
        as_of_us=as_of_us,
        period_days=period_days,
        max_routes=max_proposed_routes,
    )
    return _report(production, (*promised, *proposed), as_of_us)


def _report(production: Production, objectives: Sequence[Objective], as_of_us: int) -> SloReport:
    rows: list[dict[str, Any]] = []
    now, alerts, foreseen = [], [], []
    burn, budget, forecast = [], [], []
    routes = entry_routes(production.requests)
    for objective in objectives:
        record = count_course(production, objective, as_of_us=as_of_us, since_us=production.history.start_us)
        course = record.last(objective.period_days * DAY_H)
        burns, ahead = measure_burns(objective, record), foresee_budget(objective, record)
        exact = is_exact(objective, known_limits_ms(production))
        rows.append(_row(objective, course, burns, ahead, exact=exact, routes=routes))
        now += burns.now
        alerts += burns.alerts
        foreseen += ahead.foreseen
        if course.n:
            burn.append(burn_over_time(objective, record, burns))
            budget.append(budget_over_time(objective, course))
            forecast.append(ahead.forecast)
    rows.sort(key=lambda row: (row["is_proposed"], _RANK[row["status"]], _left(row)))
    longest_days = max((objective.period_days for objective in objectives), default=1)
    return SloReport(
        window=production.window,
        period=Window(as_of_us - longest_days * DAY_H * 3600 * US_PER_S, as_of_us),
        as_of_us=as_of_us,
        bucket_s=production.bucket_s,
        objectives=pl.DataFrame(rows, schema=OBJECTIVES_SCHEMA),
        now=pl.DataFrame(now, schema=NOW_SCHEMA),
        alerts=pl.DataFrame(alerts, schema=ALERTS_SCHEMA),
        foreseen=pl.DataFrame(foreseen, schema=FORESEEN_SCHEMA),
        burn=pl.concat([pl.DataFrame(schema=BURN_SCHEMA), *burn]),
        budget=pl.concat([pl.DataFrame(schema=BUDGET_SCHEMA), *budget]),
        budget_forecast=pl.concat([pl.DataFrame(schema=FORECAST_SCHEMA), *forecast]),
        forecast_level=FORECAST_LEVEL,
        unpromised_routes=len(set(routes) - {objective.route for objective in objectives}),
    )


def _left(row: dict[str, Any]) -> float:
    return math.inf if row["budget_left"] is None else float(row["budget_left"])


def _row(
    objective: Objective,
    course: Course,
    burns: Burns,
    ahead: Foresight,
    *,
    exact: bool,
    routes: Sequence[str],
) -> dict[str, Any]:
    n, bad = course.n, course.n_bad
    effect = design_effect(course)
    low, high = interval(bad, n, design_effect=effect)
    left = budget_left(objective, bad, n)
    last_hour = next(row["burn"] for row in burns.now if row["window"] == "1h")
    fired = [alert for alert in burns.alerts if alert["state"] == "fires"]
    status, reason = _judge(objective, course, burns, ahead, routes)
    return {
        "objective": objective.name,
        "route": objective.route,
        "kind": objective.kind,
        "target": objective.target,
        "limit_ms": objective.limit_ms,
        "percentile": None if objective.limit_ms is None else round(100 * objective.target, 10),
        "period_days": objective.period_days,
        "is_proposed": objective.is_proposed,
        "is_exact": exact,
        "n": n,
        "good": n - bad,
        "bad": bad,
        "compliance": 1.0 - bad / n if n else None,
        "low": 1.0 - high if n else None,
        "high": 1.0 - low if n else None,
        "design_effect": effect,
        "recorded_h": course.recorded_h,
        "allowed": objective.allowed_share * n,
        "budget_left": None if math.isnan(left) else left,
        "used_up_in_h": used_up_in_h(objective, left, last_hour, period_h=objective.period_days * DAY_H),
        "alert": f"{fired[0]['severity']} {fired[0]['rule']}" if fired else "",
        "status": status,
        "reason": reason,
    }


def _judge(
    objective: Objective, course: Course, burns: Burns, ahead: Foresight, routes: Sequence[str]
) -> tuple[SloStatus, str]:
    """Say how an objective stands. What nobody promised cannot be broken: a proposal is at worst to be watched."""
    if not course.n:
        like = near_match(objective.route, routes)
        return "unknown", "no request of this route was recorded" + (f"; there is `{like}`" if like else "")
    status, reason = _standing(objective, course, burns, ahead)
    return ("watch" if status == "bad" and objective.is_proposed else status), reason


def _standing(objective: Objective, course: Course, burns: Burns, ahead: Foresight) -> tuple[SloStatus, str]:
    left = budget_left(objective, course.n_bad, course.n)
    fired = next((alert for alert in burns.alerts if alert["state"] == "fires"), None)
    if fired and fired["severity"] == "page":
        return "bad", f"burns {fired['reason']}"
    if left <= 0:
        allowed = objective.allowed_share * course.n
        return "bad", f"the budget is used up: {course.n_bad:,} bad requests, {allowed:,.1f} allowed of {course.n:,}"
    doubt = f"burns {fired['reason']}" if fired else _doubt(left, burns, ahead)
    return ("watch", doubt) if doubt else ("ok", f"{percent(left, digits=0)} of the budget is left")


def _doubt(left: float, burns: Burns, ahead: Foresight) -> str:
    """Return the first reason to keep an eye on a budget that is not used up; "" where there is none."""
    likely = (row for row in ahead.foreseen if row["probability"] is not None and row["probability"] >= LIKELY)
    if soon := next(likely, None):
        return f"used up within {horizon_text(soon['horizon'])} with a chance of {soon['probability']:.0%}"
    if left < LITTLE_LEFT:
        return f"{percent(left, digits=0)} of the budget is left"
    few = next((alert for alert in burns.alerts if alert["state"] == "too few"), None)
    return f"burns {few['reason']}" if few else ""
