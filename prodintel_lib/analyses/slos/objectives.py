"""What is promised for a route, from prodintel.yaml, or what could be promised after what was measured."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.slos.counts import Course, count_course, design_effect, interval, requests_of, slower_than
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import four_digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.slos.model import SloKind
    from prodintel_lib.workspace import RouteSlo

TARGETS: Final = (0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9)
LATENCY_TARGETS: Final = (0.99, 0.95)
NICE: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5)
LOOSE: Final = 2.0
"""A limit proposed is at most so many times the percentile measured: beyond it there are too few requests to say."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise: of the requests of a route, this share is good.

    Attributes
    ----------
    name : str
        A label that no other objective has.
    route : str
        Method and route template.
    kind : {"availability", "latency"}
    target : float
        The share promised to be good, 0 to 1.
    limit_ms : float or None
        What a good request takes at most; None for availability.
    period_days : int
    is_proposed : bool
        Nobody promised it.
    """

    name: str
    route: str
    kind: SloKind
    target: float
    limit_ms: float | None
    period_days: int
    is_proposed: bool = False

    @property
    def allowed_share(self) -> float:
        """The share of requests that may be bad, rid of what subtraction leaves: 0.001 of a target of 0.999."""
        return round(1.0 - self.target, 12)


def list_objectives(slos: Sequence[RouteSlo]) -> tuple[Objective, ...]:
    """List what is promised, in the order of the configuration, availability before latency.

    Raises
    ------
    ParameterError
        If the same is promised twice.
    """
    found = [objective for slo in slos for objective in _objectives_of(slo)]
    names = Counter(objective.name for objective in found)
    named = [
        replace(objective, name=f"{objective.name}, in {objective.period_days} days")
        if names[objective.name] > 1
        else objective
        for objective in found
    ]
    twice = [name for name, times in Counter(objective.name for objective in named).items() if times > 1]
    if twice:
        raise ParameterError(
            f"`slos` of prodintel.yaml promises the same thing twice: {twice[0]}.", hint="take one of the two out."
        )
    return tuple(named)


def propose_objectives(
    production: Production, *, without: Sequence[Objective], as_of_us: int, period_days: int, max_routes: int
) -> tuple[Objective, ...]:
    """Propose objectives for the entry routes that have none: what was kept with certainty, the strictest of its kind.

    What lies in the window is not learned from, so that an incident does not excuse itself; it is, where the history
    holds nothing of a route.

    Parameters
    ----------
    production : Production
    without : sequence of Objective
        Promised already: their routes get no proposal.
    as_of_us : int
    period_days : int
    max_routes : int
        The busiest ones.
    """
    promised = {objective.route for objective in without}
    found: list[Objective] = []
    for route in entry_routes(production.requests):
        if route in promised:
            continue
        if len({objective.route for objective in found}) == max_routes:
            break
        before = production.requests.filter(pl.col("bucket_us") < production.history.end_us)
        rows = requests_of(before, route)
        known_us = production.history.end_us
        if rows.is_empty():
            rows, known_us = requests_of(production.requests, route), as_of_us
        available = _named(route, "availability", 0.5, None, period_days)
        course = count_course(production, available, as_of_us=known_us)
        found += [*_available(available, course), *_fast(route, rows, period_days)]
    return tuple(found)


def entry_routes(requests: pl.DataFrame) -> list[str]:
    """List the routes that requests enter by, the busiest first."""
    asked = requests.filter(pl.col("is_entry")).group_by("route").agg(pl.col("requests").sum())
    return list(asked.sort("requests", "route", descending=[True, False])["route"])


def _available(shape: Objective, course: Course) -> Iterator[Objective]:
    _, worst = interval(course.n_bad, course.n, design_effect=design_effect(course))
    target = next((target for target in TARGETS if target <= 1.0 - worst), None)
    if target is not None:
        yield replace(_named(shape.route, "availability", target, None, shape.period_days), is_proposed=True)


def _fast(route: str, rows: pl.DataFrame, period_days: int) -> Iterator[Objective]:
    n = int(rows["requests"].sum())
    for target in LATENCY_TARGETS:
        measured_ms = 0.0
        for limit_ms in _nice_ms():
            slower = int(rows.select(slower_than(limit_ms).sum()).item() or 0)
            if not measured_ms and slower <= (1.0 - target) * n:
                measured_ms = limit_ms
            if measured_ms and limit_ms > LOOSE * measured_ms:
                break
            if interval(slower, n)[1] <= 1.0 - target:
                yield replace(_named(route, "latency", target, limit_ms, period_days), is_proposed=True)
                return


def _nice_ms() -> Iterator[float]:
    for power in range(6):
        yield from (digit * 10**power for digit in NICE)


def _objectives_of(slo: RouteSlo) -> Iterator[Objective]:
    if slo.availability is not None:
        yield _named(slo.route, "availability", slo.availability, None, slo.period_days)
    if slo.latency_ms is not None:
        yield _named(slo.route, "latency", slo.percentile / 100, slo.latency_ms, slo.period_days)


def _named(route: str, kind: SloKind, target: float, limit_ms: float | None, period_days: int) -> Objective:
    share = "all" if math.isclose(target, 1.0) else f"{100 * target:.10g} %"
    kept = "succeed" if limit_ms is None else f"within {four_digits(limit_ms)} ms"
    return Objective(f"{route}: {share} {kept}", route, kind, target, limit_ms, period_days)
