"""Incidents of fourteen kinds, each written into the plan of a month and described as what is to be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.anomalies.month_plan import BUCKETS, BUCKETS_AN_HOUR, SERVICES, STREAMS, WINDOW_FIRST, Deployment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from benchmarks.anomalies.month_plan import Plan

SLOTS_HOURS: Final = (8, 48, 88, 128)
"""When an incident of the week may begin, up to JITTER_HOURS later; the longest lasts a day."""
JITTER_HOURS: Final = 14
GUARD_BUCKETS: Final = 6
ERRORS: Final = frozenset({"ERROR_RATE_SPIKE"})
SLOW: Final = frozenset({"LATENCY_DEGRADATION"})
FULL: Final = frozenset({"SATURATION", "METRIC_ANOMALY"})


@dataclass(frozen=True, slots=True)
class Planted:
    """An incident as it was planted.

    Attributes
    ----------
    kind : str
    first, end : int
        Buckets.
    services : frozenset of str
        Whose series show it.
    types : frozenset of str
        What its main finding may be called.
    """

    kind: str
    first: int
    end: int
    services: frozenset[str]
    types: frozenset[str]


def plant(plan: Plan, kind: str, chance: Generator, *, slot: int) -> Planted:
    """Write an incident of a kind into a plan, at a random time of its slot.

    Other releases and gaps that lie in it are dropped: they would be part of it.
    """
    first = WINDOW_FIRST + BUCKETS_AN_HOUR * SLOTS_HOURS[slot] + int(chance.integers(0, JITTER_HOURS * BUCKETS_AN_HOUR))
    others = len(plan.deployments)
    planted = KINDS[kind](plan, first)
    near = range(planted.first - GUARD_BUCKETS, planted.end + GUARD_BUCKETS)
    plan.deployments[:] = [one for i, one in enumerate(plan.deployments) if i >= others or one.bucket not in near]
    plan.gaps[:] = [gap for gap in plan.gaps if gap[1] < near.start or gap[0] > near.stop]
    return planted


def _stretch(first: int, hours: float) -> tuple[slice, int]:
    end = min(first + max(1, round(hours * BUCKETS_AN_HOUR)), BUCKETS)
    return slice(first, end), end


def _fail(plan: Plan, service: str, route: str, share: float, at: slice | NDArray[np.int64], region: str = "") -> None:
    added = plan.errors.setdefault((service, route, region), np.zeros(BUCKETS))
    added[at] += share


def _errors_of_a_route(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 0.5)
    _fail(plan, "catalogue", "GET /internal/search", 0.08, at)
    _fail(plan, "gateway", "GET /search", 0.08, at)
    return Planted("errors of a route", first, end, frozenset({"gateway", "catalogue"}), ERRORS)


def _errors_of_a_region(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 0.75)
    for stream in STREAMS:
        if stream.is_entry:
            _fail(plan, stream.service, stream.route, 0.25, at, "FR")
    return Planted("errors of a region", first, end, frozenset({"gateway"}), ERRORS)


def _errors_of_a_release(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 1.0)
    before = [one.version for one in sorted(plan.deployments, key=lambda one: one.bucket)
              if one.service == "orders" and one.bucket < first]  # fmt: skip
    plan.deployments += [
        Deployment(first, "orders", "3.0.0"),
        Deployment(end, "orders", before[-1] if before else "1.0.0"),
    ]
    for service, route in (
        ("orders", "POST /internal/carts"),
        ("orders", "POST /internal/orders"),
        ("gateway", "POST /cart"),
        ("gateway", "POST /checkout"),
    ):
        _fail(plan, service, route, 0.06, at)
    return Planted("errors of a release", first, end, frozenset({"orders", "gateway"}), ERRORS)


def _slow_leak(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 20)
    plan.memory["accounts"][at] += np.linspace(0.0, 0.42, end - first)
    late = slice(end - 2 * BUCKETS_AN_HOUR, end)
    plan.slower["accounts", "GET /internal/accounts/{id}"][late] *= 3.0
    plan.slower["gateway", "GET /account"][late] *= 2.0
    return Planted("slow leak", first, end, frozenset({"accounts", "gateway"}), FULL | SLOW)


def _latency_of_a_dependency(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 0.7)
    plan.slower["payment", "POST /internal/charges"][at] *= 4.0
    plan.slower["orders", "POST /internal/orders"][at] *= 3.2
    plan.slower["gateway", "POST /checkout"][at] *= 2.9
    return Planted("latency of a dependency", first, end, frozenset({"payment", "orders", "gateway"}), SLOW)


def _scale_traffic(plan: Plan, at: slice, factor: float) -> None:
    for stream in STREAMS:
        plan.rate[stream.service, stream.route][at] *= factor


def _traffic_drop(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 0.7)
    _scale_traffic(plan, at, 0.4)
    return Planted("traffic drop", first, end, frozenset(SERVICES), frozenset({"THROUGHPUT_DROP"}))


def _traffic_surge(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 1.0)
    _scale_traffic(plan, at, 3.0)
    return Planted("traffic surge", first, end, frozenset(SERVICES), frozenset({"THROUGHPUT_SURGE"}))


def _conversion_drop(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 4)
    plan.conversion[at] *= 0.3
    return Planted("conversion drop", first, end, frozenset(), frozenset({"CONVERSION_DROP", "USER_BEHAVIOR_ANOMALY"}))


def _pool_ramp(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 1.2)
    plan.pool["payment"][at] += np.minimum(np.linspace(0.0, 1.3, end - first), 0.85)
    late = slice(end - 6, end)
    _fail(plan, "payment", "POST /internal/charges", 0.3, late)
    _fail(plan, "orders", "POST /internal/orders", 0.3, late)
    _fail(plan, "gateway", "POST /checkout", 0.3, late)
    return Planted("saturation ramp", first, end, frozenset({"payment", "orders", "gateway"}), FULL | ERRORS)


def _flapping(plan: Plan, first: int) -> Planted:
    _, end = _stretch(first, 2)
    on = np.array([bucket for bucket in range(first, end) if (bucket - first) // 2 % 2 == 0])
    _fail(plan, "gateway", "GET /products/{id}", 0.06, on)
    _fail(plan, "catalogue", "GET /internal/products/{id}", 0.06, on)
    return Planted("flapping", first, end, frozenset({"gateway", "catalogue"}), ERRORS)


def _single_outlier(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 1 / BUCKETS_AN_HOUR)
    _fail(plan, "gateway", "GET /products/{id}", 0.3, at)
    return Planted("single outlier", first, end, frozenset({"gateway"}), ERRORS)


def _level_shift(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 24)
    plan.deployments.append(Deployment(first, "catalogue", "3.1.0"))
    plan.slower["catalogue", "GET /internal/search"][at] *= 1.6
    plan.slower["gateway", "GET /search"][at] *= 1.5
    return Planted("level shift", first, end, frozenset({"catalogue", "gateway"}), SLOW)


def _errors_of_a_rare_route(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 3)
    _fail(plan, "gateway", "GET /help", 1.0, at)
    return Planted("errors of a rare route", first, end, frozenset({"gateway"}), ERRORS)


def _log_burst(plan: Plan, first: int) -> Planted:
    at, end = _stretch(first, 0.5)
    plan.log_errors["accounts"][at] *= 200.0
    return Planted("burst of logged errors", first, end, frozenset({"accounts"}), frozenset({"LOG_ERROR_SPIKE"}))


KINDS: Final[dict[str, Callable[[Plan, int], Planted]]] = {
    "errors of a route": _errors_of_a_route,
    "errors of a region": _errors_of_a_region,
    "errors of a release": _errors_of_a_release,
    "slow leak": _slow_leak,
    "latency of a dependency": _latency_of_a_dependency,
    "traffic drop": _traffic_drop,
    "traffic surge": _traffic_surge,
    "conversion drop": _conversion_drop,
    "saturation ramp": _pool_ramp,
    "flapping": _flapping,
    "single outlier": _single_outlier,
    "level shift": _level_shift,
    "errors of a rare route": _errors_of_a_rare_route,
    "burst of logged errors": _log_burst,
}
