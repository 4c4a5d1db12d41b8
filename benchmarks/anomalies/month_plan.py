"""What a made-up month is to hold: the shop's requests, its rhythm, releases and gaps, and room for incidents."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

BUCKET_S: Final = 300
BUCKETS_AN_HOUR: Final = 12
START: Final = datetime(2026, 10, 3, tzinfo=UTC)
HISTORY_DAYS: Final = 21
WINDOW_DAYS: Final = 7
BUCKETS: Final = (HISTORY_DAYS + WINDOW_DAYS) * 24 * BUCKETS_AN_HOUR
WINDOW_FIRST: Final = HISTORY_DAYS * 24 * BUCKETS_AN_HOUR
"""The clocks of ZONE are put back on the window's second day, so that its rhythm comes an hour later in UTC."""
ZONE: Final = ZoneInfo("Europe/Berlin")
LIVELINESS: Final = 0.08
PARTIAL_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests of one kind: how many in a usual bucket, and how long the middle one takes."""

    service: str
    route: str
    requests: float
    median_ms: float
    is_entry: bool = False


STREAMS: Final = (
    Stream("gateway", "GET /", 150, 40, is_entry=True),
    Stream("gateway", "GET /search", 100, 120, is_entry=True),
    Stream("gateway", "GET /products/{id}", 200, 60, is_entry=True),
    Stream("gateway", "POST /cart", 40, 80, is_entry=True),
    Stream("gateway", "POST /checkout", 15, 350, is_entry=True),
    Stream("gateway", "GET /account", 20, 50, is_entry=True),
    Stream("gateway", "GET /help", 3, 20, is_entry=True),
    Stream("gateway", "POST /newsletter", 0.4, 30, is_entry=True),
    Stream("catalogue", "GET /internal/products/{id}", 350, 15),
    Stream("catalogue", "GET /internal/search", 100, 90),
    Stream("orders", "POST /internal/carts", 40, 45),
    Stream("orders", "POST /internal/orders", 15, 300),
    Stream("payment", "POST /internal/charges", 15, 220),
    Stream("accounts", "GET /internal/accounts/{id}", 20, 25),
)
SERVICES: Final = tuple(dict.fromkeys(stream.service for stream in STREAMS))
EDGES: Final = (
    ("gateway", "catalogue"),
    ("gateway", "orders"),
    ("gateway", "accounts"),
    ("orders", "payment"),
)
REGIONS: Final = {"DE": 0.5, "GB": 0.3, "FR": 0.15, "CH": 0.05}
PAGES: Final = {"/": 25.0, "/products/{id}": 30.0, "/search": 12.0}


@dataclass(frozen=True, slots=True)
class Deployment:
    """A release: from a bucket on a service runs another version, that much slower than the one before."""

    bucket: int
    service: str
    version: str
    slower: float = 1.0


@dataclass(slots=True)
class Plan:
    """What a month is to hold: multipliers and additions a bucket, which incidents are written into.

    Attributes
    ----------
    rate, slower : dict of (service, route) to array, shape (buckets,)
        Multipliers of requests and of durations.
    errors : dict of (service, route, region) to array
        Added to the share of requests that fail; region "" is all of them.
    conversion : array
        Multiplier of the share of visits that convert.
    frontend_errors, log_errors : array; dict of service to array
        Multipliers.
    memory, pool : dict of service to array
        Added to the utilisation, 0 to 1.
    deployments : list of Deployment
    gaps : list of (first, end) buckets
        Not recorded.
    """

    rate: dict[tuple[str, str], NDArray[np.float64]]
    slower: dict[tuple[str, str], NDArray[np.float64]]
    errors: dict[tuple[str, str, str], NDArray[np.float64]]
    conversion: NDArray[np.float64]
    frontend_errors: NDArray[np.float64]
    log_errors: dict[str, NDArray[np.float64]]
    memory: dict[str, NDArray[np.float64]]
    pool: dict[str, NDArray[np.float64]]
    deployments: list[Deployment] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)


def plan_quiet(chance: Generator) -> Plan:
    """Plan a month in which nothing is wrong: releases and gaps only."""
    streams = [(stream.service, stream.route) for stream in STREAMS]
    plan = Plan(
        rate={stream: np.ones(BUCKETS) for stream in streams},
        slower={stream: np.ones(BUCKETS) for stream in streams},
        errors={},
        conversion=np.ones(BUCKETS),
        frontend_errors=np.ones(BUCKETS),
        log_errors={service: np.ones(BUCKETS) for service in SERVICES},
        memory={service: np.zeros(BUCKETS) for service in SERVICES},
        pool={service: np.zeros(BUCKETS) for service in SERVICES},
    )
    moments = np.sort(chance.integers(BUCKETS_AN_HOUR, BUCKETS, 10))
    for number, bucket in enumerate(moments.tolist()):
        slower = float(chance.choice([1.0, 1.05, 0.97]))
        plan.deployments.append(Deployment(bucket, str(chance.choice(SERVICES)), f"2.{number}.0", slower))
    for first, hours in (
        (chance.integers(0, WINDOW_FIRST - 100), 4),
        (chance.integers(WINDOW_FIRST, BUCKETS - 100), 2),
    ):
        plan.gaps.append((int(first), int(first) + hours * BUCKETS_AN_HOUR))
    return plan


def usual_load() -> NDArray[np.float64]:
    """Return the usual load of each bucket, 1 on average over a week: by the hour and day of local time."""
    local = [(START + timedelta(seconds=BUCKET_S * i)).astimezone(ZONE) for i in range(BUCKETS)]
    hour = np.array([moment.hour + moment.minute / 60 for moment in local])
    weekend = np.array([moment.weekday() >= 5 for moment in local])
    day = 1.0 + 0.75 * np.cos(2 * np.pi * (hour - 19.5) / 24) + 0.25 * np.cos(4 * np.pi * (hour - 12.5) / 24)
    load = np.maximum(day, 0.08) * np.where(weekend, 1.35, 0.9)
    return np.asarray(load / load.mean(), dtype=np.float64)


def draw_liveliness(chance: Generator) -> NDArray[np.float64]:
    """Return factors around 1 that stay alike for an hour or two: traffic is never as even as dice."""
    noise = chance.normal(0.0, 1.0, BUCKETS)
    drift = np.empty(BUCKETS)
    at = 0.0
    for i in range(BUCKETS):
        at = 0.95 * at + math.sqrt(1 - 0.95**2) * noise[i]
        drift[i] = at
    return np.exp(LIVELINESS * drift)


def share_recorded(plan: Plan) -> NDArray[np.float64]:
    """Return the share of each bucket that was recorded: those at the edges of a gap in part."""
    recorded = np.ones(BUCKETS)
    for first, end in plan.gaps:
        recorded[first:end] = 0.0
        recorded[max(first - 1, 0)] = PARTIAL_SHARE
        recorded[min(end, BUCKETS - 1)] = PARTIAL_SHARE
    return recorded
