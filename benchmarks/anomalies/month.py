"""A made-up month of a shop, in the buckets that findings are made from; what is planted in it is known exactly.

The nuisances are what real months have: a daily and weekly rhythm by local time with the clocks put back in it, traffic
that is livelier than chance, routes with hardly any requests, releases that make a service 5 % slower and empty its
memory, a nightly job, and stretches that were not recorded. None of them is an incident.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from benchmarks.anomalies.month_plan import (
    BUCKET_S,
    BUCKETS,
    BUCKETS_AN_HOUR,
    EDGES,
    PAGES,
    REGIONS,
    SERVICES,
    START,
    STREAMS,
    WINDOW_FIRST,
    draw_liveliness,
    share_recorded,
    usual_load,
)
from prodintel_lib.analyses.production import EDGES_SCHEMA, Production
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_KEYS, METRIC_BUCKETS_SCHEMA
from prodintel_lib.rollups.request_bins import COARSE_GROWTH, REQUEST_BINS_KEYS, REQUEST_BINS_SCHEMA
from prodintel_lib.rollups.rum_buckets import RUM_BUCKETS_KEYS, RUM_BUCKETS_SCHEMA
from prodintel_lib.tables import CHANGES, INCIDENTS
from prodintel_lib.windows import US_PER_S, Window, to_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from benchmarks.anomalies.month_plan import Plan, Stream

SPREAD: Final = 0.55
BASE_ERRORS: Final = 0.002
POOL_SIZE: Final = 20.0
CONVERSION: Final = 0.04
VIEWS_A_SESSION: Final = 4
FRONTEND_ERRORS: Final = 0.003
BIN_OFFSET: Final = 200
BIN_COUNT: Final = 400
VISIT_BUCKET_S: Final = 1800


@dataclass(frozen=True, slots=True)
class Drawn:
    """The requests of one stream from one region, each with its bucket, duration and end."""

    stream: Stream
    region: str
    versions: tuple[str, ...]
    bucket: NDArray[np.int64]
    duration_ms: NDArray[np.float64]
    failed: NDArray[np.bool_]


def make_month(plan: Plan, chance: Generator) -> Production:
    """Make the frames of a planned month.

    Parameters
    ----------
    plan : Plan
    chance : numpy.random.Generator
        The same plan and seed make the same month.
    """
    start_us = to_us(START)
    bucket_us = start_us + np.arange(BUCKETS, dtype=np.int64) * BUCKET_S * US_PER_S
    load = usual_load() * draw_liveliness(chance)
    recorded = share_recorded(plan)
    window = Window(int(bucket_us[WINDOW_FIRST]), int(bucket_us[-1]) + BUCKET_S * US_PER_S)
    requests = _requests(plan, load, bucket_us, chance)
    return Production(
        window=window,
        history=Window(start_us, window.start_us),
        bucket_s=BUCKET_S,
        requests=requests,
        metrics=_metrics(plan, load, recorded, bucket_us, chance),
        visits=_visits(plan, load, recorded, bucket_us, chance),
        log_levels=_log_levels(plan, requests, chance, bucket_us),
        calls=_calls(requests),
        changes=_changes(plan, bucket_us),
        incidents=pl.DataFrame(schema=dict(INCIDENTS.schema)),
        recorded_us=bucket_us[recorded > 0],
        visit_bucket_s=VISIT_BUCKET_S,
        digest=hashlib.sha256(requests.hash_rows(seed=0).to_numpy().tobytes()).hexdigest(),
    )


def draw_requests(plan: Plan, load: NDArray[np.float64], chance: Generator) -> Iterator[Drawn]:
    """Draw every request of the month, a stream and region at a time."""
    recorded = share_recorded(plan)
    for stream in STREAMS:
        versions, slower = _releases(plan, stream.service)
        slower = slower * plan.slower[stream.service, stream.route] * (1.0 + 0.05 * (load - 1.0))
        expected = stream.requests * load * recorded * plan.rate[stream.service, stream.route]
        for region, share in REGIONS.items() if stream.is_entry else {"": 1.0}.items():
            counts = chance.poisson(expected * share)
            errors = BASE_ERRORS * np.ones(BUCKETS)
            for about in {(stream.service, stream.route, ""), (stream.service, stream.route, region)}:
                errors = errors + plan.errors.get(about, 0.0)
            bucket = np.repeat(np.arange(BUCKETS), counts)
            duration_ms = stream.median_ms * slower[bucket] * np.exp(chance.normal(0.0, SPREAD, len(bucket)))
            failed = chance.random(len(bucket)) < np.minimum(errors, 1.0)[bucket]
            yield Drawn(stream, region, tuple(versions), bucket, duration_ms, failed)


def _requests(plan: Plan, load: NDArray[np.float64], bucket_us: NDArray[np.int64], chance: Generator) -> pl.DataFrame:
    parts = [_bin(drawn, bucket_us) for drawn in draw_requests(plan, load, chance)]
    return pl.concat(parts).select(*REQUEST_BINS_SCHEMA).cast(pl.Schema(REQUEST_BINS_SCHEMA)).sort(REQUEST_BINS_KEYS)


def _bin(drawn: Drawn, bucket_us: NDArray[np.int64]) -> pl.DataFrame:
    bins = np.floor(np.log(drawn.duration_ms) / math.log(COARSE_GROWTH)).astype(np.int64)
    cell = drawn.bucket * BIN_COUNT + bins + BIN_OFFSET
    requests = np.bincount(cell, minlength=BUCKETS * BIN_COUNT)
    held = np.flatnonzero(requests)
    failed = np.bincount(cell, drawn.failed, minlength=BUCKETS * BIN_COUNT)[held]
    return pl.DataFrame(
        {
            "bucket_us": bucket_us[held // BIN_COUNT],
            "service_name": drawn.stream.service,
            "route": drawn.stream.route,
            "is_entry": drawn.stream.is_entry,
            "region": drawn.region,
            "release": pl.Series(np.array(drawn.versions)[held // BIN_COUNT], dtype=pl.String),
            "cache": "",
            "bin": held % BIN_COUNT - BIN_OFFSET,
            "requests": requests[held],
            "failed": failed.astype(np.int64),
            "duration_ms_sum": np.bincount(cell, drawn.duration_ms, minlength=BUCKETS * BIN_COUNT)[held],
            "over_limit": np.zeros(len(held), dtype=np.int64),
        }
    )


def _releases(plan: Plan, service: str) -> tuple[list[str], NDArray[np.float64]]:
    """Return a service's version in each bucket, and what its releases made of its durations."""
    versions, slower = ["1.0.0"] * BUCKETS, np.ones(BUCKETS)
    for deployment in sorted(plan.deployments, key=lambda one: one.bucket):
        if deployment.service == service:
            versions[deployment.bucket :] = [deployment.version] * (BUCKETS - deployment.bucket)
            slower[deployment.bucket :] *= deployment.slower
    return versions, slower


def _metrics(
    plan: Plan,
    load: NDArray[np.float64],
    recorded: NDArray[np.float64],
    bucket_us: NDArray[np.int64],
    chance: Generator,
) -> pl.DataFrame:
    nightly = np.array([(START + timedelta(seconds=BUCKET_S * i)).hour == 2 for i in range(BUCKETS)])
    parts = []
    for service in SERVICES:
        restarts = [0, *sorted(one.bucket for one in plan.deployments if one.service == service)]
        since = np.arange(BUCKETS) - np.array(restarts)[np.searchsorted(restarts, np.arange(BUCKETS), side="right") - 1]
        cpu = 0.1 + 0.2 * load + 0.15 * (nightly & (service == "orders")) + chance.normal(0, 0.015, BUCKETS)
        memory = 0.45 + 0.1 * (1 - np.exp(-since / 500)) + chance.normal(0, 0.008, BUCKETS) + plan.memory[service]
        used = chance.poisson(np.maximum(3.0 * load, 0.1)) + POOL_SIZE * plan.pool[service]
        series = (
            ("process.cpu.utilization", "1", "", np.clip(cpu, 0.0, 1.0)),
            ("system.memory.utilization", "1", "", np.clip(memory, 0.0, 0.995)),
            ("db.client.connection.count", "{connection}", _pool(service, "used"), np.minimum(used, POOL_SIZE)),
            ("db.client.connection.max", "{connection}", _pool(service), np.full(BUCKETS, POOL_SIZE)),
        )
        parts += [_metric(service, *one, recorded=recorded, bucket_us=bucket_us) for one in series]
    return (
        pl.concat(parts).select(*METRIC_BUCKETS_SCHEMA).cast(pl.Schema(METRIC_BUCKETS_SCHEMA)).sort(METRIC_BUCKETS_KEYS)
    )


def _pool(service: str, state: str = "") -> str:
    name = f"db.client.connection.pool.name={service}"
    return f"{name}, db.client.connection.state={state}" if state else name


def _metric(
    service: str,
    name: str,
    unit: str,
    series: str,
    values: NDArray[np.float64],
    *,
    recorded: NDArray[np.float64],
    bucket_us: NDArray[np.int64],
) -> pl.DataFrame:
    kept = values[recorded > 0]
    return pl.DataFrame(
        {
            "bucket_us": bucket_us[recorded > 0],
            "metric_name": name,
            "metric_unit": unit,
            "service_name": service,
            "service_instance_id": f"{service}-1",
            "series": series,
            "is_rate": False,
            "mean": kept,
            "max": kept,
            "last": kept,
            "n": 5,
        }
    )


def _visits(
    plan: Plan,
    load: NDArray[np.float64],
    recorded: NDArray[np.float64],
    bucket_us: NDArray[np.int64],
    chance: Generator,
) -> pl.DataFrame:
    # Who comes in goes through the pages: visits follow the requests of entry.
    rate = plan.rate["gateway", "GET /"]
    width_us = VISIT_BUCKET_S * US_PER_S
    parts = []
    for page, usual in PAGES.items():
        sessions = chance.poisson(usual * load * recorded * rate)
        views = sessions * VIEWS_A_SESSION
        parts.append(
            pl.DataFrame(
                {
                    "bucket_us": bucket_us // width_us * width_us,
                    "journey": page,
                    "sessions": sessions,
                    "converted": chance.binomial(sessions, CONVERSION * plan.conversion),
                    "views": views,
                    "errors": chance.binomial(views, np.minimum(FRONTEND_ERRORS * plan.frontend_errors, 1.0)),
                }
            )
        )
    buckets = pl.concat(parts).group_by(RUM_BUCKETS_KEYS).agg(pl.col("sessions", "converted", "views", "errors").sum())
    return (
        buckets.filter(pl.col("sessions") > 0)
        .select(*RUM_BUCKETS_SCHEMA)
        .cast(pl.Schema(RUM_BUCKETS_SCHEMA))
        .sort(RUM_BUCKETS_KEYS)
    )


def _log_levels(plan: Plan, requests: pl.DataFrame, chance: Generator, bucket_us: NDArray[np.int64]) -> pl.DataFrame:
    seen = requests.group_by("bucket_us", "service_name").agg(pl.col("requests", "failed").sum())
    seen = seen.sort("bucket_us", "service_name")
    at = np.searchsorted(bucket_us, seen["bucket_us"].to_numpy())
    factor = np.array([plan.log_errors[service][i] for service, i in zip(seen["service_name"], at, strict=True)])
    served, failed = seen["requests"].to_numpy(), seen["failed"].to_numpy()
    errors = failed + chance.poisson((0.0005 * served + 0.05) * factor)
    return seen.select(
        "bucket_us",
        "service_name",
        pl.Series("errors", errors, dtype=pl.Int64),
        pl.Series("warnings", chance.poisson(0.01 * served), dtype=pl.Int64),
        pl.Series("rows", 3 * served + errors, dtype=pl.Int64),
    ).cast(pl.Schema(LOG_LEVELS_SCHEMA))


def _calls(requests: pl.DataFrame) -> pl.DataFrame:
    totals = {
        row[0]: row[1:] for row in requests.group_by("service_name").agg(pl.col("requests", "failed").sum()).rows()
    }
    rows = [(caller, dependency, *totals[dependency]) for caller, dependency in EDGES]
    return pl.DataFrame(rows, schema=EDGES_SCHEMA, orient="row")


def _changes(plan: Plan, bucket_us: NDArray[np.int64]) -> pl.DataFrame:
    first = WINDOW_FIRST - 24 * BUCKETS_AN_HOUR
    rows = [
        {
            "time_us": int(bucket_us[one.bucket]),
            "source": "made",
            "change_id": f"{one.service}@{one.version}",
            "change_kind": "deployment",
            "service_name": one.service,
            "service_version": one.version,
            "status": "success",
            "description": f"Release {one.version}",
        }
        for one in sorted(plan.deployments, key=lambda one: one.bucket)
        if one.bucket >= first
    ]
    return pl.DataFrame(rows, schema=dict(CHANGES.schema))
